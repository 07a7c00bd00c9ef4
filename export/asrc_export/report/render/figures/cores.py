"""Which cores are in use, and how full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from asrc_core.counts import agreeing, plural
from asrc_export.report.cost.placement import PlacedCore
from asrc_export.report.render.figures.canvas import ACCENT, NARROW, RULE, Figure, canvas, svg
from asrc_export.report.report import Report

CORES_IN_A_ROW = 16
MAX_CHIPS = 8
MAX_NAMED = 6


def draw(report: Report) -> Figure | None:
    """Which cores are in use, and how full."""
    from matplotlib.patches import Rectangle

    placement = report.placement
    if placement is None:
        return None
    chips = sorted({core.chip for core in placement.cores})
    last = max(core.core for core in placement.cores)
    rows = last // CORES_IN_A_ROW + 1
    drawn = chips[:MAX_CHIPS]
    drawing, grid = canvas(NARROW, (0.3 * rows + 0.35) * len(drawn), rows=len(drawn))
    for axes, chip in zip(np.ravel(grid), drawn, strict=True):
        for i in range(rows * CORES_IN_A_ROW):
            row, column = divmod(i, CORES_IN_A_ROW)
            axes.add_patch(Rectangle((column, row), 0.92, 0.92, facecolor="none", edgecolor=RULE, linewidth=0.6))
        for core in (core for core in placement.cores if core.chip == chip):
            row, column = divmod(core.core, CORES_IN_A_ROW)
            full = _fullest(core, placement.limits)
            axes.add_patch(Rectangle((column, row), 0.92, 0.92, facecolor=ACCENT, alpha=0.15 + 0.75 * min(1, full)))
        axes.set(xlim=(-0.1, CORES_IN_A_ROW), ylim=(rows, -0.1), title=f"chip {chip}", aspect="equal")
        axes.set_axis_off()
    left = (
        f" {plural(len(chips) - len(drawn), 'more chip')} {agreeing(len(chips) - len(drawn), 'is', 'are')} not drawn."
        if len(drawn) < len(chips)
        else ""
    )
    caption = (
        f"{placement.cores_used:,} of {plural(placement.cores_available, 'core')} in use, row by row in the "
        "order of their "
        f"index; the stronger the colour, the closer a core is to its tightest limit.{_names(placement.cores)}{left}"
    )
    return Figure(svg(drawing), "Core map", caption)


def _names(cores: Sequence[PlacedCore]) -> str:
    """What is on each core, where that is soon said."""
    if len(cores) > MAX_NAMED:
        return ""
    held = (f"core {core.core}: {', '.join(share.layer for share in core.shares)}" for core in cores)
    return f" On {'; '.join(held)}."


def _fullest(core: PlacedCore, limits: Mapping[str, int]) -> float:
    """The largest share of a budget that a core uses."""
    return max((core.used.get(name, 0) / limit for name, limit in limits.items() if limit), default=0.0)
