"""The integer network: layers of neurons, each with its connections; frozen, and validated once, when it is made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from asrc_core import html
from asrc_core.contract import neurons
from asrc_core.contract.neurons.kind import Kind, Parameters, States
from asrc_core.contract.numbers import MAX_MESSAGE, MAX_NAME, MAX_NEURONS, MAX_STATE_BITS, STATE_MAX, WORD, Ints
from asrc_core.contract.proof import LayerRanges, layer_ranges, says
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses import connection as connections
from asrc_core.contract.synapses.connection import INPUT, Connection, number, of_type, whole, whole_numbers, within
from asrc_core.counts import plural
from asrc_core.errors import InvalidNetwork


@dataclass(frozen=True)
class InputFormat:
    """What the input sends: (channels,) integers in [minimum, maximum]; their real value is x * scale.

    Raises InvalidNetwork for numbers that are not whole.
    """

    channels: int
    minimum: int
    maximum: int
    scale: float

    def __post_init__(self) -> None:
        for name in ("channels", "minimum", "maximum"):
            object.__setattr__(self, name, whole("input", name, getattr(self, name)))
        number("input", "scale", self.scale)

    @property
    def range(self) -> Range:
        """From minimum to maximum."""
        return Range(self.minimum, self.maximum)


@dataclass(frozen=True, eq=False)
class Neuron:
    """What the neurons of a layer compute: a kind, and its parameters, each a number or one for each neuron."""

    kind: str
    parameters: Parameters

    @property
    def of_kind(self) -> Kind:
        """The kind. Raises UnknownName, or InvalidSetting for a file that does not load."""
        return neurons.kind(self.kind)

    @property
    def states(self) -> States:
        """Width of every state in bits."""
        return self.of_kind.states_of(self.parameters)

    @property
    def sends(self) -> Range | None:
        """Range of what a neuron sends; None of a readout, which sends nothing."""
        sent = self.of_kind.sends
        return None if sent is None else Range(*sent)


@dataclass(frozen=True, eq=False)
class Layer:
    """N neurons of one kind, and the connections that lead to them; the sum of these drives them.

    ``scale`` is the number of integer units in one unit of the float membrane (information, not arithmetic).
    """

    name: str
    connections: tuple[Connection, ...]
    neuron: Neuron
    scale: float = 1.0

    @property
    def neurons(self) -> int:
        """N."""
        return self.connections[0].neurons

    @property
    def synapses(self) -> int:
        """Stored weights of all its connections."""
        return sum(each.weights.size for each in self.connections)


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A whole network in the integers of the contract (docs/arithmetic.md).

    ``layers`` are computed in order at every step, the readout last: it alone sends nothing, and what it shows at a
    sample's last step are the logits. ``steps`` is the sample length T that it was made for: engines take others, and a
    readout's bound without saturation is for this one. ``permutation``, if any, is the order in which a
    sample's steps are fed. ``provenance`` is JSON-like information that no arithmetic depends on.

    Raises InvalidNetwork (shapes, formats, circles without delay, registers beyond their width) or SpanTooLong, naming
    the layer: a network that exists is valid, and every register of every engine is wide enough.
    """

    input: InputFormat
    layers: tuple[Layer, ...]
    target: str
    steps: int
    permutation: Ints | None = None
    provenance: MappingOf[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_types(self)
        object.__setattr__(self, "steps", whole("steps", "T", self.steps))
        if self.permutation is not None:
            object.__setattr__(self, "permutation", whole_numbers("permutation", "its steps", self.permutation))
        _check_frame(self)
        layers = tuple(_checked(self, i) for i in range(len(self.layers)))
        object.__setattr__(self, "layers", layers)
        _ = self.ranges  # proven now, or refused

    def __repr__(self) -> str:
        widths = " -> ".join(map(str, (self.input.channels, *(layer.neurons for layer in self.layers))))
        return (
            f"IntegerNetwork({widths}, {self.target}, {plural(self.steps, 'step')}, {plural(self.synapses, 'synapse')})"
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                layer.name,
                layer.neuron.kind,
                layer.neurons,
                ", ".join(each.source for each in layer.connections),
                max(each.longest_lag for each in layer.connections),
                ", ".join(dict.fromkeys(str(each.weight_bits) for each in layer.connections)),
                layer.synapses,
            )
            for layer in self.layers
        ]
        return html.table(repr(self), ("layer", "kind", "neurons", "from", "longest lag", "bits", "synapses"), rows)

    @cached_property
    def ranges(self) -> tuple[LayerRanges, ...]:
        """Worst-case range of every accumulator over all inputs in the stated range, for each layer."""
        return tuple(
            layer_ranges(layer, [self.sent(each.source) for each in layer.connections], self.sources(i), self.steps)
            for i, layer in enumerate(self.layers)
        )

    @property
    def readout(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """All layers but the readout."""
        return self.layers[:-1]

    @property
    def classes(self) -> int:
        """C, the readout's neurons."""
        return self.readout.neurons

    @property
    def names(self) -> list[str]:
        """Names of the layers, the readout last."""
        return [layer.name for layer in self.layers]

    @property
    def synapses(self) -> int:
        """Stored weights of all connections."""
        return sum(layer.synapses for layer in self.layers)

    def place(self, source: str) -> int:
        """Place of a source in the order of computation: -1 is the input, 0 the first layer."""
        return self._places[source]

    def has(self, source: str) -> bool:
        """Whether there is such a source: the input, or a layer."""
        return source in self._places

    @cached_property
    def _places(self) -> dict[str, int]:
        """Kept, since every connection asks: a file may have very many."""
        return {INPUT: -1, **{layer.name: i for i, layer in enumerate(self.layers)}}

    def sent(self, source: str) -> Range:
        """Range of what a source sends."""
        if source == INPUT:
            return self.input.range
        sent = self.layers[self.place(source)].neuron.sends
        assert sent is not None, "checked when the network was made"
        return sent

    def sources(self, layer: int) -> list[str]:
        """What each connection of a layer is to it: "before" it, "self", or "after" it in the order of computation."""
        places = [self.place(each.source) for each in self.layers[layer].connections]
        return ["before" if place < layer else "self" if place == layer else "after" for place in places]

    def is_recurrent(self, layer: int, connection: int) -> bool:
        """Whether a connection comes from the layer itself or from a later one."""
        return self.place(self.layers[layer].connections[connection].source) >= layer


def _check_types(network: IntegerNetwork) -> None:
    """That every part is what it should be, so that nothing below meets anything else."""
    of_type("input", "it", network.input, InputFormat)
    of_type("target", "its name", network.target, str)
    of_type("provenance", "it", network.provenance, MappingOf)
    of_type("layers", "they", network.layers, tuple | list)
    for place, layer in enumerate(network.layers):
        at = f"layer {place}"
        of_type(at, "it", layer, Layer)
        of_type(at, "its name", layer.name, str)
        of_type(at, "its neuron", layer.neuron, Neuron)
        of_type(at, "its neuron's kind", layer.neuron.kind, str)
        of_type(at, "its neuron's parameters", layer.neuron.parameters, MappingOf)
        of_type(at, "its connections", layer.connections, tuple | list)
        number(at, "scale", layer.scale)
        for each in layer.connections:
            of_type(at, "a connection", each, Connection)


def _check_frame(network: IntegerNetwork) -> None:
    """What stands around the layers, and how many there are."""
    if not network.layers:
        raise InvalidNetwork("layers", "there are none")
    within("steps", "T", network.steps, 1, 2**31 - 1)
    if not 1 <= len(network.target) <= MAX_NAME:
        raise InvalidNetwork("target", f"its name has {plural(len(network.target), 'letter')}, beyond 1 to {MAX_NAME}")
    _require_json(network.provenance)
    entry = network.input
    within("input", "channels", entry.channels, 1, 2**20)
    for end, value in (("minimum", entry.minimum), ("maximum", entry.maximum)):
        within("input", end, value, -STATE_MAX, STATE_MAX)
    for at, scale in (
        ("input", entry.scale),
        *((where(network, i), each.scale) for i, each in enumerate(network.layers)),
    ):
        if not 0 < scale < math.inf:
            raise InvalidNetwork(at, f"scale {scale} is not a finite number above 0")
    if entry.minimum > entry.maximum:
        raise InvalidNetwork("input", f"minimum {entry.minimum} exceeds maximum {entry.maximum}")
    for name in network.names:
        if not 1 <= len(name) <= MAX_NAME:
            raise InvalidNetwork(
                f"layer '{name[:MAX_NAME]}'", f"its name has {plural(len(name), 'letter')}, beyond 1 to {MAX_NAME}"
            )
    for name, times in Counter(network.names).items():
        if name == INPUT or times > 1:
            taken = "is the input's" if name == INPUT else "is taken twice"
            raise InvalidNetwork(f"layer '{name}'", f"its name {taken}")
    for place, layer in enumerate(network.layers):
        if not neurons.known(layer.neuron.kind):
            why = f"there is no kind of neuron '{layer.neuron.kind}', there are {', '.join(neurons.names())}"
            raise InvalidNetwork(where(network, place), why)
    if network.permutation is not None:
        order = network.permutation
        if order.shape != (network.steps,) or not np.array_equal(np.sort(order), np.arange(network.steps)):
            raise InvalidNetwork("permutation", f"it is not an order of the {plural(network.steps, 'step')}")


def _require_json(value: object) -> None:
    """Raise InvalidNetwork for what is no JSON, or would come back from a file as something else."""
    match value:
        case None | bool() | int():
            return
        case float() if math.isfinite(value):
            return
        case str() if value.isascii() or value == value.encode("utf-8", "replace").decode():
            return
        case MappingOf() if all(isinstance(key, str) for key in value):
            for key, each in value.items():
                _require_json(key)
                _require_json(each)
            return
        case list() | tuple():
            for each in value:
                _require_json(each)
            return
    raise InvalidNetwork("provenance", f"{value!r:.40} is nothing that JSON holds")


def _checked(network: IntegerNetwork, place: int) -> Layer:
    """The layer with its neurons' parameters checked and complete. Raises InvalidNetwork, SpanTooLong."""
    layer = network.layers[place]
    at, last = where(network, place), place == len(network.layers) - 1
    kind = layer.neuron.of_kind
    if last != (kind.sends is None):
        what = "is the last and has to integrate" if last else "is not the last and has to send something"
        raise InvalidNetwork(at, f"it {what}, which neurons of kind '{layer.neuron.kind}' do not")
    if kind.sends is not None and max(-kind.sends[0], kind.sends[1]) > MAX_MESSAGE:
        raise InvalidNetwork(at, f"its neurons send up to {max(-kind.sends[0], kind.sends[1])}, beyond {MAX_MESSAGE}")
    if not layer.connections:
        raise InvalidNetwork(at, "nothing is connected to it")
    count = _rows(layer)
    within(at, "neurons", count, 1, MAX_NEURONS)
    for each in layer.connections:
        _check_connection(network, place, each, count)
    parameters = kind.checked(at, layer.neuron.parameters, count)
    with says(at, layer, "states"):
        widths = kind.states_of(parameters)
        for name, width in widths.items():
            if width != WORD:
                within(at, f"the width of state '{name}'", int(width), 2, MAX_STATE_BITS)
    return Layer(layer.name, layer.connections, Neuron(layer.neuron.kind, parameters), layer.scale)


def _check_connection(network: IntegerNetwork, place: int, connection: Connection, count: int) -> None:
    layer = network.layers[place]
    at, source = where(network, place), connection.source
    if not network.has(source):
        known = ", ".join((INPUT, *network.names))
        raise InvalidNetwork(at, f"it has a connection from '{source}', which does not exist; there are {known}")
    from_place = network.place(source)
    sent: Range | None
    if from_place < 0:
        size, sent = network.input.channels, network.input.range
    else:
        other = network.layers[from_place]
        size, sent = _rows(other), other.neuron.sends
    connections.require(layer.name, connection, shape=(count, size), sent=sent, before=from_place < place)


def _rows(layer: Layer) -> int:
    """Neurons of a layer that may not be valid."""
    weights = layer.connections[0].weights if layer.connections else np.zeros(0)
    return int(weights.shape[0]) if weights.ndim else 0


def where(network: IntegerNetwork, place: int) -> str:
    """How errors name a layer."""
    return f"{'readout' if place == len(network.layers) - 1 else 'layer'} '{network.layers[place].name}'"
