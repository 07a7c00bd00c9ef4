"""Bits by kind, float and deployed."""

from __future__ import annotations

from asrc_export.report.cost.storage import KINDS
from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, Figure, canvas, svg
from asrc_export.report.report import Report
from asrc_export.report.table import BITS, fitting


def draw(report: Report) -> Figure:
    """Bits by kind, float and deployed."""
    drawing, axes = canvas(NARROW, 1.9)
    versions = ((1, report.storage.in_float, MUTED), (0, report.storage.deployed, ACCENT))
    unit, of, digits = fitting(BITS, max(bits.total for _, bits, _ in versions))
    for row, bits, colour in versions:
        before = 0.0
        for i, kind in enumerate(KINDS):
            size = getattr(bits, kind) / of
            axes.barh(row, size, left=before, height=0.55, color=colour, alpha=0.9 * 0.62**i)
            before += size
        total = bits.total / of
        axes.annotate(f"{total:,.{digits}f} {unit}", (total, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks([1, 0], ["float32", "deployed"])
    axes.set_xlabel(unit)
    axes.set_xlim(0, max(bits.total for _, bits, _ in versions) / of * 1.22)
    axes.tick_params(axis="y", length=0)
    caption = (
        "Bits that the network takes, float32 above and deployed below; from strong to faint: "
        f"{', '.join(KINDS.values())}."
    )
    return Figure(svg(drawing), "Storage by kind", caption)
