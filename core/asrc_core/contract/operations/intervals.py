"""The operations on bounds: what a step computes over all states and inputs within given ranges, neuron by neuron.

Each value keeps how it was made. So a selection looks at its two sides under what its condition says: where
``select(ge(u, theta), u - theta, u)`` subtracts, u is at least theta, and the result provably stays in 24 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from asrc_core.contract.numbers import LINE_BITS, WIDE_MAX, Ints
from asrc_core.contract.operations.operations import Shift, Value
from asrc_core.counts import plural

MAX_SHIFT = 62
MAX_DEPTH = 2
"""Of selections within what selections choose, each looked at under its condition: twice the work for each level."""
WORD_MAX = 2**LINE_BITS - 1


class TooWide(Exception):
    """A value that could leave 64 bits; ``reach`` is about how far it could get."""

    def __init__(self, reach: float) -> None:
        super().__init__(f"a register could reach {reach:.3g}, beyond 64 bits signed")


class Misused(Exception):
    """An operation on what it is not defined for, where backends would part ways; as a clause."""


@dataclass(frozen=True, eq=False)
class Interval:
    """Bounds (N,) of a value; from which operation and operands, unless it was given."""

    low: Ints
    high: Ints
    made: tuple[str, tuple[Any, ...]] | None = None


Refinement: TypeAlias = dict[int, Interval]
"""By id, values that are narrower under an assumption."""


@dataclass
class IntervalOperations:
    """``widest`` is the greatest magnitude of any result, ``unsaturated`` the operands of `saturate` so far.

    Raises TooWide for a result beyond 64 bits, IndexError for a table without such an entry, Misused for an operand
    that an operation is not defined for: a shift beyond its limit, a condition that is not 0 or 1, a fraction.
    """

    widest: int = 0
    unsaturated: list[Interval] = field(default_factory=list)

    def add(self, a: Value, b: Value) -> Interval:
        """`a + b`."""
        return self._made("add", a, b)

    def sub(self, a: Value, b: Value) -> Interval:
        """`a - b`."""
        return self._made("sub", a, b)

    def mul(self, a: Value, b: Value) -> Interval:
        """`a b`."""
        return self._made("mul", a, b)

    def shl(self, a: Value, k: Shift) -> Interval:
        """`a 2^k`."""
        return self._made("mul", a, np.int64(1) << _shift("shl", k))

    def floor(self, a: Value, k: Shift) -> Interval:
        """`floor(a / 2^k)`."""
        return self._made("floor", a, _shift("floor", k))

    def toward_zero(self, a: Value, k: Shift) -> Interval:
        """`sign(a) floor(abs(a) / 2^k)`: rounded toward zero."""
        return self._made("toward_zero", a, _shift("toward_zero", k))

    def saturate(self, a: Value, bits: int = 24) -> Interval:
        """A within +-(2^(bits - 1) - 1)."""
        self.unsaturated.append(interval(a))
        return self._made("saturate", a, 2 ** (bits - 1) - 1)

    def min(self, a: Value, b: Value) -> Interval:
        """The smaller one."""
        return self._made("min", a, b)

    def max(self, a: Value, b: Value) -> Interval:
        """The greater one."""
        return self._made("max", a, b)

    def ge(self, a: Value, b: Value) -> Interval:
        """1 where a >= b."""
        return self._made("ge", a, b)

    def and_(self, a: Value, b: Value) -> Interval:
        """1 where both hold."""
        return self._made("min", _within("and", a, 1), _within("and", b, 1))

    def or_(self, a: Value, b: Value) -> Interval:
        """1 where one holds."""
        return self._made("max", _within("or", a, 1), _within("or", b, 1))

    def not_(self, a: Value) -> Interval:
        """`1 - a`."""
        return self._made("not", _within("not", a, 1))

    def select(self, condition: Value, a: Value, b: Value) -> Interval:
        """`a` where the condition holds, else `b`."""
        return self._made("select", _within("select", condition, 1), a, b)

    def push(self, word: Value, bit: Value) -> Interval:
        """`(2 word + bit) mod 2^32`."""
        return self._made("push", _within("push", word, WORD_MAX), _within("push", bit, 1))

    def mask(self, word: Value, k: Shift) -> Interval:
        """`word mod 2^k`."""
        return self._made("mask", _within("mask", word, WORD_MAX), _shift("mask", k, LINE_BITS))

    def table(self, index: Value, entries: Ints) -> Interval:
        """entries[index]; raises IndexError if the index could lie outside."""
        return self._made("table", index, entries)

    def _made(self, name: str, *operands: Value) -> Interval:
        kept = tuple(
            interval(each) if name not in _LAST_IS_PLAIN or i == 0 else each for i, each in enumerate(operands)
        )
        low, high = _bounds(name, kept)
        self.widest = max(self.widest, int(np.max(np.maximum(-low, high))))
        return Interval(low, high, (name, kept))


def interval(value: Value) -> Interval:
    """A value's bounds; a constant's are itself."""
    if isinstance(value, Interval):
        return value
    exact = np.atleast_1d(np.asarray(value))
    if exact.dtype.kind not in "iu":
        raise Misused(f"a step computes with a constant of type {exact.dtype}, not with a whole number")
    exact = exact.astype(np.int64)
    return Interval(exact, exact)


def _within(operation: str, value: Value, most: int) -> Interval:
    """The operand's bounds. Raises Misused unless they are 0 to ``most``: 1 of a condition, 2^32 - 1 of a word."""
    found = interval(value)
    low, high = spread([found])
    if low < 0 or high > most:
        raise Misused(f"`{operation}` takes 0 to {most}, and could get {low if low < 0 else high}")
    return found


