"""What follows from how layers are connected: when each works, what waits on its way, who has delay lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asrc_core.contract.synapses.connection import INPUT
from asrc_export.chip.shape.sizes import ConnectionShape, LayerShape


def linked(layers: Sequence[LayerShape]) -> tuple[LayerShape, ...]:
    """The layers with all that follows from how they are connected: when they work, what waits, who has delay lines.

    A message takes a step of the chip on its way. So a layer with a connection of lag 0 works a step behind its source,
    and a lag of lambda steps is a wait of lambda - 1 from a layer to itself. A wait below 0 cannot be met. Neurons that
    keep the word of their spikes anyway need no delay line beside it.
    """
    starts = _starts(layers)
    tapped = {each.source for layer in layers for each in layer.connections if each.in_line}

    def waiting(layer: LayerShape, each: ConnectionShape) -> ConnectionShape:
        return replace(each, wait=each.lag + starts[layer.name] - starts[each.source] - 1)

    return tuple(
        replace(
            layer,
            connections=tuple(waiting(layer, each) for each in layer.connections),
            start=starts[layer.name],
            line=layer.name in tapped and not layer.keeps_word,
        )
        for layer in layers
    )


def _starts(layers: Sequence[LayerShape]) -> dict[str, int]:
    """Steps of the chip by which each source works behind the first layer, as few as the lags allow.

    Where a loop's lags are shorter than its way, nothing does, and layers are taken to work one after the other.
    """
    starts = {INPUT: -1, **dict.fromkeys((layer.name for layer in layers), 0)}
    for _ in range(len(layers) + 1):
        before = dict(starts)
        for layer in layers:
            ready = (starts[each.source] + 1 - each.least_lag for each in layer.connections)
            starts[layer.name] = max(starts[layer.name], *ready)
        if starts == before:
            return starts
    return {INPUT: -1, **{layer.name: i for i, layer in enumerate(layers)}}
