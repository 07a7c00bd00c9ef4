"""The sizes of a whole network, and of an integer network; the same with past spikes kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.neurons.kind import Columns, Number, States
from asrc_core.contract.numbers import LINE_BITS, WORD, Ints, Mapping
from asrc_core.contract.synapses.connection import Connection
from asrc_export.chip.shape.linked import linked
from asrc_export.chip.shape.sizes import ConnectionShape, LayerShape, common_mapping

SHARED_WITH_NOBODY = ("bias",)
"""Parameters that a chip stores for each neuron anyway."""


@dataclass(frozen=True)
class NetworkShape:
    """Layers in order, the readout last, and the input's range."""

    layers: tuple[LayerShape, ...]
    input_minimum: int
    input_maximum: int

    @property
    def neurons(self) -> int:
        """Neurons of all layers but the readout."""
        return sum(layer.neurons for layer in self.layers[:-1])

    @property
    def mapping(self) -> Mapping | None:
        """Where past spikes are kept, None where connections differ in that."""
        return common_mapping(self.layers)

    def under(self, mapping: Mapping) -> NetworkShape:
        """The same with past spikes kept there."""
        return replace(self, layers=mapped(self.layers, mapping))


def mapped(layers: Sequence[LayerShape], mapping: Mapping) -> tuple[LayerShape, ...]:
    """The layers with past spikes kept there by every connection."""
    return linked(
        [
            replace(layer, connections=tuple(replace(each, mapping=mapping) for each in layer.connections))
            for layer in layers
        ]
    )


def resized(layers: Sequence[LayerShape], i: int, width: int) -> tuple[LayerShape, ...]:
    """The layers with another number of neurons in one of them, all of whose weights are there."""
    name = layers[i].name
    changed = [
        replace(
            layer,
            connections=tuple(
                replace(each, inputs=width, fan_out=None) if each.source == name else each for each in layer.connections
            ),
        )
        for layer in layers
    ]
    incoming = tuple(replace(each, fan_out=None) for each in changed[i].connections)
    changed[i] = replace(changed[i], neurons=width, connections=incoming)
    return tuple(changed)


def of_network(network: IntegerNetwork) -> NetworkShape:
    """The shape of an integer network."""
    layers = linked([_of_layer(network, i, layer) for i, layer in enumerate(network.layers)])
    return NetworkShape(layers, network.input.minimum, network.input.maximum)


def _of_layer(network: IntegerNetwork, i: int, layer: Layer) -> LayerShape:
    kind, parameters = layer.neuron.of_kind, layer.neuron.parameters
    own = {
        name: form
        for name, form in kind.parameters.items()
        if isinstance(form, Number | Columns) and name not in SHARED_WITH_NOBODY and np.ndim(parameters[name])
    }
    of_each = [parameters[name].reshape(layer.neurons, -1) for name in own]
    groups = len(np.unique(np.concatenate(of_each, axis=1), axis=0)) if own else 1
    return LayerShape(
        name=layer.name,
        neurons=layer.neurons,
        connections=tuple(
            _of_connection(network, each, recurrent=network.is_recurrent(i, j))
            for j, each in enumerate(layer.connections)
        ),
        kind=layer.neuron.kind,
        state_bits=widths(layer.neuron.states),
        keeps_word=WORD in layer.neuron.states.values(),
        own_constants=tuple(
            constant_bits(form) if isinstance(form, Number) else held_bits(values)
            for form, values in zip(own.values(), of_each, strict=True)
            for _ in range(values.shape[1])
        ),
        groups=groups,
        weighted_steps=parameters.get("time_weights") is not None,
    )


def _of_connection(network: IntegerNetwork, connection: Connection, *, recurrent: bool) -> ConnectionShape:
    message = connection.message(network.sent(connection.source))
    return ConnectionShape(
        source=connection.source,
        inputs=connection.inputs,
        weight_bits=connection.weight_bits,
        lag=connection.longest_lag,
        least_lag=connection.lags[0],
        mapping=connection.mapping,
        recurrent=recurrent,
        taps=max(1, len(connection.taps)),
        delay_for_each=connection.delays is not None,
        graded=not message.is_bit,
        largest_message=message.magnitude,
        fan_out=fan_out(connection.weights),
    )


def fan_out(weights: NDArray[np.generic]) -> tuple[tuple[int, int], ...] | None:
    """How many sources have how many weights (N, I) other than 0; None where none is 0."""
    there = np.count_nonzero(weights, axis=0)
    if (there == len(weights)).all():
        return None
    many, sources = np.unique(there, return_counts=True)
    return tuple(zip(many.tolist(), sources.tolist(), strict=True))


def widths(states: States) -> tuple[int, ...]:
    """Bits of each state."""
    return tuple(LINE_BITS if width == WORD else int(width) for width in states.values())


def constant_bits(form: Number | Columns) -> int:
    """Bits that hold every number of the form."""
    return max(form.high, -form.low - 1).bit_length() + (form.low < 0)


def held_bits(values: Ints) -> int:
    """Bits that hold all numbers of a layer, of which there are several for each neuron."""
    least, most = int(values.min()), int(values.max())
    return max(most, -least - 1, 1).bit_length() + (least < 0)
