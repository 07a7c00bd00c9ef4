"""Loss, accuracy and spans over training, of networks side by side (the paper's Figure 6)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from asrc_train.analysis import band, label
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.figure import COLOURS, INK, legend, log_axis, panels
from asrc_train.analysis.history import epochs
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.fit import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STROKES = ("-", "--", ":", "-.")


def curves(trained: Mapping[str, Checkpoint]) -> Analysis:
    """Loss, validation accuracy (hard-max spans) and each layer's span, epoch by epoch, of checkpoints by name.

    Runs that differ in nothing but their seed are drawn as their mean with a band from least to greatest; their spans
    one by one. Raises UnreadableFile for a checkpoint without a history.
    """
    histories = {name: epochs(name, each) for name, each in trained.items()}
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "epoch": epoch.epoch,
            "loss": epoch.loss,
            "training_accuracy": epoch.training_accuracy,
            "validation_accuracy": epoch.validation_accuracy,
            **{f"span_layer{i}": span for i, span in enumerate(epoch.spans)},
        }
        for name, history in histories.items()
        for epoch in history
    ]

    summary = [
        {
            "name": name,
            "epochs": len(history),
            "best validation": f"{max(epoch.validation_accuracy for epoch in history):.1%}",
            "last loss": f"{history[-1].loss:.4g}",
            "last spans": "-".join(map(str, history[-1].spans)),
        }
        for name, history in histories.items()
    ]
    return Analysis(rows, lambda: _figure(trained, histories), summary)


def _figure(trained: Mapping[str, Checkpoint], histories: Mapping[str, list[Epoch]]) -> Figure:
    adaptive = {name for name, history in histories.items() if any(history[0].skip_weights)}
    figure, axes = panels(3 if adaptive else 2)
    loss, accuracy, *spans = axes[0]
    for (called, names), colour in zip(label.grouped(trained).items(), itertools.cycle(COLOURS)):
        runs = [histories[name] for name in names]
        losses = band.of_curves(([epoch.loss for epoch in run] for run in runs), 1)
        right = band.of_curves(([100 * epoch.validation_accuracy for epoch in run] for run in runs), 1)
        band.draw(loss, losses, colour, called)
        band.draw(accuracy, right, colour, called)
        if adaptive.issuperset(names):
            for run in runs:
                _draw_spans(spans[0], run, colour)
    loss.set(xlabel="epoch", ylabel="training loss", yscale="log")
    log_axis(loss.yaxis, plain=True)
    accuracy.set(xlabel="epoch", ylabel="validation accuracy (%)")
    if spans:
        spans[0].set(xlabel="epoch", ylabel="span of each layer")
        layers = max(len(histories[name][0].spans) for name in adaptive)
        for layer, stroke in zip(range(layers), itertools.cycle(STROKES)):
            spans[0].plot([], [], stroke, color=INK, linewidth=1, label=f"layer {layer}")
        spans[0].legend(fontsize=7)
    legend(figure, accuracy)
    return figure


def _draw_spans(axes: Axes, run: list[Epoch], colour: str) -> None:
    for layer, stroke in zip(range(len(run[0].spans)), itertools.cycle(STROKES)):
        chosen = [epoch.spans[layer] for epoch in run]
        axes.plot(range(1, len(run) + 1), chosen, stroke, color=colour, linewidth=1)
