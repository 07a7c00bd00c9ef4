"""The contract's operations as ONNX nodes, each spelt with integer operators whose rounding ONNX defines.

A value's bounds travel with it: it is computed in 32 bits where these prove that 32 bits hold it and all that it is
made of, else in 64, and a saturation that can change nothing is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from asrc_core.contract.numbers import LINE_BITS, REGISTER_MAX, WORD, Ints
from asrc_core.contract.operations.intervals import Interval, IntervalOperations, interval
from asrc_core.contract.operations.operations import Shift
from asrc_export.onnx_model.nodes import Nodes

Constant: TypeAlias = "int | Ints"


@dataclass(frozen=True, eq=False)
class Number:
    """A tensor of the graph, bool (a condition), int32 or int64, with the bounds of its values."""

    name: str
    dtype: DTypeLike
    bounds: Interval
    whole: bool = True
    """Whether it is (B, N), and not only broadcasts to that."""
    product: tuple[Number, Constant] | None = None
    """What it is the product of, if that is a value and a constant."""


Operand: TypeAlias = "Number | Constant"


class OnnxOperations:
    """Appends nodes to ``g`` for neurons of the shape (B, N) of the tensor ``like``.

    ``saturated`` are tensors (B, N) uint8, one for each saturation that can change anything: 1 where it did.
    """

    def __init__(self, g: Nodes, like: str) -> None:
        self.saturated: list[str] = []
        self._g, self._like, self._bounds = g, like, IntervalOperations()

    def add(self, a: Operand, b: Operand) -> Number:
        """`a + b`."""
        return self._computed("Add", self._bounds.add(_bounds(a), _bounds(b)), a, b)

    def sub(self, a: Operand, b: Operand) -> Number:
        """`a - b`."""
        return self._computed("Sub", self._bounds.sub(_bounds(a), _bounds(b)), a, b)

    def mul(self, a: Operand, b: Operand) -> Number:
        """`a b`."""
        if isinstance(a, Number) and not isinstance(b, Number):
            return self._times(a, b)
        if isinstance(b, Number) and not isinstance(a, Number):
            return self._times(b, a)
        return self._computed("Mul", self._bounds.mul(_bounds(a), _bounds(b)), a, b)

    def shl(self, a: Operand, k: Shift) -> Number:
        """`a 2^k`."""
        return self.mul(a, np.int64(1) << np.asarray(k, np.int64))

    def floor(self, a: Operand, k: Shift) -> Number:
        """`floor(a / 2^k)`: `Div` rounds toward zero, so the low bits are cleared first and it has nothing to round."""
        divisor = np.int64(1) << np.asarray(k, np.int64)
        bounds = self._bounds.floor(_bounds(a), k)
        dtype = _holding(_bounds(a), interval(divisor))
        cleared = self._g("BitwiseAnd", self.typed(a, dtype), self._g.integers(-divisor, dtype))
        return Number(self._g("Div", cleared, self._g.integers(divisor, dtype)), dtype, bounds, _whole(a))

    def toward_zero(self, a: Operand, k: Shift) -> Number:
        """`sign(a) floor(abs(a) / 2^k)`, as an integer `Div` rounds."""
        if isinstance(a, Number) and a.product is not None and isinstance(k, int):
            # v m / 2^k in lowest terms: often 32 bits hold it then, and now and then nothing is left to divide by.
            value, factor = a.product
            common = int(np.gcd.reduce(np.append(np.abs(factor), 2**k)))
            a, k = self._times(value, factor // common), k - (common.bit_length() - 1)
            if k == 0:
                return a
        if isinstance(a, Number) and isinstance(k, int) and k == 0:
            return a
        divisor = np.int64(1) << np.asarray(k, np.int64)
        bounds = self._bounds.toward_zero(_bounds(a), k)
        dtype = _holding(_bounds(a), interval(divisor))
        divided = self._g("Div", self.typed(a, dtype), self._g.integers(divisor, dtype))
        return Number(divided, dtype, bounds, _whole(a))

    def saturate(self, a: Operand, bits: int = 24) -> Operand:
        """`min(max(a, -M), M)` with `M = 2^(bits - 1) - 1`."""
        before, most = _bounds(a), 2 ** (bits - 1) - 1
        if before.low.min() >= -most and before.high.max() <= most:
            return a
        bounds, dtype = self._bounds.saturate(before, bits), _holding(before)
        free = self.typed(self.spread(a), dtype)
        least, greatest = self._g.integers(-most, dtype), self._g.integers(most, dtype)
        if dtype == np.int32:
            held = self._g("Clip", free, least, greatest)
        else:  # for the reason that `_chosen` gives
            lowered = self._g("Where", self._g("Less", greatest, free), greatest, free)
            held = self._g("Where", self._g("Less", lowered, least), least, lowered)
        changed = self._g("Not", self._g("Equal", free, held))
        self.saturated.append(self._g.cast(changed, np.uint8))
        return Number(held, dtype, bounds)

    def min(self, a: Operand, b: Operand) -> Number:
        """The smaller one."""
        return self._chosen("Min", "Less", self._bounds.min(_bounds(a), _bounds(b)), a, b)

    def max(self, a: Operand, b: Operand) -> Number:
        """The greater one."""
        return self._chosen("Max", "Greater", self._bounds.max(_bounds(a), _bounds(b)), a, b)

    def ge(self, a: Operand, b: Operand) -> Number:
        """1 where `a >= b`."""
        bounds, dtype = self._bounds.ge(_bounds(a), _bounds(b)), _holding(_bounds(a), _bounds(b))
        answer = self._g("GreaterOrEqual", self.typed(a, dtype), self.typed(b, dtype))
        return Number(answer, np.bool_, bounds, _whole(a, b))

    def and_(self, a: Operand, b: Operand) -> Number:
        """1 where both hold."""
        bounds = self._bounds.and_(_bounds(a), _bounds(b))
        return Number(self._g("And", self._condition(a), self._condition(b)), np.bool_, bounds, _whole(a, b))

    def or_(self, a: Operand, b: Operand) -> Number:
        """1 where one holds."""
        bounds = self._bounds.or_(_bounds(a), _bounds(b))
        return Number(self._g("Or", self._condition(a), self._condition(b)), np.bool_, bounds, _whole(a, b))

    def not_(self, a: Operand) -> Number:
        """`1 - a`, of a condition."""
        return Number(self._g("Not", self._condition(a)), np.bool_, self._bounds.not_(_bounds(a)), _whole(a))

    def select(self, condition: Operand, a: Operand, b: Operand) -> Number:
        """`a` where the condition holds, else `b`."""
        bounds = self._bounds.select(_bounds(condition), _bounds(a), _bounds(b))
        dtype = _holding(_bounds(a), _bounds(b))
        chosen = self._g("Where", self._condition(condition), self.typed(a, dtype), self.typed(b, dtype))
        return Number(chosen, dtype, bounds, _whole(condition, a, b))

    def push(self, word: Operand, bit: Operand) -> Number:
        """`(2 word + bit) mod 2^32`; signed 64 bits hold every step of it."""
        bounds = self._bounds.push(_bounds(word), _bounds(bit))
        doubled = self._g("Mul", self.typed(word, np.int64), self._g.integers(2, np.int64))
        longer = self._g("BitwiseOr", doubled, self.typed(bit, np.int64))
        cut = self._g("BitwiseAnd", longer, self._g.integers(2**LINE_BITS - 1, np.int64))
        return Number(cut, np.int64, bounds, _whole(word, bit))

    def mask(self, word: Operand, k: Shift) -> Number:
        """`word mod 2^k`."""
        latest = (np.int64(1) << np.asarray(k, np.int64)) - 1
        kept = self._g("BitwiseAnd", self.typed(word, np.int64), self._g.integers(latest, np.int64))
        return Number(kept, np.int64, self._bounds.mask(_bounds(word), k), _whole(word))

    def table(self, index: Operand, entries: Ints) -> Number:
        """`entries[index]`."""
        bounds, dtype = self._bounds.table(_bounds(index), entries), _holding(interval(entries))
        at = self.typed(index, np.int32)
        return Number(self._g("Gather", self._g.integers(entries, dtype), at, axis=0), dtype, bounds, _whole(index))

    def typed(self, a: Operand, dtype: DTypeLike) -> str:
        """The tensor of that type. The caller knows that it holds every value within the bounds."""
        if not isinstance(a, Number):
            return self._g.integers(a, dtype)
        return a.name if np.dtype(a.dtype) == dtype else self._g.cast(a.name, dtype)

    def spread(self, a: Operand) -> Number:
        """The value as a whole tensor (B, N)."""
        if isinstance(a, Number) and a.whole:
            return a
        bounds = _bounds(a)
        dtype = a.dtype if isinstance(a, Number) else _holding(bounds)
        return Number(self._g("Expand", self.typed(a, dtype), self._g("Shape", self._like)), dtype, bounds)

    def _times(self, a: Number, factor: Constant) -> Number:
        """The product with a constant; of products with constants, one node."""
        if a.product is not None:
            value, before = a.product
            if _reach(factor) * _reach(before) <= REGISTER_MAX:
                a, factor = value, factor * before
        if np.all(np.asarray(factor) == 1):
            return a
        made = self._computed("Mul", self._bounds.mul(a.bounds, factor), a, factor)
        return Number(made.name, made.dtype, made.bounds, made.whole, (a, factor))

    def _computed(self, operator: str, bounds: Interval, *operands: Operand) -> Number:
        dtype = _holding(bounds, *map(_bounds, operands))
        made = self._g(operator, *(self.typed(each, dtype) for each in operands))
        return Number(made, dtype, bounds, _whole(*operands))

    def _chosen(self, operator: str, comparison: str, bounds: Interval, a: Operand, b: Operand) -> Number:
        """The smaller or the greater one.

        In 64 bits ONNX Runtime's own Min, Max and Clip are wrong on x86 where the upper halves of two numbers differ
        in some ways (its release 1.23, from the Eigen library), and its comparisons are right.
        """
        dtype = _holding(_bounds(a), _bounds(b))
        if dtype == np.int32:
            return self._computed(operator, bounds, a, b)
        first, second = self.typed(a, dtype), self.typed(b, dtype)
        made = self._g("Where", self._g(comparison, first, second), first, second)
        return Number(made, dtype, bounds, _whole(a, b))

    def _condition(self, a: Operand) -> str:
        return self.typed(a, np.bool_)


def state_type(width: int | str) -> DTypeLike:
    """The type of a state of that width."""
    return np.int64 if width == WORD else np.int32


def _bounds(a: Operand) -> Interval:
    return a.bounds if isinstance(a, Number) else interval(a)


def _whole(*operands: Operand) -> bool:
    return any(isinstance(each, Number) and each.whole for each in operands)


def _holding(*bounds: Interval) -> DTypeLike:
    """The narrowest type that holds all values within the bounds."""
    low, high = min(int(each.low.min()) for each in bounds), max(int(each.high.max()) for each in bounds)
    return np.int32 if low >= -REGISTER_MAX and high <= REGISTER_MAX else np.int64


def _reach(factor: Constant) -> int:
    return int(np.abs(np.asarray(factor)).max())
