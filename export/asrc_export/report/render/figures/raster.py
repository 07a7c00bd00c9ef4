"""One sample's spikes, float above deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_core.counts import plural
from asrc_export.report.behaviour.raster import spikes_of
from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, Figure, canvas, svg
from asrc_export.report.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(report: Report) -> Figure:
    """One sample's spikes, float above deployed."""
    shown = report.raster
    steps = shown.steps
    rows = sum(len(layer.neurons) for layer in shown.layers)
    drawing, (above, below) = canvas(NARROW, 1.4 + 2 * min(2.2, 0.02 * rows), rows=2)
    base, differing = 0, 0
    ticks = []
    for layer in shown.layers:
        mine, theirs = spikes_of(layer.in_float, steps), spikes_of(layer.deployed, steps)
        unlike = mine != theirs
        differing += int(unlike.sum())
        _dashes(above, mine, base, MUTED)
        _dashes(below, theirs & ~unlike, base, MUTED)
        _dashes(below, unlike.astype(np.uint8), base, ACCENT)
        ticks.append((base + len(mine) / 2, layer.name))
        base += len(mine) + 2
    for axes, title in ((above, "float, hard-max"), (below, "deployed")):
        axes.set(xlim=(-0.5, steps - 0.5), ylim=(base, -1))
        axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
        axes.set_title(title)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    above.tick_params(labelbottom=False)
    below.set_xlabel("step of the sample")
    caption = (
        f"Spikes of test sample {shown.sample} (the first, not a chosen one), a row for each of "
        f"{plural(rows, 'neuron')}. "
        "Below, cells where deployed differs from float, a spike too many or one missing, are in colour: "
        f"{differing:,} of {rows * steps:,}."
    )
    return Figure(svg(drawing), "Spike raster, float above deployed", caption)


def _dashes(axes: Axes, spikes: np.ndarray[Any, Any], base: int, colour: str) -> None:
    """A dash for each spike of (neurons, steps), all of them as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    neurons, steps = np.nonzero(spikes)
    if not len(steps):
        return
    ends = np.stack([np.stack([steps - 0.42, neurons + base], 1), np.stack([steps + 0.42, neurons + base], 1)], 1)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(steps)).astype(np.uint8)
    # An artist, not a patch: the limits of the axes are set, and finding them from a path takes most of the time.
    axes.add_artist(PathPatch(Path(ends.reshape(-1, 2), codes), edgecolor=colour, facecolor="none", linewidth=0.9))
