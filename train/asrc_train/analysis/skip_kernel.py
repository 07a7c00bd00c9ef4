"""How a layer comes to choose its span: the mixture over spans, epoch by epoch (the paper's Figure 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_core.errors import UnreadableFile
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.figure import INK, panels
from asrc_train.analysis.history import epochs
from asrc_train.trained.checkpoint import Checkpoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def skip_kernel(name: str, trained: Checkpoint) -> Analysis:
    """The softmax mixture p_k, k = 1..K, of each layer after each epoch.

    Raises UnreadableFile for a checkpoint whose spans were not learned, or that has no history.
    """
    history = epochs(name, trained)
    layers = range(len(history[0].skip_weights))
    if any(len(epoch.skip_weights) != len(layers) for epoch in history):
        raise UnreadableFile(name, "skip kernel", "its epochs have unlike layers", "train with asrc-train")
    kernels = [[epoch.skip_weights[layer] for epoch in history] for layer in layers]
    if not kernels or any(not kernel[0] or len(set(map(len, kernel))) > 1 for kernel in kernels):
        why = "it holds no mixture over spans for each layer and epoch"
        raise UnreadableFile(name, "skip kernel", why, "train with `connection='asrc'`")
    rows: list[dict[str, Any]] = [
        {"layer": layer, "epoch": epoch.epoch, "span": k + 1, "weight": weight}
        for epoch in history
        for layer, kernel in enumerate(epoch.skip_weights)
        for k, weight in enumerate(kernel)
    ]

    def draw() -> Figure:
        figure, axes = panels(len(layers), sharex=True)
        for layer, (axis, kernel) in enumerate(zip(axes[0], kernels, strict=True)):
            weights = np.array(kernel).T
            reach, count = weights.shape
            extent = (0.5, count + 0.5, 0.5, reach + 0.5)
            heat = axis.imshow(
                weights,
                cmap="cividis",
                vmin=0,
                vmax=1,
                aspect="auto",
                origin="lower",
                extent=extent,
                interpolation="nearest",
            )
            axis.grid(visible=False)
            axis.locator_params(integer=True)
            axis.set(xlabel="epoch", title=f"layer {layer}: span {trained.spans[layer]}")
        axes[0, 0].set_ylabel("span k")
        bar = figure.colorbar(heat, ax=axes[0, -1])
        bar.set_label("weight p_k of the mixture", color=INK)
        return figure

    summary = [
        {"layer": layer, "span": trained.spans[layer], "its weight after the last epoch": f"{max(kernel[-1]):.2f}"}
        for layer, kernel in enumerate(kernels)
    ]
    return Analysis(rows, draw, summary)
