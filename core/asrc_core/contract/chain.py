"""The networks of versions 1 and 2: a chain of skip-recurrent LIF layers and a plain readout.

It is what today's float networks become, what the native engine's own loops run, and what older files hold. A chain is
another way to write down an `IntegerNetwork`, and can be had from one that has this form.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import DECAY_ONE, Fires, Ints, Mapping, Reset
from asrc_core.contract.synapses.connection import INPUT, NOW, Connection, Tap, span
from asrc_core.errors import InvalidNetwork, InvalidSetting


@dataclass(frozen=True, eq=False)
class SkipLayer:
    """One skip-recurrent layer of N LIF neurons with I inputs: the kind `lif` on two connections, from what stands
    before with a lag of 0 and from itself with ``span`` or ``taps`` (of which ``span`` is the longest).
    """

    name: str
    feedforward: Ints  # W, (N, I), on the grid of weight_bits
    feedforward_exponent: int
    recurrent: Ints  # U, (N, N), likewise
    recurrent_exponent: int
    bias: Ints  # b, (N,)
    decay: int  # d, in 1/4096
    threshold: int
    span: int
    reset: Reset
    activation_shift: int
    weight_bits: int
    scale: float
    taps: tuple[Tap, ...] = ()  # none, or at least two in the order of their spans
    fires: Fires = "at"

    @property
    def all_taps(self) -> tuple[Tap, ...]:
        """The taps; of a layer with one span, that span once."""
        return self.taps or span(self.span)

    @property
    def largest_message(self) -> int:
        """Greatest entry of r: the sum of the taps' weights, 1 where plain spikes come back."""
        return sum(tap.weight for tap in self.all_taps)

    @property
    def least_spike(self) -> int:
        """The least membrane that fires: theta, or one more if the layer fires above it."""
        return self.threshold + (self.fires == "above")

    @property
    def neurons(self) -> int:
        """N."""
        return int(self.feedforward.shape[0])

    @property
    def inputs(self) -> int:
        """I, the fan-in of the feed-forward connection."""
        return int(self.feedforward.shape[1])

    def layer(self, source: str, mapping: Mapping) -> Layer:
        """The same as a layer of the contract. Raises InvalidNetwork if the span is not that of the longest tap."""
        if self.taps and self.taps[-1].span != self.span:
            why = f"its longest tap has span {self.taps[-1].span} and the layer says {self.span}"
            raise InvalidNetwork(f"layer '{self.name}'", why)
        if len(self.taps) == 1:
            raise InvalidNetwork(f"layer '{self.name}'", "it has 1 tap instead of none or 2 to 8")
        forward = Connection(source, self.feedforward, self.feedforward_exponent, self.weight_bits, NOW, None, mapping)
        back = Connection(
            self.name, self.recurrent, self.recurrent_exponent, self.weight_bits, self.all_taps, None, mapping
        )
        parameters = {
            "bias": self.bias,
            "decay": self.decay,
            "threshold": self.threshold,
            "activation_shift": self.activation_shift,
            "reset": self.reset,
            "fires": self.fires,
        }
        return Layer(self.name, (forward, back), Neuron("lif", parameters), self.scale)


@dataclass(frozen=True, eq=False)
class Readout:
    """The accumulator over time, y[t] = saturate(y[t-1] + shift(W_o s[t], e_o) + b_o): the kind `integrator`."""

    name: str
    weight: Ints  # W_o, (C, N)
    exponent: int
    bias: Ints  # b_o, (C,)
    weight_bits: int
    scale: float

    @property
    def classes(self) -> int:
        """C."""
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        """N of the last layer."""
        return int(self.weight.shape[1])

    def layer(self, source: str, mapping: Mapping) -> Layer:
        """The same as a layer of the contract."""
        connection = Connection(source, self.weight, self.exponent, self.weight_bits, NOW, None, mapping)
        return Layer(self.name, (connection,), Neuron("integrator", {"bias": self.bias}), self.scale)


@dataclass(frozen=True, eq=False)
class Chain:
    """Skip-recurrent layers one after the other, then a readout; fields as in `IntegerNetwork`."""

    input: InputFormat
    layers: tuple[SkipLayer, ...]
    readout: Readout
    mapping: Mapping
    target: str
    steps: int
    permutation: Ints | None = None
    provenance: MappingOf[str, Any] = field(default_factory=dict)

    def network(self) -> IntegerNetwork:
        """The network. Raises InvalidNetwork, SpanTooLong."""
        if not self.layers:
            raise InvalidNetwork("layers", "there are none")
        sources = [INPUT, *(layer.name for layer in self.layers)]
        parts: list[SkipLayer | Readout] = [*self.layers, self.readout]
        layers = tuple(part.layer(source, self.mapping) for part, source in zip(parts, sources, strict=True))
        return IntegerNetwork(self.input, layers, self.target, self.steps, self.permutation, self.provenance)


