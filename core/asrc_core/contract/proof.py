"""Proofs: worst-case ranges of every register of a layer, over inputs of any length.

Sums of connections are bounded by their weights. States are bounded by what their kind proposes in closed form, if
intervals confirm that one step never leaves those bounds; else, where a step computes them linearly, by their response
to any input; else by their whole width, which intervals must confirm. So no engine can overflow a register, and it is
a proof and not a hope.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_core.contract.neurons.kind import Bounds, Step, whole_range
from asrc_core.contract.numbers import MAX_MESSAGE, REGISTER_MAX, Ints
from asrc_core.contract.operations import intervals, linear
from asrc_core.contract.operations.intervals import Interval, IntervalOperations, Misused, TooWide
from asrc_core.contract.operations.linear import Linear
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.ranges import Range, product_bounds, shifted, spread
from asrc_core.errors import AsrcError, InvalidNetwork

if TYPE_CHECKING:
    from asrc_core.contract.network import Layer


@dataclass(frozen=True)
class LayerRanges:
    """Worst-case ranges in one layer."""

    name: str
    connections: tuple[Range, ...]
    """Of each connection's sum, after its exponent."""
    recurrent_connections: tuple[bool, ...]
    """Which of them come from the layer itself or from a later one."""
    total: Range
    """Of the sum of all connections."""
    states: Mapping[str, Range]
    """Between steps."""
    state: Range
    """Of the shown value (the membrane before reset, a readout's accumulator) if it was not saturated."""
    may_saturate: bool
    """Whether some saturation can change a value."""
    widest: int
    """Greatest magnitude of any intermediate result of a step, at most 2^63 - 1."""
    registers: Mapping[str, Range]
    """Sums that are proven to fit in 32 bits."""
    each_state: Mapping[str, Bounds] = field(repr=False, compare=False)
    """Of the states between steps, neuron by neuron: a step on these intervals stays within `widest`."""
    each_total: Bounds = field(repr=False, compare=False)
    """Of the sum of all connections, likewise."""

    @property
    def feedforward(self) -> Range:
        """Of the sum of what comes from before, all connections together."""
        return _sum([each for each, back in self._parts() if not back])

    @property
    def recurrent(self) -> Range | None:
        """Of the sum of what comes back, None where nothing does."""
        back = [each for each, comes_back in self._parts() if comes_back]
        return _sum(back) if back else None

    def _parts(self) -> list[tuple[Range, bool]]:
        return list(zip(self.connections, self.recurrent_connections, strict=True))


def layer_ranges(layer: Layer, sent: Sequence[Range], sources: Sequence[str], steps: int) -> LayerRanges:
    """The ranges in a layer whose connections get what lies in ``sent``, from "before", "self" or "after" it.

    Raises InvalidNetwork, naming the layer and the register, where a proof fails.
    """
    at = f"{'readout' if layer.neuron.sends is None else 'layer'} '{layer.name}'"
    registers: dict[str, Range] = {}
    sums: list[Bounds] = []
    of_source = Counter(sources)
    for each, messages, source in zip(layer.connections, sent, sources, strict=True):
        message = each.message(messages)
        product = product_bounds(each.weights, message.low, message.high)
        sums.append(shifted(product, each.exponent))
        back = source != "before"
        label = f" from '{each.source}'" if of_source[source] > 1 or source == "after" else ""
        for name, bounds in (("U r" if back else "W x", product), ("a_rec" if back else "a_ff", sums[-1])):
            held = spread(bounds)
            before = registers.get(name + label, held)  # a source may be connected more than once
            registers[name + label] = Range(min(held.low, before.low), max(held.high, before.high))
    total = _total(sums)
    if len(sums) > 1:
        registers["the sum of all connections"] = spread(total)
    kind, parameters = layer.neuron.of_kind, layer.neuron.parameters
    _require_narrow(at, registers)  # before they are computed with in 64 bits
    if kind.registers is not None:
        with says(at, layer, "registers"):
            named = kind.registers(parameters, *total)
            registers |= {name: spread(_each(layer, bounds)) for name, bounds in named.items()}
    _require_narrow(at, registers)
    states, after, operations, unlike = _proven(at, layer, total)
    _require_sent(at, kind.sends, after)
    shown = intervals.interval(after.shown)
    reach = Range(int(shown.low.min()), int(shown.high.max()))
    if reach.magnitude > REGISTER_MAX:
        raise InvalidNetwork(at, f"what it shows could reach {reach.magnitude}, beyond 32 bits signed")
    before_saturation = [Range(*intervals.spread([each])) for each in unlike]
    unsaturated = before_saturation[-1] if before_saturation else reach
    if kind.unsaturated is not None:
        with says(at, layer, "unsaturated"):
            unsaturated = spread(_each(layer, kind.unsaturated(parameters, *total, steps)))
    return LayerRanges(
        name=layer.name,
        connections=tuple(spread(bounds) for bounds in sums),
        recurrent_connections=tuple(source != "before" for source in sources),
        total=spread(total),
        states={name: spread(bounds) for name, bounds in states.items()},
        state=unsaturated,
        may_saturate=any(not each.fits_state for each in (*before_saturation[:-1], unsaturated)),
        widest=operations.widest,
        registers=registers,
        each_state=states,
        each_total=total,
    )


