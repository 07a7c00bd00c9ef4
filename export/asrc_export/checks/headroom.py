"""Every accumulator and membrane: how far it can get, how far it got on data, and what is left to its limit in bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import product, recalled, shift
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import REGISTER_MAX, STATE_MAX, Ints
from asrc_core.contract.ranges import Range, headroom_bits
from asrc_core.contract.result import Result, checked_input

FEEDFORWARD, RECURRENT, SYNAPTIC = "feed-forward sum", "recurrent sum", "synaptic accumulator"


@dataclass(frozen=True)
class Headroom:
    """One quantity of a layer: the limit it must keep to, its worst case over all inputs, what was seen of it."""

    layer: str
    quantity: str
    limit: int
    worst: Range
    observed: Range | None

    @property
    def bits(self) -> float:
        """Bits left in the worst case; below 0 it can exceed the limit."""
        return headroom_bits(self.worst.magnitude, self.limit)

    @property
    def observed_bits(self) -> float | None:
        """Bits left by what was seen."""
        return None if self.observed is None else headroom_bits(self.observed.magnitude, self.limit)


def headroom(
    network: IntegerNetwork,
    x: NDArray[np.generic] | None = None,
    result: Result | None = None,
    *,
    accumulator_bits: int | None = None,
) -> list[Headroom]:
    """All quantities of all layers, the readout last.

    x: samples (n, T, channels) and ``result``, what an engine made of them with a trace; without them, nothing is
    observed. Sums are those after the exponent, in registers of 32 bits signed; states saturate at 24. A target that
    adds both sums, shifted, in an accumulator of known width (sign included) gives that one a limit of its own.
    """
    seen: dict[tuple[str, str], Range] = {}
    if x is not None and result is not None:
        seen = dict(_observed(network, x, result))
    rows = []
    for i, ranges in enumerate(network.ranges):
        quantities = {FEEDFORWARD: (REGISTER_MAX, ranges.feedforward)}
        if ranges.recurrent is None:
            quantities["accumulator"] = STATE_MAX, ranges.state
        else:
            quantities[RECURRENT] = REGISTER_MAX, ranges.recurrent
            if accumulator_bits is not None:
                ends = (getattr(ranges.feedforward, end) + getattr(ranges.recurrent, end) for end in ("low", "high"))
                both = Range(*(end << network.layers[i].activation_shift for end in ends))
                quantities[SYNAPTIC] = 2 ** (accumulator_bits - 1) - 1, both
            quantities["membrane"] = STATE_MAX, ranges.state
        rows += [
            Headroom(ranges.name, name, limit, worst, seen.get((ranges.name, name)))
            for name, (limit, worst) in quantities.items()
        ]
    return rows


def _observed(
    network: IntegerNetwork, x: NDArray[np.generic], result: Result
) -> Iterator[tuple[tuple[str, str], Range]]:
    assert result.trace is not None
    fed: NDArray[np.generic] = checked_input(network, x).transpose(1, 0, 2)
    for layer, trace in zip(network.layers, result.trace.layers, strict=True):
        extents = [
            (_extent(a_ff), _extent(a_rec), _extent((a_ff + a_rec) << layer.activation_shift))
            for a_ff, a_rec in zip(
                _sums(fed, layer.feedforward, layer.feedforward_exponent),
                _sums(recalled(trace.spikes, layer.heard, np.uint8), layer.recurrent, layer.recurrent_exponent),
                strict=True,
            )
        ]
        for name, each in zip((FEEDFORWARD, RECURRENT, SYNAPTIC), zip(*extents, strict=True), strict=True):
            yield (layer.name, name), _union(each)
        yield (layer.name, "membrane"), _extent(trace.membrane)
        fed = trace.spikes
    out = network.readout
    yield (out.name, FEEDFORWARD), _union([_extent(a) for a in _sums(fed, out.weight, out.exponent)])
    yield (out.name, "accumulator"), _extent(result.trace.readout)


def _sums(x: NDArray[np.generic], weights: Ints, exponent: int) -> Iterator[Ints]:
    """shift(W x[t], e), (B, N), step by step."""
    w = weights.T.astype(np.float64)
    return (shift(product(x_t, w), exponent) for x_t in x)


def _extent(values: NDArray[np.generic]) -> Range:
    return Range(int(values.min()), int(values.max()))


def _union(parts: Sequence[Range]) -> Range:
    return Range(min(each.low for each in parts), max(each.high for each in parts))
