"""One time step of the integer network as an ONNX graph: the body of the model's `Scan`.

Its state holds all layers side by side, the readout last, as columns 0..M-1: the registers (membranes, then
accumulators) and the spike histories; and the event counters. The readout is a layer whose decay keeps everything
(d = 0), whose threshold lies beyond every register and which nothing feeds back into, so most of a step is done for
all columns at once. Integer operators only; each `shift` and `decay` of docs/arithmetic.md is spelt with operators
whose rounding ONNX defines.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from asrc_core.contract.chain import SkipLayer
from asrc_core.contract.network import InputFormat, IntegerNetwork
from asrc_core.contract.numbers import DECAY_ONE, LINE_BITS, REGISTER_MAX, STATE_MAX, Ints
from asrc_export.onnx_model.nodes import Nodes, Port, value

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

COUNTED = ("spikes", "delivered", "saturations")
"""Events summed per sample and layer; `delivered` are the messages that a recurrent connection took in."""
UNREACHABLE = STATE_MAX + 1
"""A threshold above every saturated register."""


def step(network: IntegerNetwork, traces: Sequence[Port]) -> GraphProto:
    """One time step, the body of the Scan: (state, x[t]) -> (state, traces of step t)."""
    from onnx import helper

    g = Nodes("step_")
    layers, readout = network.layers, network.readout
    widths, word = widths_of(network), word_of(network)
    columns = sum(widths)

    recalled, messages = _recalled(g, network)
    messages_of = g.split(g.cast(messages, np.uint8), widths, "messages")
    biases = np.concatenate([*(layer.bias for layer in layers), readout.bias])
    rest_of = g.split(g("Add", _decayed(g, network), g.integers(biases)), widths, "rest")

    product = _entry(g, layers[0].feedforward, network.input)
    registers = []
    for i, layer in enumerate(layers):
        fed_back = _product(g, messages_of[i], layer.recurrent)
        registers.append(g("Add", rest_of[i], _drive(g, product, fed_back, layer)))
        # A saturated register is on the same side of the threshold, so the spikes need not wait for that.
        fired = g("GreaterOrEqual", registers[i], g.integers(layer.threshold))
        spikes = g.cast(fired, np.uint8, f"layer{i}_spikes")
        following = layers[i + 1].feedforward if i + 1 < len(layers) else readout.weight
        product = _product(g, spikes, following)
    registers.append(g("Add", rest_of[-1], _shifted(g, product, readout.exponent + 1)))

    before = g("Concat", *registers, axis=1)
    held = g("Clip", before, g.integers(-STATE_MAX), g.integers(STATE_MAX))
    fired = g("GreaterOrEqual", held, _thresholds(g, network))
    g("Where", fired, _spent(g, network, held), held, outputs=["next_registers"])
    older = g("BitShift", "last_histories", g.integers(1, word), direction="LEFT")
    g("BitwiseOr", older, g.cast(fired, word), outputs=["next_histories"])
    saturated = g("Not", g("Equal", before, held))
    events = g.cast(g("Concat", fired, recalled, saturated, axis=0), np.uint8)
    membership = np.repeat(np.eye(len(widths)), widths, axis=0)  # (M, L + 1): sums columns layer by layer
    tally = g("MatMulInteger", events, g.integers(membership, np.int8))
    g("Add", "last_counters", g.cast(tally, np.int64), outputs=["next_counters"])
    if traces:
        g.split(held, widths, [*(f"layer{i}_membrane" for i in range(len(layers))), "readout_accumulator"])

    def state(prefix: str) -> list[ValueInfoProto]:
        return [
            value((f"{prefix}registers", np.int32, columns), "B"),
            value((f"{prefix}histories", word, columns), "B"),
            value((f"{prefix}counters", np.int64, len(widths)), f"{len(COUNTED)}B"),
        ]

    x = value(("x_t", np.int32, network.input.channels), "B")
    outputs = [*state("next_"), *(value(port, "B") for port in traces)]
    return helper.make_graph(g.nodes, "step", [*state("last_"), x], outputs, g.initializers)


def widths_of(network: IntegerNetwork) -> list[int]:
    """Columns of each layer, and of the readout."""
    return [*(layer.neurons for layer in network.layers), network.readout.classes]


def word_of(network: IntegerNetwork) -> DTypeLike:
    """Type of a spike history: the delay line's word, or one that holds the synapses' longer delays."""
    return np.uint32 if max(layer.span for layer in network.layers) <= LINE_BITS else np.uint64


def traces_of(network: IntegerNetwork) -> list[Port]:
    """Outputs of the step that together are the trace."""
    ports: list[Port] = []
    for i, layer in enumerate(network.layers):
        ports += [(f"layer{i}_spikes", np.uint8, layer.neurons), (f"layer{i}_membrane", np.int32, layer.neurons)]
    return [*ports, ("readout_accumulator", np.int32, network.readout.classes)]


def _recalled(g: Nodes, network: IntegerNetwork) -> tuple[str, str]:
    """Whether anything comes back to a neuron, and what: r[t] of every column, as bool and as a number up to 127.

    The first tap of all layers is read at once, then the second, and so on; where a layer has none, no bit is set.
    """
    heard = [layer.heard for layer in network.layers]
    bits, messages = [], ""
    for j in range(max(map(len, heard))):
        # Bit span - 1 of the history that step t - 1 left is s[t - span].
        bit = _per_column(network, [1 << (taps[j].span - 1) if j < len(taps) else 0 for taps in heard], 0)
        bits.append(g.cast(g("BitwiseAnd", "last_histories", g.integers(bit, word_of(network))), np.bool_))
    if len(bits) == 1:
        return bits[0], bits[0]
    for j, bit_set in enumerate(bits):
        weight = _per_column(network, [taps[j].weight if j < len(taps) else 0 for taps in heard], 0)
        part = g("Mul", g.cast(bit_set, np.int32), g.integers(weight))
        messages = g("Add", messages, part) if messages else part
    return g.cast(messages, np.bool_), messages


def _decayed(g: Nodes, network: IntegerNetwork) -> str:
    """decay(v, d) of every column, k / D being (4096 - d) / 4096 in the lowest terms that all columns share.

    An integer `Div` rounds toward zero, and so does the contract. Where v k leaves 32 bits, v = D high + low, both of
    v's sign, gives v k / D = high k + low k / D, whose first term is an integer and rounds nothing.
    """
    kept = _per_column(network, [DECAY_ONE - layer.decay for layer in network.layers], DECAY_ONE)
    common = gcd(*kept.tolist())
    numerator, denominator = kept // common, DECAY_ONE // common
    k = g.integers(numerator)
    if denominator == 1:
        return g("Mul", "last_registers", k)
    D = g.integers(denominator)
    if numerator.max() * STATE_MAX <= REGISTER_MAX:
        return g("Div", g("Mul", "last_registers", k), D)
    high = g("Div", "last_registers", D)
    low = g("Sub", "last_registers", g("Mul", high, D))
    return g("Add", g("Mul", high, k), g("Div", g("Mul", low, k), D))


def _entry(g: Nodes, weights: Ints, entry: InputFormat) -> str:
    """W x[t] / 2 of the first layer, whose graded input may need more than 8 bits."""
    if entry.minimum >= 0 and entry.maximum <= 127:
        # Not 255: x86 kernels add pairs of 8-bit products in 16 bits, and two of 255 * -128 would saturate there.
        return _product(g, g.cast("x_t", np.uint8), weights)
    # The contract bounds every partial sum, so 32 bits hold it in whatever order it is formed.
    return g("MatMul", "x_t", g.integers(_half(weights).T))


def _product(g: Nodes, spikes: str, weights: Ints) -> str:
    """W s / 2: half of an even weight in [-256, 254] is a signed byte, and messages end at 127, as `_entry` demands."""
    return g("MatMulInteger", spikes, g.integers(_half(weights).T, np.int8))


def _half(weights: Ints) -> Ints:
    return weights >> 1


def _drive(g: Nodes, feedforward: str, recurrent: str, layer: SkipLayer) -> str:
    """(shift(W x, e_ff) + shift(U r, e_rec)) 2^h from halved products, hence exponents one higher."""
    e_ff, e_rec = layer.feedforward_exponent + 1, layer.recurrent_exponent + 1
    common = max(0, min(e_ff, e_rec))  # left shifts that both share are done once, on the sum
    both = g("Add", _shifted(g, feedforward, e_ff - common), _shifted(g, recurrent, e_rec - common))
    return _shifted(g, both, common + layer.activation_shift)


def _shifted(g: Nodes, a: str, exponent: int) -> str:
    """shift(a, e): with the low bits cleared first, the division is exact and its rounding plays no part."""
    if exponent > 0:
        # Beyond 30 bits the product fits a valid network's registers only if a is 0, whatever the factor.
        return g("Mul", a, g.integers(2 ** min(exponent, 30)))
    if exponent < 0:
        return g("Div", g("BitwiseAnd", a, g.integers(-(2**-exponent))), g.integers(2**-exponent))
    return a


def _thresholds(g: Nodes, network: IntegerNetwork) -> str:
    return g.integers(_per_column(network, [layer.threshold for layer in network.layers], UNREACHABLE))


def _spent(g: Nodes, network: IntegerNetwork, held: str) -> str:
    """Registers after a spike: u - theta with soft reset, 0 with hard reset."""
    left = g("Sub", held, _thresholds(g, network))
    soft = [int(layer.reset == "soft") for layer in network.layers]
    return left if all(soft) else g("Mul", left, g.integers(_per_column(network, soft, 0)))


def _per_column(network: IntegerNetwork, of_layers: Sequence[int], of_readout: int) -> Ints:
    """One value for each layer and for the readout, repeated over their columns."""
    return np.repeat(np.array([*of_layers, of_readout], np.int64), widths_of(network))