def _proven(
    at: str, layer: Layer, total: Bounds
) -> tuple[dict[str, Bounds], Step, IntervalOperations, Sequence[Interval]]:
    """Bounds that the states never leave, a step from there on intervals, and what its saturations get."""
    kind, parameters = layer.neuron.of_kind, layer.neuron.parameters
    whole = {
        name: tuple(np.full(layer.neurons, end, np.int64) for end in whole_range(width))
        for name, width in layer.neuron.states.items()
    }
    declared: dict[str, Bounds] = {name: (ends[0], ends[1]) for name, ends in whole.items()}
    if kind.invariant is not None:
        with says(at, layer, "invariant"):
            bounds = kind.invariant(parameters, *total)
            proposed = declared | {name: _each(layer, bounds[name]) for name in bounds}
            _require_names(proposed.keys(), declared.keys())
        if all(_inside(proposed[name], declared[name]) and _holds_zero(proposed[name]) for name in declared):
            after, operations = _stepped(at, layer, proposed, total)
            if all(_inside(_bounds(after.states[name]), proposed[name]) for name in declared):
                return proposed, after, operations, operations.unsaturated
    known = _linear(at, layer, total)
    states = declared | {name: _each(layer, bounds) for name, bounds in known.states.items()}
    after, operations = _stepped(at, layer, states, total)
    for name, width in layer.neuron.states.items():
        low, high = _bounds(after.states[name])
        if name in known.states:  # where its response is bounded, one step from a corner of the box says nothing
            low, high = np.where(known.holds, states[name], (low, high))
        if not _inside((low, high), declared[name]):
            reach = max(-int(low.min()), int(high.max()))
            most = int(declared[name][1].max())
            why = f"its state '{name}' could reach {reach}, beyond its {width} bits (at most {most})"
            raise InvalidNetwork(at, why if kind.invariant is None else f"{why}; its kind proposes no bounds that hold")
    before = [
        each if ends is None else Interval(np.maximum(each.low, ends[0]), np.minimum(each.high, ends[1]))
        for each, ends in zip(operations.unsaturated, known.saturated, strict=True)
    ]
    return states, after, operations, before


def _linear(at: str, layer: Layer, total: Bounds) -> Linear:
    """What is known of the states that a step computes linearly."""
    neuron = layer.neuron

    def step(operations: Operations, states: Mapping[str, Value], a: Value) -> Mapping[str, Value]:
        return neuron.of_kind.step(operations, neuron.parameters, states, a).states

    with says(at, layer, "step"):
        return linear.reach(step, neuron.states, _each(layer, total))


