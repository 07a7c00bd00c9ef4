"""The integer network: frozen data, and the checks that make it valid under docs/arithmetic.md."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asrc_core.contract.arithmetic import (
    DECAY_ONE,
    MAX_MESSAGE,
    MAX_SPAN,
    MAX_TAPS,
    REGISTER_MAX,
    STATE_MAX,
    Ints,
    Mapping,
    Reset,
    Tap,
    shift,
)
from asrc_core.contract.grid import WeightGrid
from asrc_core.contract.ranges import Range, membrane_bounds, product_bounds, shifted, spread
from asrc_core.errors import InvalidNetwork, SpanTooLong

MAX_EXPONENT = 16
MAX_ACTIVATION_SHIFT = 16


@dataclass(frozen=True)
class InputFormat:
    """What the first layer takes: (channels,) integers in [minimum, maximum]; their real value is x * scale."""

    channels: int
    minimum: int
    maximum: int
    scale: float


@dataclass(frozen=True, eq=False)
class SkipLayer:
    """One skip-recurrent layer of N neurons with I inputs.

    u[t] = saturate(decay(v[t-1], d) + ((shift(W x[t], e_ff) + shift(U r[t], e_rec)) << h) + b);
    s[t] = u[t] >= theta; v[t] = u[t] - theta s[t] (soft reset) or u[t] (1 - s[t]) (hard reset).

    r[t] = s[t-span], or with ``taps``, of which ``span`` is the longest, r[t] = sum_j weight_j s[t-span_j].
    ``scale`` is the number of integer units in one unit of the float membrane (information, not arithmetic).
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

    @property
    def heard(self) -> tuple[Tap, ...]:
        """The taps; of a layer with one span, that span once."""
        return self.taps or (Tap(self.span, 1),)

    @property
    def largest_message(self) -> int:
        """Greatest entry of r: the sum of the taps' weights, 1 where plain spikes come back."""
        return sum(tap.weight for tap in self.heard)

    @property
    def neurons(self) -> int:
        """N."""
        return int(self.feedforward.shape[0])

    @property
    def inputs(self) -> int:
        """I, the fan-in of the feed-forward connection."""
        return int(self.feedforward.shape[1])


@dataclass(frozen=True, eq=False)
class Readout:
    """The accumulator over time: y[t] = saturate(y[t-1] + shift(W_o s[t], e_o) + b_o)."""

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


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A whole network in the integers of the contract; ``validated`` says how one comes to be trusted.

    ``steps`` is the sample length T that it was exported for: engines take other lengths, the readout's
    bound is proven for this one. ``permutation``, if any, is the order in which a sample's steps are fed.
    ``provenance`` is JSON-like information (data set, seed, versions, hashes) that no arithmetic depends on.
    """

    input: InputFormat
    layers: tuple[SkipLayer, ...]
    readout: Readout
    mapping: Mapping
    target: str
    steps: int
    permutation: Ints | None = None
    provenance: MappingOf[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the layers and, last, of the readout."""
        return [*(layer.name for layer in self.layers), self.readout.name]

    @property
    def synapses(self) -> int:
        """Stored weights of all connections."""
        return sum(layer.feedforward.size + layer.recurrent.size for layer in self.layers) + self.readout.weight.size


def contract_version(layers: Sequence[SkipLayer]) -> int:
    """The earliest version of docs/arithmetic.md by which the layers mean what they mean: files state it."""
    return 2 if any(layer.taps for layer in layers) else 1


@dataclass(frozen=True)
class LayerRanges:
    """Worst-case ranges in one layer, or in the readout (which has no recurrent part)."""

    name: str
    feedforward: Range  # a_ff, after the exponent
    recurrent: Range | None
    state: Range  # u before saturation; of the readout, y after T steps if it did not saturate
    registers: MappingOf[str, Range]
    """The other sums that an engine keeps, whatever the order in which it adds."""

    def widest(self) -> tuple[str, int]:
        """The register with the largest magnitude, and that magnitude."""
        kept = {"a_ff": self.feedforward, **self.registers}
        if self.recurrent is not None:
            kept |= {"a_rec": self.recurrent, "u": self.state}
        name = max(kept, key=lambda each: kept[each].magnitude)
        return name, kept[name].magnitude


