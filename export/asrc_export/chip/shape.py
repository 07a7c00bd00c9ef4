"""Sizes of a network without its weights: what placement, storage and the rules about sizes need to know.

Known before training: a recipe gives the widths, and of an adaptive span the longest that it may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asrc_core import extras
from asrc_core.contract.connection import INPUT, Connection
from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.neurons.kind import Number
from asrc_core.contract.numbers import LINE_BITS, MAX_MESSAGE, STATE_MAX, WORD, Mapping
from asrc_core.contract.ranges import BIT

if TYPE_CHECKING:  # a network's sizes need no torch, which these load
    from asrc_train.data.dataset import Shape
    from asrc_train.settings.config import Config

MEMBRANE_BITS = STATE_MAX.bit_length() + 1
SHARED_WITH_NOBODY = ("bias",)
"""Parameters that a chip stores for each neuron anyway."""


@dataclass(frozen=True)
class ConnectionShape:
    """Synapses from ``inputs`` channels or neurons of a source to all neurons of a layer."""

    source: str
    inputs: int
    weight_bits: int
    lag: int = 0
    """The longest of them, in steps of the contract."""
    least_lag: int = 0
    mapping: Mapping = "delay-line"
    recurrent: bool = False
    """Whether it comes from the layer itself or from a later one."""
    taps: int = 1
    """How many lags one message is the weighted sum of."""
    delay_for_each: bool = False
    """Whether every synapse has a lag of its own."""
    graded: bool = False
    """Whether its messages are more than spikes."""
    largest_message: int = 1
    wait: int = 0
    """Steps of the chip that its messages are kept on their way, at most. Set by `linked`."""

    @property
    def in_line(self) -> bool:
        """Whether its messages are read from delay lines of the neurons that send."""
        return self.lag > 0 and self.mapping == "delay-line"

    @property
    def delay_bits(self) -> int:
        """Bits of each of its synapses that hold a delay."""
        return 0 if self.in_line else delay_bits(self.wait)


@dataclass(frozen=True)
class LayerShape:
    """A layer, or the readout, and all that leads to it."""

    name: str
    neurons: int
    connections: tuple[ConnectionShape, ...]
    kind: str = "lif"
    state_bits: tuple[int, ...] = (MEMBRANE_BITS,)
    """Width of each state of a neuron."""
    own_constants: tuple[int, ...] = ()
    """Bits of each constant that differs from neuron to neuron, biases left out."""
    groups: int = 1
    """Sets of neurons that share all their constants, biases left out."""
    weighted_steps: bool = False
    """Whether it multiplies what it adds up by a weight for each step."""
    start: int = 0
    """Steps of the chip by which it works behind the first layer. Set by `linked`."""
    line: bool = False
    """Whether some connection reads delay lines of its neurons. Set by `linked`."""

    @property
    def sources(self) -> int:
        """Neurons or channels that reach every neuron of the layer, counted once for each connection."""
        return sum(each.inputs for each in self.connections)

    @property
    def inputs(self) -> int:
        """Those of them that are computed before the layer."""
        return sum(each.inputs for each in self.connections if not each.recurrent)

    @property
    def span(self) -> int:
        """The longest lag of what comes back, 0 where nothing does."""
        return max((each.lag for each in self.connections if each.recurrent), default=0)

    @property
    def delay_bits(self) -> int:
        """The most bits that any of its synapses holds a delay in."""
        return max(each.delay_bits for each in self.connections)

    @property
    def neuron_bits(self) -> int:
        """Bits of state of one neuron, with its delay line."""
        return sum(self.state_bits) + LINE_BITS * self.line


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


def of_network(network: IntegerNetwork) -> NetworkShape:
    """The shape of an integer network."""
    layers = linked([_of_layer(network, i, layer) for i, layer in enumerate(network.layers)])
    return NetworkShape(layers, network.input.minimum, network.input.maximum)


def of_recipe(config: Config, dataset: Shape, bits: int, mapping: Mapping) -> NetworkShape:
    """The shape that a training will give, with the longest span that each layer can end up with.

    Raises CannotFreeze for neurons and connections that the integer contract does not hold; ExtraMissing.
    """
    with extras.importing():
        from asrc_train.network.connections.connection import file_of
        from asrc_train.trained.freeze import require_freezable

    network = config.network
    require_freezable(network, dataset.steps)
    connection = file_of(network)
    spans = [connection.longest_span(own) for own in network.each_layer()]
    taps = connection.most_taps(network)
    layers = chain(
        dataset.channels, network.hidden, spans, dataset.classes, bits, mapping, maximum=dataset.maximum, taps=taps
    )
    return NetworkShape(layers, 0, dataset.maximum)


def chain(
    channels: int,
    hidden: Sequence[int],
    spans: Sequence[int],
    classes: int,
    bits: int,
    mapping: Mapping = "delay-line",
    *,
    maximum: int = 1,
    taps: int = 1,
) -> tuple[LayerShape, ...]:
    """Skip-recurrent layers one after the other on inputs up to ``maximum``, and a readout.

    With several ``taps`` a layer may send itself the largest message there is.
    """
    layers: list[LayerShape] = []
    forward = ConnectionShape(INPUT, channels, bits, mapping=mapping, graded=maximum > 1, largest_message=maximum)
    returned = MAX_MESSAGE if taps > 1 else 1
    for i, (width, span) in enumerate(zip(hidden, spans, strict=True)):
        own = ConnectionShape(f"layer{i}", width, bits, span, span, mapping, recurrent=True, taps=taps)
        own = replace(own, graded=taps > 1, largest_message=returned)
        layers.append(LayerShape(own.source, width, (forward, own)))
        forward = ConnectionShape(own.source, width, bits, mapping=mapping)
    return linked([*layers, LayerShape("readout", classes, (forward,), "integrator")])


def linked(layers: Sequence[LayerShape]) -> tuple[LayerShape, ...]:
    """The layers with all that follows from how they are connected: when they work, what waits, who has delay lines.

    A message takes a step of the chip on its way. So a layer with a connection of lag 0 works a step behind its source,
    and a lag of lambda steps is a wait of lambda - 1 from a layer to itself. A wait below 0 cannot be met.
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
            line=layer.name in tapped,
        )
        for layer in layers
    )


