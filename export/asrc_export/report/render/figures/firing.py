"""Firing rate of each neuron, float against deployed."""

from __future__ import annotations

import numpy as np

from asrc_core.counts import plural
from asrc_export.report.render.figures.canvas import ACCENT, NARROW, RULE, Figure, canvas, svg
from asrc_export.report.report import Report

MAX_POINTS = 1000


def draw(report: Report) -> Figure:
    """Firing rate of each neuron, float against deployed."""
    drawing, axes = canvas(NARROW, 4.0)
    steps = report.ablation.samples * report.ablation.steps
    mine = 100 * np.concatenate([layer.in_float for layer in report.firing]) / steps
    theirs = 100 * np.concatenate([layer.deployed for layer in report.firing]) / steps
    chosen = np.linspace(0, len(mine) - 1, min(len(mine), MAX_POINTS)).astype(int)
    top = max(mine.max(), theirs.max(), 1e-6) * 1.05
    axes.plot([0, top], [0, top], color=RULE, zorder=1)
    axes.plot(mine[chosen], theirs[chosen], "o", markersize=3.5, color=ACCENT, alpha=0.55, markeredgewidth=0)
    axes.set(xlabel="float, % of steps", ylabel="deployed, % of steps", xlim=(0, top), ylim=(0, top), aspect="equal")
    caption = (
        f"Firing rate of each neuron, float against deployed ({len(chosen):,} of "
        f"{plural(len(mine), 'neuron')}). On the line, "
        "a neuron fires as often as it did in float."
    )
    return Figure(svg(drawing), "Firing rates, float against deployed", caption)
