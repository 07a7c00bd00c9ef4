"""The contract's operations as C99: a neuron's step, printed statement by statement.

Each value keeps its proven bounds, so each register has the width that it needs: ``int32_t`` where the proof says so,
else ``int64_t``; and a saturation that cannot happen is not printed. No operation has undefined behaviour for any value
within the bounds: shifts go through unsigned types, and nothing overflows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.numbers import REGISTER_MAX, Ints
from asrc_core.contract.operations import intervals
from asrc_core.contract.operations.intervals import Interval, IntervalOperations
from asrc_core.contract.operations.operations import Shift, Value


@dataclass(frozen=True, eq=False)
class Term:
    """A value: how C names it, and its bounds."""

    text: str
    bounds: Interval

    @property
    def bits(self) -> int:
        """Width of its register."""
        return register_bits(self.bounds)


def register_bits(bounds: Interval) -> int:
    """32 where all values and their negatives fit, else 64."""
    return 32 if int(np.maximum(-bounds.low, bounds.high).max()) <= REGISTER_MAX else 64


def c_type(bits: int) -> str:
    """The signed type of that width."""
    return f"int{bits}_t"


def literal(value: int) -> str:
    """An integer constant of any size."""
    text = f"{value}" if abs(value) <= REGISTER_MAX else f"INT64_C({value})"
    return f"({text})" if value < 0 else text


class COperations:
    """Operations that append a statement each. Results are `Term`; operands may also be constants.

    constant(values): how C names constants that differ from neuron to neuron, (N,), within the loop over neurons;
    table(entries): how it names a table. Integers are printed as they are: they come from a kind's own file.
    Saturations are counted in the variable ``saturated``.
    """

    def __init__(self, constant: Callable[[Ints], str], table: Callable[[Ints], str]) -> None:
        self.statements: list[str] = []
        self._constant, self._table = constant, table
        self._bounds = IntervalOperations()

    def add(self, a: Value, b: Value) -> Term:
        """A + b."""
        return self._infix("+", self._bounds.add, a, b)

    def sub(self, a: Value, b: Value) -> Term:
        """A - b."""
        return self._infix("-", self._bounds.sub, a, b)

    def mul(self, a: Value, b: Value) -> Term:
        """A b."""
        return self._infix("*", self._bounds.mul, a, b)

    def shl(self, a: Value, k: Shift) -> Term:
        """A 2^k."""
        x, by = self.term(a), self.term(k)
        bounds = self._bounds.shl(x.bounds, k)
        bits = max(x.bits, register_bits(bounds), _bits_to_shift(by))
        return self._kept(bounds, f"({c_type(bits)})((u{c_type(bits)}){x.text} << {by.text})", bits)

    def floor(self, a: Value, k: Shift) -> Term:
        """A / 2^k, rounded down: compilers shift a negative number arithmetically."""
        x, by = self.term(a), self.term(k)
        bits = max(x.bits, _bits_to_shift(by))
        return self._kept(self._bounds.floor(x.bounds, k), f"{_widened(x, bits)} >> {by.text}", bits)

    def toward_zero(self, a: Value, k: Shift) -> Term:
        """sign(a) floor(|a| / 2^k): the magnitude is shifted, which vector units do at every width."""
        x, by = self.term(a), self.term(k)
        if isinstance(k, int) and k == 0:
            return x
        bounds = self._bounds.toward_zero(x.bounds, k)
        bits = max(x.bits, _bits_to_shift(by))
        wide = _widened(x, bits)
        size = f"(u{c_type(bits)})({x.text} < 0 ? -{wide} : {wide}) >> {by.text}"
        q = self._kept(Interval(-self._reach(bounds), self._reach(bounds)), size, bits)
        return self._kept(bounds, f"{x.text} < 0 ? -{q.text} : {q.text}", q.bits)

    def saturate(self, a: Value, bits: int = 24) -> Term:
        """A within +-(2^(bits - 1) - 1); what cannot leave these bounds passes."""
        x, most = self.term(a), 2 ** (bits - 1) - 1
        bounds = self._bounds.saturate(x.bounds, bits)
        if -most <= int(x.bounds.low.min()) and int(x.bounds.high.max()) <= most:
            return x
        high, low = literal(most), literal(-most)
        held = self._kept(bounds, f"{x.text} > {high} ? {high} : {x.text} < {low} ? {low} : {x.text}", x.bits)
        self.statements.append(f"saturated += {held.text} != {x.text};")
        return held

    def min(self, a: Value, b: Value) -> Term:
        """The smaller one."""
        x, y = self.term(a), self.term(b)
        bounds = self._bounds.min(x.bounds, y.bounds)
        return self._kept(bounds, f"{x.text} < {y.text} ? {x.text} : {y.text}", max(x.bits, y.bits))

    def max(self, a: Value, b: Value) -> Term:
        """The greater one."""
        x, y = self.term(a), self.term(b)
        bounds = self._bounds.max(x.bounds, y.bounds)
        return self._kept(bounds, f"{x.text} > {y.text} ? {x.text} : {y.text}", max(x.bits, y.bits))

    def ge(self, a: Value, b: Value) -> Term:
        """1 where a >= b."""
        return self._infix(">=", self._bounds.ge, a, b)

    def and_(self, a: Value, b: Value) -> Term:
        """1 where both hold."""
        return self._infix("&", self._bounds.and_, a, b)

    def or_(self, a: Value, b: Value) -> Term:
        """1 where one holds."""
        return self._infix("|", self._bounds.or_, a, b)

    def not_(self, a: Value) -> Term:
        """1 - a."""
        x = self.term(a)
        return self._kept(self._bounds.not_(x.bounds), f"1 - {x.text}", x.bits)

    def select(self, condition: Value, a: Value, b: Value) -> Term:
        """A where the condition holds, else b."""
        c, x, y = self.term(condition), self.term(a), self.term(b)
        bounds = self._bounds.select(c.bounds, x.bounds, y.bounds)
        return self._kept(bounds, f"{c.text} ? {x.text} : {y.text}", max(x.bits, y.bits))

    def push(self, word: Value, bit: Value) -> Term:
        """(2 word + bit) mod 2^32."""
        x, y = self.term(word), self.term(bit)
        text = f"(int64_t)(((uint64_t){x.text} << 1 | (uint64_t){y.text}) & 0xffffffffu)"
        return self._kept(self._bounds.push(x.bounds, y.bounds), text, 64)

    def mask(self, word: Value, k: Shift) -> Term:
        """Word mod 2^k."""
        x, by = self.term(word), self.term(k)
        return self._kept(self._bounds.mask(x.bounds, k), f"{x.text} & (((int64_t)1 << {by.text}) - 1)", 64)

    def table(self, index: Value, entries: Ints) -> Term:
        """entries[index]."""
        x = self.term(index)
        return self._kept(self._bounds.table(x.bounds, entries), f"{self._table(entries)}[{x.text}]", 64)

    def term(self, value: Value) -> Term:
        """An operand: a result of before, a number, or one for each neuron."""
        if isinstance(value, Term):
            return value
        if np.ndim(value) == 0:
            return Term(literal(int(value)), intervals.interval(int(value)))
        return Term(self._constant(value), intervals.interval(value))

    def _infix(self, sign: str, bounded: Callable[[Value, Value], Interval], a: Value, b: Value) -> Term:
        x, y = self.term(a), self.term(b)
        bounds = bounded(x.bounds, y.bounds)
        bits = max(x.bits, y.bits, register_bits(bounds))
        return self._kept(bounds, f"{_widened(x, bits)} {sign} {_widened(y, bits)}", bits)

    def _kept(self, bounds: Interval, text: str, computed: int) -> Term:
        """A new variable, as wide as its bounds ask for; ``computed`` is the width of the expression."""
        made = Term(f"x{len(self.statements)}", bounds)
        narrowed = f"({c_type(made.bits)})({text})" if computed > made.bits else text
        self.statements.append(f"const {c_type(made.bits)} {made.text} = {narrowed};")
        return made

    @staticmethod
    def _reach(bounds: Interval) -> Any:
        return np.maximum(-bounds.low, bounds.high)


def _bits_to_shift(by: Term) -> int:
    """The width that a register needs to be shifted so far at all."""
    return 32 if int(by.bounds.high.max()) < 32 else 64


def _widened(term: Term, bits: int) -> str:
    return term.text if term.bits == bits else f"({c_type(bits)}){term.text}"