def mapped(layers: Sequence[LayerShape], mapping: Mapping) -> tuple[LayerShape, ...]:
    """The layers with past spikes kept there by every connection."""
    return linked(
        [
            replace(layer, connections=tuple(replace(each, mapping=mapping) for each in layer.connections))
            for layer in layers
        ]
    )


def common_mapping(layers: Sequence[LayerShape]) -> Mapping | None:
    """Where all connections keep past spikes, None where they differ; only those with a lag count, if any has one."""
    every = [each for layer in layers for each in layer.connections]
    found = {each.mapping for each in every if each.lag} or {each.mapping for each in every}
    return found.pop() if len(found) == 1 else None


def resized(layers: Sequence[LayerShape], i: int, width: int) -> tuple[LayerShape, ...]:
    """The layers with another number of neurons in one of them."""
    name = layers[i].name
    changed = [
        replace(
            layer,
            connections=tuple(
                replace(each, inputs=width) if each.source == name else each for each in layer.connections
            ),
        )
        for layer in layers
    ]
    changed[i] = replace(changed[i], neurons=width)
    return tuple(changed)


def delay_bits(delay: int) -> int:
    """Bits that a synapse needs to store a delay of 0 to ``delay`` steps."""
    return delay.bit_length() if delay > 0 else 0


def _of_layer(network: IntegerNetwork, i: int, layer: Layer) -> LayerShape:
    kind, parameters = layer.neuron.of_kind, layer.neuron.parameters
    own = {
        name: form
        for name, form in kind.parameters.items()
        if isinstance(form, Number) and name not in SHARED_WITH_NOBODY and np.ndim(parameters[name])
    }
    groups = np.unique(np.stack([parameters[name] for name in own]), axis=1).shape[1] if own else 1
    return LayerShape(
        name=layer.name,
        neurons=layer.neurons,
        connections=tuple(
            _of_connection(network, each, recurrent=network.is_recurrent(i, j))
            for j, each in enumerate(layer.connections)
        ),
        kind=layer.neuron.kind,
        state_bits=tuple(LINE_BITS if width == WORD else int(width) for width in layer.neuron.states.values()),
        own_constants=tuple(_bits(form) for form in own.values()),
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
        graded=message.low < BIT.low or message.high > BIT.high,
        largest_message=message.magnitude,
    )


def _bits(form: Number) -> int:
    """Bits that hold every number of the form."""
    return max(form.high, -form.low - 1).bit_length() + (form.low < 0)


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
