"""Answers of the deployed network by label."""

from __future__ import annotations

import numpy as np

from asrc_core.counts import plural
from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, Figure, canvas, svg
from asrc_export.report.report import Report

MAX_LABELLED_CLASSES = 20
MAX_FLAT_NAME = 2


def draw(report: Report) -> Figure:
    """Answers of the deployed network by label."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    matrix = np.array(report.confusion.deployed, float)
    classes = len(matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    drawing, axes = canvas(NARROW, 4.2)
    found = [(label, answer) for label, answer in np.argwhere(matrix > 0)]
    for label, answer in found:
        right = label == answer
        tile = Rectangle((answer - 0.47, label - 0.47), 0.94, 0.94)
        axes.add_collection(
            PatchCollection(
                [tile],
                facecolor=MUTED if right else ACCENT,
                alpha=0.12 + 0.3 * shares[label, answer] if right else 0.25 + 0.6 * min(1, 4 * shares[label, answer]),
                linewidth=0,
            )
        )
        if classes <= MAX_LABELLED_CLASSES:
            axes.text(answer, label, f"{matrix[label, answer]:.0f}", ha="center", va="center", fontsize=8)
    ticks = range(0, classes, 1 if classes <= MAX_LABELLED_CLASSES else max(1, classes // 10))
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), xlabel="answer", ylabel="class", aspect="equal")
    names = [each.name for each in report.scores.classes]
    longest = max(map(len, names))
    axes.set_xticks(ticks, [names[i] for i in ticks], rotation=90 if longest > MAX_FLAT_NAME else 0)
    axes.set_yticks(ticks, [names[i] for i in ticks])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    caption = (
        f"Classes against answers of the deployed network, {plural(report.samples, 'sample')}. Grey on the diagonal is "
        "right, colour is wrong."
    )
    return Figure(svg(drawing), "Confusion matrix of the deployed network", caption)
