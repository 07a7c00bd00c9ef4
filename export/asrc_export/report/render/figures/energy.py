"""Modelled energy on logarithmic axes, one for each scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asrc_export.report.cost.energy import EnergyEstimate, in_cmos, on_chips
from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, Figure, canvas, svg
from asrc_export.report.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_chips(report: Report) -> Figure | None:
    """What the deployed network takes, by kind of event."""
    found = next((each for each in on_chips(report.energy) if each.high_nj > 0), None)
    if found is None:
        return None
    parts = {name: ends for name, ends in found.breakdown.items() if ends[1] > 0}
    drawing, axes = canvas(NARROW, 0.9 + 0.45 * len(parts))
    _ranges(axes, list(parts), [ends[0] for ends in parts.values()], [ends[1] for ends in parts.values()], ACCENT)
    caption = (
        f"What the deployed network's energy is made of, {found.scale}: each kind of event as a range from low to "
        "high. Modelled, never measured; static power is not in it."
    )
    return Figure(svg(drawing), "Modelled energy on a chip by kind of event", caption)


def draw_arithmetic(report: Report) -> Figure | None:
    """What float networks' arithmetic takes."""
    found: Sequence[EnergyEstimate] = [each for each in in_cmos(report.energy) if each.high_nj > 0]
    if not found:
        return None
    drawing, axes = canvas(NARROW, 0.9 + 0.45 * len(found))
    names = [each.name.removesuffix(", 45 nm") for each in found]
    _ranges(axes, names, [each.low_nj for each in found], [each.high_nj for each in found], MUTED)
    caption = (
        "Modelled energy of the operations of float networks in 45 nm CMOS, without and with reading the weights. "
        "Another scale than the chip's above."
    )
    return Figure(svg(drawing), "Modelled energy of float networks' arithmetic", caption)


def _ranges(axes: Axes, names: Sequence[str], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    edge = axes.get_yaxis_transform()
    for row, (name, start, end) in enumerate(zip(reversed(names), reversed(low), reversed(high), strict=True)):
        axes.plot([max(start, 1e-9), end], [row, row], color=colour, linewidth=5, solid_capstyle="round")
        axes.annotate(name, (0, row), (0, 8), xycoords=edge, textcoords="offset points")
    lowest = min(start or end for start, end in zip(low, high, strict=True))
    axes.set_xscale("log")
    axes.set_xlim(lowest / 2, max(max(high) * 2, lowest * 100))
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value:.0e}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="nJ per sample, logarithmic", ylim=(-0.4, len(names) - 0.2))
    axes.set_yticks(np.array([]))
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