def _shift(operation: str, k: Shift, most: int = MAX_SHIFT) -> Ints:
    """The constant by which is shifted. Raises Misused beyond 0 to ``most``: no two backends agree on what that is."""
    return _within(f"{operation} by k", k, most).low


_LAST_IS_PLAIN = ("floor", "toward_zero", "saturate", "mask", "table")


def _bounds(name: str, operands: tuple[Any, ...], depth: int = 0) -> tuple[Ints, Ints]:
    if name == "select":
        condition, a, b = operands
        return _selected(condition, a, b, depth)
    return _BOUNDS[name](*operands)


def _add(a: Interval, b: Interval) -> tuple[Ints, Ints]:
    return _held(a.low.astype(float) + b.low, a.low + b.low), _held(a.high.astype(float) + b.high, a.high + b.high)


def _sub(a: Interval, b: Interval) -> tuple[Ints, Ints]:
    return _held(a.low.astype(float) - b.high, a.low - b.high), _held(a.high.astype(float) - b.low, a.high - b.low)


def _mul(a: Interval, b: Interval) -> tuple[Ints, Ints]:
    corners = [_held(x.astype(float) * y, x * y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return np.minimum.reduce(corners), np.maximum.reduce(corners)


def _held(about: Any, exact: Ints) -> Ints:
    """The exact result, unless its size shows that it wrapped."""
    reach = float(np.abs(about).max())
    if reach >= WIDE_MAX / 2:  # half of what would wrap: the estimate is in double precision
        raise TooWide(reach)
    return exact


def _floor(a: Interval, k: Shift) -> tuple[Ints, Ints]:
    return a.low >> k, a.high >> k


def _toward_zero(a: Interval, k: Shift) -> tuple[Ints, Ints]:
    return np.sign(a.low) * (np.abs(a.low) >> k), np.sign(a.high) * (np.abs(a.high) >> k)


def _saturate(a: Interval, most: int) -> tuple[Ints, Ints]:
    return np.clip(a.low, -most, most), np.clip(a.high, -most, most)


def _min(a: Interval, b: Interval) -> tuple[Ints, Ints]:
    return np.minimum(a.low, b.low), np.minimum(a.high, b.high)


def _max(a: Interval, b: Interval) -> tuple[Ints, Ints]:
    return np.maximum(a.low, b.low), np.maximum(a.high, b.high)


def _ge(a: Interval, b: Interval) -> tuple[Ints, Ints]:
    return (a.low >= b.high).astype(np.int64), (a.high >= b.low).astype(np.int64)


def _not(a: Interval) -> tuple[Ints, Ints]:
    return 1 - a.high, 1 - a.low


def _push(word: Interval, bit: Interval) -> tuple[Ints, Ints]:
    any_low, _ = np.broadcast_arrays(word.low, bit.low)
    return np.zeros_like(any_low), np.full_like(any_low, WORD_MAX)


def _mask(word: Interval, k: Shift) -> tuple[Ints, Ints]:
    most = (np.int64(1) << np.asarray(k, np.int64)) - 1
    return np.zeros_like(word.low), np.minimum(word.high, most)


def _table(index: Interval, entries: Ints) -> tuple[Ints, Ints]:
    if index.low.min() < 0 or index.high.max() >= len(entries):
        asked = index.low.min() if index.low.min() < 0 else index.high.max()
        raise IndexError(f"a table of {plural(len(entries), 'entry')} is asked for entry {int(asked)}")
    parts = [entries[low : high + 1] for low, high in zip(index.low.tolist(), index.high.tolist(), strict=True)]
    return np.array([part.min() for part in parts]), np.array([part.max() for part in parts])


def _selected(condition: Interval, a: Interval, b: Interval, depth: int) -> tuple[Ints, Ints]:
    if depth > MAX_DEPTH:
        return np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    taken, left = _under(condition, True, a, depth), _under(condition, False, b, depth)
    sides = [each for each in (taken, left) if each is not None]
    if not sides:  # no neuron can obey the condition, nor its opposite: bounds were empty before
        sides = [a, b]
    if len(sides) == 2:
        # Neurons whose bounds are empty on one side have only the other one.
        (first, second) = sides
        lows, highs = np.broadcast_arrays(first.low, second.low), np.broadcast_arrays(first.high, second.high)
        empty = [highs[0] < lows[0], highs[1] < lows[1]]
        low = np.where(empty[0], lows[1], np.where(empty[1], lows[0], np.minimum(*lows)))
        high = np.where(empty[0], highs[1], np.where(empty[1], highs[0], np.maximum(*highs)))
        return low, high
    return sides[0].low, sides[0].high


def _under(condition: Interval, holds: bool, value: Interval, depth: int) -> Interval | None:
    """The value's bounds where the condition holds, or where it does not; None if that can be for no neuron.

    Neurons for which it cannot be have empty bounds, low above high.
    """
    narrower: Refinement = {}
    possible = _assume(condition, holds, narrower)
    if not np.any(possible):
        return None
    again = _again(value, narrower, {}, depth)
    low, high, can = np.broadcast_arrays(again.low, again.high, possible)
    return Interval(np.where(can, low, 1), np.where(can, high, 0))


def _assume(condition: Interval, holds: bool, narrower: Refinement) -> Any:
    """Note what values are narrowed to if the condition holds (or does not). Returns where that is possible, (N,)."""
    possible = condition.high >= 1 if holds else condition.low <= 0
    name, operands = condition.made or ("", ())
    if name == "ge":
        a, b = operands
        if holds:  # a >= b
            _narrow(a, Interval(np.maximum(a.low, b.low), a.high), narrower)
            _narrow(b, Interval(b.low, np.minimum(b.high, a.high)), narrower)
        else:  # a <= b - 1
            _narrow(a, Interval(a.low, np.minimum(a.high, b.high - 1)), narrower)
            _narrow(b, Interval(np.maximum(b.low, a.low + 1), b.high), narrower)
    elif (name == "min" and holds) or (name == "max" and not holds):
        possible = possible & np.logical_and(*(_assume(each, holds, narrower) for each in operands))
    elif name == "not":
        possible = possible & _assume(operands[0], not holds, narrower)
    return possible


def _narrow(value: Interval, to: Interval, narrower: Refinement) -> None:
    before = narrower.get(id(value))
    if before is not None:
        to = Interval(np.maximum(before.low, to.low), np.minimum(before.high, to.high))
    low, high = np.broadcast_arrays(to.low, to.high)
    # Where nothing is left, the neuron takes the other side: any bounds will do that are not empty.
    empty = low > high
    narrower[id(value)] = Interval(np.where(empty, value.low, low), np.where(empty, value.high, high))


def _again(value: Interval, narrower: Refinement, seen: dict[int, Interval], depth: int) -> Interval:
    """The value computed once more from narrower ones; selections in it one level deeper."""
    found = narrower.get(id(value)) or seen.get(id(value))
    if found is not None:
        return found
    if value.made is None:
        return value
    name, operands = value.made
    again = tuple(_again(each, narrower, seen, depth) if isinstance(each, Interval) else each for each in operands)
    if all(new is old for new, old in zip(again, operands, strict=True)):
        seen[id(value)] = value
    else:
        seen[id(value)] = Interval(*_bounds(name, again, depth + 1), (name, again))
    return seen[id(value)]


_BOUNDS: dict[str, Callable[..., tuple[Ints, Ints]]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "floor": _floor,
    "toward_zero": _toward_zero,
    "saturate": _saturate,
    "min": _min,
    "max": _max,
    "ge": _ge,
    "not": _not,
    "push": _push,
    "mask": _mask,
    "table": _table,
}


def spread(parts: Sequence[Interval]) -> tuple[int, int]:
    """Least and greatest value over several intervals and all neurons."""
    return min(int(each.low.min()) for each in parts), max(int(each.high.max()) for each in parts)