def worst_case(network: IntegerNetwork) -> list[LayerRanges]:
    """Range of every accumulator over all inputs in the stated range: layers first, readout last."""
    graded, binary = (network.input.minimum, network.input.maximum), (0, 1)
    layers = [layer_ranges(layer, *(binary if i else graded)) for i, layer in enumerate(network.layers)]
    return [*layers, readout_ranges(network.readout, binary, network.steps)]


def validate(network: IntegerNetwork) -> IntegerNetwork:
    """Return the network if it obeys the contract.

    Raises InvalidNetwork (shapes, formats, exponents, 32-bit bound) or SpanTooLong, naming the layer.
    """
    if not network.layers:
        raise InvalidNetwork("layers", "there are none")
    if network.mapping not in MAX_SPAN:
        raise InvalidNetwork("mapping", f"'{network.mapping}' is neither of {', '.join(MAX_SPAN)}")
    _within("steps", "T", network.steps, 1, 2**31 - 1)
    entry = network.input
    for end, value in (("minimum", entry.minimum), ("maximum", entry.maximum)):
        _within("input", end, value, -STATE_MAX, STATE_MAX)
    if entry.minimum > entry.maximum:
        raise InvalidNetwork("input", f"minimum {entry.minimum} exceeds maximum {entry.maximum}")
    fan_in, source = entry.channels, "the input's channels"
    for layer in network.layers:
        _check_layer(layer, fan_in, source, network.mapping)
        fan_in, source = layer.neurons, f"the neurons of '{layer.name}'"
    _check_readout(network.readout, fan_in, source)
    if network.permutation is not None:
        order = network.permutation
        if order.shape != (network.steps,) or not np.array_equal(np.sort(order), np.arange(network.steps)):
            raise InvalidNetwork("permutation", f"it is not an order of the {network.steps} steps")
    for ranges in worst_case(network):
        quantity, reach = ranges.widest()
        if reach > REGISTER_MAX:
            raise InvalidNetwork(ranges.name, f"{quantity} could reach {reach}, beyond 32 bits signed")
    return network


def layer_ranges(layer: SkipLayer, low: int, high: int) -> LayerRanges:
    """Worst-case ranges of one layer whose inputs lie in [low, high]."""
    product = product_bounds(layer.feedforward, low, high)
    fed_back = product_bounds(layer.recurrent, 0, layer.largest_message)
    a_ff = shifted(product, layer.feedforward_exponent)
    a_rec = shifted(fed_back, layer.recurrent_exponent)
    both = (shift(a_ff[0] + a_rec[0], layer.activation_shift), shift(a_ff[1] + a_rec[1], layer.activation_shift))
    u = membrane_bounds(
        both[0] + layer.bias,
        both[1] + layer.bias,
        decay_constant=layer.decay,
        threshold=layer.threshold,
        reset=layer.reset,
    )
    registers = {
        "W x": spread(product),
        "U r": spread(fed_back),
        "decay(v) + ((a_ff + a_rec) << h) + b": spread((both[0] - 2 * STATE_MAX, both[1] + 2 * STATE_MAX)),
    }
    return LayerRanges(layer.name, spread(a_ff), spread(a_rec), spread(u), registers)


def readout_ranges(readout: Readout, inputs: tuple[int, int], steps: int) -> LayerRanges:
    """Worst-case ranges of the readout after ``steps`` steps of inputs in the range."""
    product = product_bounds(readout.weight, *inputs)
    a = shifted(product, readout.exponent)
    each = (a[0] + readout.bias, a[1] + readout.bias)
    y = spread((np.minimum(each[0], 0) * steps, np.maximum(each[1], 0) * steps))
    # An engine may have to hold one step on top of a saturated accumulator, whatever the sample's length.
    held = Range(-STATE_MAX + min(0, int(each[0].min())), STATE_MAX + max(0, int(each[1].max())))
    return LayerRanges(readout.name, spread(a), None, y, {"W_o s": spread(product), "y + shift(W_o s, e_o) + b": held})


