"""Weights over lags of the layers that learned their span."""

from __future__ import annotations

import numpy as np

from asrc_export.report.behaviour import taps
from asrc_export.report.render.figures.canvas import ACCENT, MUTED, NARROW, Figure, canvas, svg
from asrc_export.report.report import Report


def draw(report: Report) -> Figure | None:
    """Weights over lags of the layers that chose their span."""
    layers = [(layer, np.array(layer.weights)) for layer in report.kernels.layers if layer.weights]
    if not layers:
        return None
    columns = min(2, len(layers))
    rows = -(-len(layers) // columns)
    drawing, grid = canvas(NARROW, 1.7 * rows + 0.3, rows=rows, columns=columns)
    for axes, (layer, weights) in zip(np.ravel(grid), layers, strict=False):
        spans = taps.spans(layer.span, layer.taps)
        lags = np.arange(1, len(weights) + 1)
        chosen = np.isin(lags, spans)
        width = 150 / columns / len(lags)  # in points; one collection of lines draws faster than a bar for each lag
        axes.vlines(lags[~chosen], 0, weights[~chosen], colors=MUTED, alpha=0.6, linewidth=width)
        axes.vlines(lags[chosen], 0, weights[chosen], colors=ACCENT, linewidth=width)
        axes.set(
            title=f"{layer.name}: span {', '.join(map(str, spans))}",
            xlabel="lag in steps",
            ylim=(0, 1.05),
            xlim=(0, len(lags) + 1),
        )
    for axes in np.ravel(grid)[len(layers) :]:
        axes.set_visible(False)
    np.ravel(grid)[0].set_ylabel("weight")
    caption = (
        "Softmax weights over lags as training left them; the coloured lags are the spans that the chip gets. Little "
        "weight elsewhere means that freezing changed little."
    )
    return Figure(svg(drawing), "Span kernels", caption)
