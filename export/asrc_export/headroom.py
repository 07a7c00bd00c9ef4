"""Every accumulator and membrane: how far it can get, how far it got on data, and what is left to its limit in bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_export.arithmetic import REGISTER_MAX, STATE_MAX, shift
from asrc_export.network import IntegerNetwork, SkipLayer, worst_case
from asrc_export.ranges import Range, headroom_bits
from asrc_export.result import Result, checked_input


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
    network: IntegerNetwork, x: NDArray[np.generic] | None = None, result: Result | None = None
) -> list[Headroom]:
    """All quantities of all layers, the readout last.

    x: samples (n, T, channels) and ``result``, what an engine made of them with a trace; without them, nothing is
    observed. Sums are those after the exponent, in registers of 32 bits signed; states saturate at 24.
    """
    seen: dict[tuple[str, str], Range] = {}
    if x is not None and result is not None:
        seen = dict(_observed(network, x, result))
    rows = []
    for ranges in worst_case(network):
        of_readout = ranges.recurrent is None
        quantities = {"feed-forward sum": (REGISTER_MAX, ranges.feedforward)}
        if ranges.recurrent is not None:
            quantities["recurrent sum"] = REGISTER_MAX, ranges.recurrent
        quantities["accumulator" if of_readout else "membrane"] = STATE_MAX, ranges.state
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
        yield (layer.name, "feed-forward sum"), _of_sums(fed, layer.feedforward, layer.feedforward_exponent)
        heard = _heard(layer, trace.spikes)
        yield (layer.name, "recurrent sum"), _of_sums(heard, layer.recurrent, layer.recurrent_exponent)
        yield (layer.name, "membrane"), _extent(trace.membrane)
        fed = trace.spikes
    out = network.readout
    yield (out.name, "feed-forward sum"), _of_sums(fed, out.weight, out.exponent)
    yield (out.name, "accumulator"), _extent(result.trace.readout)


def _heard(layer: SkipLayer, spikes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What comes back to the layer at each step, (T, B, N)."""
    r = np.zeros_like(spikes)
    for tap in layer.heard:
        r[tap.span :] += np.uint8(tap.weight) * spikes[: max(0, len(spikes) - tap.span)]
    return r


def _of_sums(x: NDArray[np.generic], weights: NDArray[np.int64], exponent: int) -> Range:
    """Extent of shift(W x[t], e) over all steps and samples; double precision holds the sums exactly."""
    w = weights.T.astype(np.float64)
    sums = [_extent(x_t.astype(np.float64) @ w) for x_t in x]
    low, high = min(each.low for each in sums), max(each.high for each in sums)
    ends = shift(np.array([low, high], np.int64), exponent)
    return Range(int(ends[0]), int(ends[1]))


def _extent(values: NDArray[np.generic]) -> Range:
    return Range(int(values.min()), int(values.max()))
