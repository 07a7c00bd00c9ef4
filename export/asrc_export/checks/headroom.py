"""Every sum, state and membrane: how far it can get, how far it got on data, and what is left to its limit in bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import LayerStep, Session
from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.neurons.kind import whole_range
from asrc_core.contract.numbers import REGISTER_MAX, WORD, Ints
from asrc_core.contract.proof import LayerRanges
from asrc_core.contract.ranges import Range, headroom_bits
from asrc_core.contract.result import checked_input
from asrc_export.chip.accumulator import activation_shift

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
    network: IntegerNetwork, x: NDArray[np.generic] | None = None, *, accumulator_bits: int | None = None
) -> list[Headroom]:
    """All quantities of all layers, the readout last.

    x: samples (n, T, channels) to run and watch; without them, nothing is observed. Sums of connections are those
    after the exponent, in registers of 32 bits signed. Then come the states, where a kind has several, and the
    membrane before reset or a readout's accumulator. A target that adds all sums, shifted, in an accumulator of known
    width (sign included) gives that one a limit of its own. Raises InvalidData for unfit samples.
    """
    watched = [_quantities(network, i, accumulator_bits) for i in range(len(network.layers))]
    seen = [dict.fromkeys(each) for each in watched] if x is None else _observed(network, x, watched)
    return [
        Headroom(ranges.name, name, limit, worst, seen[i][name])
        for i, ranges in enumerate(network.ranges)
        for name, (limit, worst) in watched[i].items()
    ]


def sum_names(ranges: LayerRanges, layer: Layer) -> list[str]:
    """What each connection's sum is called: with its source where there are several of its kind."""
    back = ranges.recurrent_connections
    names = []
    for each, comes_back in zip(layer.connections, back, strict=True):
        alone = back.count(comes_back) == 1 and (not comes_back or each.source == layer.name)
        names.append((RECURRENT if comes_back else FEEDFORWARD) + ("" if alone else f" from '{each.source}'"))
    return [f"{name} ({j + 1})" if names.count(name) > 1 else name for j, name in enumerate(names)]


def _quantities(network: IntegerNetwork, i: int, accumulator_bits: int | None) -> dict[str, tuple[int, Range]]:
    """Limit and worst case of all that is watched in a layer, by name and in order."""
    layer, ranges = network.layers[i], network.ranges[i]
    found = {
        name: (REGISTER_MAX, worst) for name, worst in zip(sum_names(ranges, layer), ranges.connections, strict=True)
    }
    if layer.neuron.sends is not None and accumulator_bits is not None:
        places = activation_shift(layer)
        low, high = (sum(getattr(each, end) for each in ranges.connections) for end in ("low", "high"))
        found[SYNAPTIC] = 2 ** (accumulator_bits - 1) - 1, Range(low << places, high << places)
    widths = {name: whole_range(width)[1] for name, width in layer.neuron.states.items() if width != WORD}
    if len(layer.neuron.states) > 1:
        found |= {f"state {name}": (limit, ranges.states[name]) for name, limit in widths.items()}
    found[_shown(layer)] = max(widths.values(), default=REGISTER_MAX), ranges.state
    return found


def _shown(layer: Layer) -> str:
    return "accumulator" if layer.neuron.sends is None else "membrane"


def _observed(
    network: IntegerNetwork, x: NDArray[np.generic], watched: list[dict[str, tuple[int, Range]]]
) -> list[dict[str, Range | None]]:
    samples = checked_input(network, x)
    session = Session(network, len(samples))
    seen: list[dict[str, Range | None]] = [dict.fromkeys(each) for each in watched]
    for t in range(samples.shape[1]):
        for i, done in enumerate(session.step(samples[:, t])):
            for name, values in _values(network, i, done, session.states[i]):
                if name in seen[i]:
                    seen[i][name] = _union(seen[i][name], values)
    return seen


def _values(network: IntegerNetwork, i: int, done: LayerStep, states: Mapping[str, Ints]) -> Iterator[tuple[str, Ints]]:
    layer, sums = network.layers[i], done.sums
    yield from zip(sum_names(network.ranges[i], layer), sums, strict=True)
    whole: Ints = np.sum(sums, axis=0)
    yield SYNAPTIC, whole << activation_shift(layer)
    for name, values in states.items():
        yield f"state {name}", values
    yield _shown(layer), done.shown


def _union(before: Range | None, values: Ints) -> Range:
    low, high = int(values.min()), int(values.max())
    return Range(low, high) if before is None else Range(min(before.low, low), max(before.high, high))