def _check_layer(layer: SkipLayer, fan_in: int, source: str, mapping: Mapping) -> None:
    at = f"layer '{layer.name}'"
    _check_weights(at, "feedforward", layer.feedforward, (layer.neurons, fan_in), source, layer.weight_bits)
    _check_weights(
        at, "recurrent", layer.recurrent, (layer.neurons, layer.neurons), "the layer's neurons", layer.weight_bits
    )
    _check_bias(at, layer.bias, layer.neurons)
    _within(at, "feedforward exponent", layer.feedforward_exponent, -MAX_EXPONENT, MAX_EXPONENT)
    _within(at, "recurrent exponent", layer.recurrent_exponent, -MAX_EXPONENT, MAX_EXPONENT)
    _within(at, "activation shift", layer.activation_shift, 0, MAX_ACTIVATION_SHIFT)
    _within(at, "decay", layer.decay, 0, DECAY_ONE)
    _within(at, "threshold", layer.threshold, 1, STATE_MAX)
    if layer.reset not in ("soft", "hard"):
        raise InvalidNetwork(at, f"reset '{layer.reset}' is neither soft nor hard")
    if layer.span < 1:
        raise InvalidNetwork(at, f"span {layer.span} is below 1")
    check_span(layer.name, layer.span, mapping)
    if layer.taps:
        _check_taps(at, layer, mapping)


def _check_taps(at: str, layer: SkipLayer, mapping: Mapping) -> None:
    spans, weights = zip(*layer.taps, strict=True)
    if not 2 <= len(spans) <= MAX_TAPS:
        raise InvalidNetwork(at, f"it has {len(spans)} tap(s) instead of none or 2 to {MAX_TAPS}")
    if mapping != "delay-line":
        raise InvalidNetwork(at, f"it taps a delay line {len(spans)} times, which the {mapping} mapping does not have")
    if spans[0] < 1 or list(spans) != sorted(set(spans)):
        raise InvalidNetwork(at, f"its taps' spans {_listed(spans)} do not ascend from 1 or more")
    if spans[-1] != layer.span:
        raise InvalidNetwork(at, f"its longest tap has span {spans[-1]} and the layer says {layer.span}")
    if min(weights) < 1 or sum(weights) > MAX_MESSAGE:
        why = f"its taps' weights {_listed(weights)} are not all positive with a sum of at most {MAX_MESSAGE}"
        raise InvalidNetwork(at, why)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def check_span(layer: str, span: int, mapping: Mapping) -> None:
    """Raise SpanTooLong if the mapping cannot reach back ``span`` steps."""
    if span > MAX_SPAN[mapping]:
        way_out = (
            f"use `mapping='synaptic-delay'` (up to {MAX_SPAN['synaptic-delay']})"
            if mapping == "delay-line" and span <= MAX_SPAN["synaptic-delay"]
            else f"train with `kernel_length={MAX_SPAN[mapping]}` or less"
        )
        raise SpanTooLong(layer, span, MAX_SPAN[mapping], mapping, way_out)


def _check_readout(readout: Readout, fan_in: int, source: str) -> None:
    at = f"readout '{readout.name}'"
    _check_weights(at, "weight", readout.weight, (readout.classes, fan_in), source, readout.weight_bits)
    _check_bias(at, readout.bias, readout.classes)
    _within(at, "exponent", readout.exponent, -MAX_EXPONENT, MAX_EXPONENT)


def _check_weights(at: str, name: str, weights: Ints, shape: tuple[int, int], source: str, bits: int) -> None:
    if weights.ndim != 2 or 0 in weights.shape:
        raise InvalidNetwork(at, f"{name} weights have shape {weights.shape}, not two dimensions of at least 1")
    if weights.shape != shape:
        raise InvalidNetwork(at, f"{name} weights have shape {weights.shape}, which does not fit {source} ({shape})")
    _within(at, "weight bits", bits, 2, 8)
    off = WeightGrid(bits).count_off(weights)
    if off:
        raise InvalidNetwork(at, f"{off} {name} weight(s) are not on the {bits}-bit grid")


def _check_bias(at: str, bias: Ints, neurons: int) -> None:
    if bias.shape != (neurons,):
        raise InvalidNetwork(at, f"bias has shape {bias.shape}, expected ({neurons},)")
    if int(np.abs(bias).max()) > STATE_MAX:
        raise InvalidNetwork(at, f"a bias exceeds {STATE_MAX}")


def _within(at: str, name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidNetwork(at, f"{name} {value} is outside {low} to {high}")