def _stepped(at: str, layer: Layer, states: Mapping[str, Bounds], total: Bounds) -> tuple[Step, IntervalOperations]:
    operations = IntervalOperations()
    before = {name: Interval(np.asarray(low), np.asarray(high)) for name, (low, high) in states.items()}
    with says(at, layer, "step"):
        after = layer.neuron.of_kind.step(operations, layer.neuron.parameters, before, Interval(*total))
        _require_names(after.states.keys(), before.keys())
        for value in (*after.states.values(), *([] if after.sent is None else [after.sent]), after.shown):
            _each(layer, _bounds(value))
    return after, operations


@contextmanager
def says(at: str, layer: Layer, part: str) -> Iterator[None]:
    """While a part of a kind's file is asked, which may be anybody's: whatever it raises becomes InvalidNetwork."""
    try:
        yield
    except AsrcError:
        raise
    except (TooWide, IndexError) as error:
        raise InvalidNetwork(at, str(error)) from error
    except Exception as error:
        why = str(error) if isinstance(error, Misused) else f"{type(error).__name__}: {error}"
        raise InvalidNetwork(
            at, f"'{part}' of its kind '{layer.neuron.kind}' fails ({' '.join(why.split())})"
        ) from error


def _require_names(found: Collection[str], states: Collection[str]) -> None:
    if set(found) != set(states):
        raise Misused(f"it has states {', '.join(sorted(found))}, and the kind {', '.join(sorted(states))}")


def _each(layer: Layer, bounds: Bounds) -> Bounds:
    """The bounds, one of each for every neuron. Raises ValueError for any other shape."""
    low, high = (np.broadcast_to(intervals.interval(end).low, (layer.neurons,)) for end in bounds)
    return low, high


def _require_sent(at: str, sends: tuple[int, int] | None, after: Step) -> None:
    if (after.sent is None) != (sends is None):
        does, claimed = ("nothing", "that it does") if after.sent is None else ("something", "that it does not")
        raise InvalidNetwork(at, f"its kind sends {does} and says {claimed}")
    for name, value in (("sends", after.sent), ("shows", after.shown)):
        if value is not None and not isinstance(value, Interval):  # engines take arrays of a batch
            raise InvalidNetwork(at, f"what it {name} is a constant, not the result of an operation")
    if sends is not None:
        low, high = intervals.spread([intervals.interval(after.sent)])
        if low < sends[0] or high > sends[1]:
            why = f"it could send {low if low < sends[0] else high}, and its kind sends {sends[0]} to {sends[1]}"
            raise InvalidNetwork(at, f"{why} (at most {MAX_MESSAGE})")


def _require_narrow(at: str, registers: Mapping[str, Range]) -> None:
    """The widest register must fit in 32 bits."""
    name = max(registers, key=lambda each: registers[each].magnitude)
    reach = registers[name].magnitude
    if reach > REGISTER_MAX:
        raise InvalidNetwork(at, f"{name} could reach {reach}, beyond 32 bits signed")


def _bounds(value: Any) -> Bounds:
    found = intervals.interval(value)
    return found.low, found.high


def _inside(inner: Bounds, outer: Bounds) -> bool:
    return bool(np.all(inner[0] >= outer[0]) and np.all(inner[1] <= outer[1]))


def _holds_zero(bounds: Bounds) -> bool:
    """Every state is 0 before a sample's first step."""
    return bool(np.all(bounds[0] <= 0) and np.all(bounds[1] >= 0))


def _total(sums: Sequence[Bounds]) -> Bounds:
    """Bounds of the sum of all connections; each of them may be 0, so it also bounds the sum of some."""
    zero: Ints = np.zeros_like(sums[0][0])
    return sum((low for low, _ in sums), zero), sum((high for _, high in sums), zero)


def _sum(parts: Sequence[Range]) -> Range:
    return Range(sum(each.low for each in parts), sum(each.high for each in parts))
