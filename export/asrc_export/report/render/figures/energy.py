"""Energy estimates on one logarithmic axis."""

from __future__ import annotations

from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, Figure, canvas, svg
from asrc_export.report.report import Report


def draw(report: Report) -> Figure | None:
    """Energy estimates on one logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    estimates = [each for each in report.energy.estimates if each.high_nj > 0]
    if not estimates:
        return None
    drawing, axes = canvas(NARROW, 0.9 + 0.5 * len(estimates))
    for row, each in enumerate(reversed(estimates)):
        colour = ACCENT if each.name.startswith("deployed") else MUTED
        low, high = max(each.low_nj, 1e-9), each.high_nj
        axes.plot([low, high], [row, row], color=colour, linewidth=5, solid_capstyle="round")
        edge = axes.get_yaxis_transform()
        axes.annotate(each.name, (0, row), (0, 8), xycoords=edge, textcoords="offset points")
    axes.set_xscale("log")
    lowest, highest = min(each.low_nj or each.high_nj for each in estimates), max(e.high_nj for e in estimates)
    axes.set_xlim(lowest / 2, max(highest * 2, lowest * 1000))
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value:.0e}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="nJ per sample, logarithmic", ylim=(-0.4, len(estimates) - 0.2))
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    caption = (
        "Modelled energy of one sample as a range from low to high; never measured, and static power is not in it."
    )
    return Figure(svg(drawing), "Modelled energy", caption)
