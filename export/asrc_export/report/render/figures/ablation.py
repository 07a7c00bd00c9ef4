"""Accuracy of each stage of the rounding ablation."""

from __future__ import annotations

import numpy as np

from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, RULE, Figure, canvas, svg
from asrc_export.report.report import Report


def draw(report: Report) -> Figure:
    """Accuracy of each stage."""
    stages = report.ablation.stages
    drawing, axes = canvas(NARROW, 2.2)
    values = [100 * stage.accuracy for stage in stages]
    y = np.arange(len(stages))[::-1]
    axes.plot(values, y, color=RULE, zorder=1)
    for value, at, stage in zip(values, y, stages, strict=True):
        axes.plot(value, at, "o", markersize=7, color=ACCENT if stage.name == "deployed" else MUTED)
        axes.annotate(f"{value:.1f} %", (value, at), (0, 6), textcoords="offset points", ha="center")
    axes.set_yticks(y, [stage.title for stage in stages])
    axes.set_xlabel("accuracy in percent")
    margin = max(1.0, 0.3 * (max(values) - min(values)))
    axes.set_xlim(min(values) - margin, min(max(values) + margin, 102))
    axes.set_ylim(-0.5, len(stages) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    caption = (
        f"Accuracy from the trained network (top) to the chip's integers (bottom), on {report.ablation.samples:,} "
        "test samples. The axis does not begin at zero, so small steps look large."
    )
    return Figure(svg(drawing), "Accuracy of each stage", caption)