def chain(network: IntegerNetwork) -> Chain:
    """The network as a chain. Raises InvalidNetwork, saying what of it a chain has not."""
    if not isinstance(network, IntegerNetwork):
        raise InvalidSetting("network", f"it is a {type(network).__name__}; give an IntegerNetwork")
    why = why_no_chain(network)
    if why is not None:
        raise InvalidNetwork(*why)
    *hidden, last = network.layers
    mapping = hidden[0].connections[1].mapping
    readout = Readout(
        name=last.name,
        weight=last.connections[0].weights,
        exponent=last.connections[0].exponent,
        bias=_each(last, "bias"),
        weight_bits=last.connections[0].weight_bits,
        scale=last.scale,
    )
    return Chain(
        input=network.input,
        layers=tuple(_skip_layer(layer) for layer in hidden),
        readout=readout,
        mapping=mapping,
        target=network.target,
        steps=network.steps,
        permutation=network.permutation,
        provenance=network.provenance,
    )


def why_no_chain(network: IntegerNetwork) -> tuple[str, str] | None:
    """Where and why the network is no chain of skip-recurrent LIF layers with a plain readout; None if it is one."""
    *hidden, last = network.layers
    if not hidden:
        return "layers", "there is only a readout"
    sources = [INPUT, *(layer.name for layer in hidden)]
    for layer, source in zip(hidden, sources, strict=False):
        why = _why_no_skip_layer(layer, source)
        if why is not None:
            return f"layer '{layer.name}'", why
    if len({layer.connections[1].mapping for layer in hidden}) > 1:
        return "layers", "they do not all have the same mapping"
    why = _why_no_readout(last, sources[-1])
    return None if why is None else (f"readout '{last.name}'", why)


def _why_no_skip_layer(layer: Layer, source: str) -> str | None:
    p = layer.neuron.parameters
    if layer.neuron.kind != "lif":
        return f"its neurons are of kind '{layer.neuron.kind}', not 'lif'"
    for name in ("decay", "threshold", "activation_shift"):
        if np.ndim(p[name]):
            return f"its neurons differ in {name}"
    if [each.source for each in layer.connections] != [source, layer.name]:
        return f"its connections are not one from '{source}' and one from itself"
    forward, back = layer.connections
    if forward.delays is not None or forward.taps != NOW:
        return f"its connection from '{source}' has lags"
    if back.delays is not None:
        return "its recurrent connection has a delay for each synapse"
    if forward.weight_bits != back.weight_bits:
        return "its connections differ in weight bits"
    return None


def _why_no_readout(last: Layer, source: str) -> str | None:
    p = last.neuron.parameters
    plain = {"decay": 0, "current_decay": DECAY_ONE, "activation_shift": 0, "time_weights": None, "current_bias": 0}
    if last.neuron.kind != "integrator":
        return f"it is of kind '{last.neuron.kind}', not 'integrator'"
    for name, value in plain.items():
        if np.ndim(p[name]) or p[name] != value:
            return f"it is not a plain sum: its {name} is not {value}"
    if [each.source for each in last.connections] != [source]:
        return f"its connections are not one from '{source}'"
    if last.connections[0].delays is not None or last.connections[0].taps != NOW:
        return f"its connection from '{source}' has lags"
    return None


def _skip_layer(layer: Layer) -> SkipLayer:
    forward, back = layer.connections
    p = layer.neuron.parameters
    return SkipLayer(
        name=layer.name,
        feedforward=forward.weights,
        feedforward_exponent=forward.exponent,
        recurrent=back.weights,
        recurrent_exponent=back.exponent,
        bias=_each(layer, "bias"),
        decay=p["decay"],
        threshold=p["threshold"],
        span=back.longest_lag,
        reset=p["reset"],
        activation_shift=p["activation_shift"],
        weight_bits=forward.weight_bits,
        scale=layer.scale,
        taps=back.taps if len(back.taps) > 1 else (),
        fires=p["fires"],
    )


def _each(layer: Layer, name: str) -> Ints:
    """A parameter as one number for each neuron."""
    values: Ints = np.broadcast_to(np.asarray(layer.neuron.parameters[name], np.int64), (layer.neurons,))
    return values
