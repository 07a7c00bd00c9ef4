"""A frozen network with shorter spans or narrower layers, and what a narrower one's events would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from asrc_core.contract.neurons.kind import Number
from asrc_core.contract.result import LayerCounts
from asrc_core.contract.synapses.connection import INPUT
from asrc_export.quantization.scales import PROVENANCE_KEY
from asrc_export.what_if.change import Change
from asrc_train.trained.frozen import FrozenConnection, FrozenLayer, FrozenNetwork, WeightedTap


def with_spans(frozen: FrozenNetwork, change: Change) -> FrozenNetwork:
    """The same weights with every span and delay changed; taps that come to lie on one another weigh their sum."""

    def shorter(layer: FrozenLayer) -> FrozenLayer:
        return replace(layer, connections=tuple(_shorter(each, change) for each in layer.connections))

    decides = None if frozen.decides is None else shorter(frozen.decides)
    return replace(frozen, layers=tuple(map(shorter, frozen.layers)), decides=decides)


def _shorter(connection: FrozenConnection, change: Change) -> FrozenConnection:
    weights: dict[int, float] = {}
    for tap in connection.taps:
        span = change.of("span", tap.span)
        weights[span] = weights.get(span, 0.0) + tap.weight
    if len(weights) == 1:  # a single tap weighs 1, and its synapses the rest
        ((span, whole),) = weights.items()
        connection, weights = replace(connection, weight=connection.weight * whole), {span: 1.0}
    delays = connection.delays
    if delays is not None:
        known = {int(delay): change.of("span", int(delay)) for delay in np.unique(delays)}
        delays = np.vectorize(known.__getitem__, otypes=[np.int64])(delays)
    return replace(connection, taps=tuple(WeightedTap(*each) for each in sorted(weights.items())), delays=delays)


def with_widths(frozen: FrozenNetwork, change: Change) -> FrozenNetwork:
    """The network without the last neurons of each layer: of the right size, and untrained in it.

    Its placement and storage are those of any network of that size; what it answers means nothing.
    """
    kept = {layer.name: change.of("width", layer.neurons) for layer in frozen.layers}
    layers = tuple(_narrower(layer, kept) for layer in frozen.layers)
    provenance = {key: value for key, value in frozen.provenance.items() if key != PROVENANCE_KEY}
    decides = None if frozen.decides is None else _narrower(frozen.decides, kept)
    last = kept[frozen.layers[-1].name] if frozen.layers else None
    weight = frozen.readout_weight[:, :last]
    return replace(frozen, layers=layers, readout_weight=weight, decides=decides, provenance=provenance)


def _narrower(layer: FrozenLayer, kept: Mapping[str, int]) -> FrozenLayer:
    rows = kept.get(layer.name, layer.neurons)  # a readout keeps its classes

    def cut(connection: FrozenConnection) -> FrozenConnection:
        columns = kept.get(connection.source)
        delays = connection.delays
        return replace(
            connection,
            weight=connection.weight[:rows, :columns],
            delays=None if delays is None else delays[:rows, :columns],
            convolution=None,
        )

    constants = {name: _of_first(layer, name, value, rows) for name, value in layer.constants.items()}
    return replace(layer, connections=tuple(map(cut, layer.connections)), constants=constants)


def _of_first(layer: FrozenLayer, name: str, value: Any, rows: int) -> Any:
    """A constant of the first neurons, if neurons have one each."""
    kind = layer.of_kind
    if name not in kind.constants:  # the kind's own to round
        return value[:rows] if np.ndim(value) and len(value) == layer.neurons else value
    one_each = isinstance(kind.parameters[kind.constants[name].parameter], Number) and np.ndim(value) == 1
    return value[:rows] if one_each else value


def counts_of_narrower(frozen: FrozenNetwork, change: Change, counts: Sequence[LayerCounts]) -> tuple[LayerCounts, ...]:
    """The events of the network with narrower layers, if each neuron that is left fires as often as it does now.

    Spikes and updates go with a layer's width, operations with its width times that of the layers that feed it.
    """
    share = {INPUT: 1.0} | {each.name: change.of("width", each.neurons) / each.neurons for each in frozen.layers}
    spikes = {layer.name: count.spikes for layer, count in zip(frozen.layers, counts, strict=False)}
    deciding = None if frozen.decides is None else [each.source for each in frozen.decides.connections]
    found = []
    for i, count in enumerate(counts):
        hidden = i < len(frozen.layers)
        own = share[frozen.layers[i].name] if hidden else 1.0
        names = [layer.name for layer in frozen.layers[:i]]
        sources = [each.source for each in frozen.layers[i].connections] if hidden else deciding or names[-1:]
        before = [each for each in sources if each == INPUT or each in names]
        back = [each for each in sources if each not in before]
        found.append(
            LayerCounts(
                spikes=round(count.spikes * own),
                feedforward_operations=round(count.feedforward_operations * own * _mean(before, share, spikes)),
                recurrent_operations=round(count.recurrent_operations * own * _mean(back, share, spikes)),
                neuron_updates=round(count.neuron_updates * own),
            )
        )
    return tuple(found)


def _mean(sources: Sequence[str], share: Mapping[str, float], spikes: Mapping[str, int]) -> float:
    """What is left of what the sources send together, each by its spikes."""
    if len(sources) < 2:
        return share[sources[0]] if sources else 1.0
    weights = [spikes.get(each, 0) for each in sources]
    return float(np.average([share[each] for each in sources], weights=weights if sum(weights) else None))
