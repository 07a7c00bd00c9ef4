"""The contract's operations as SystemVerilog: a neuron's step, printed as a pipeline, a register for each operation.

Each value keeps its proven bounds and the stage at which it is there, so a wire has the bits that the proof asks for,
a value that waits for another passes through registers, and a saturation that cannot happen is not printed. Values are
signed, conditions one bit. What is free in a circuit is no stage: a shift by a constant, a word's bits, a product with
a power of two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations import intervals
from asrc_core.contract.operations.intervals import Interval, IntervalOperations
from asrc_core.contract.operations.operations import Shift, Value

FACTOR_BITS = 16
"""Of one factor in a multiplier of small FPGAs; wider ones are split."""


@dataclass(frozen=True, eq=False)
class Term:
    """A value: its wire at ``stage``, and its bounds. A condition is one unsigned bit."""

    text: str
    bounds: Interval
    stage: int
    condition: bool = False
    zeros: int = 0
    """Lowest bits that are always 0."""
    number: int | None = None
    """The value of a constant."""
    later: Callable[[int], str] | None = None
    """How a constant that differs from neuron to neuron is named at a stage."""

    @property
    def bits(self) -> int:
        """Width of its wire."""
        return 1 if self.condition else signed_bits(self.bounds)


class Constants(Protocol):
    """Where a unit keeps constants that are not the same for all its neurons."""

    def varying(self, values: Ints) -> tuple[int, Callable[[int], str]]:
        """The earliest stage at which they can be there, and their wire at a stage."""

    def table(self, entries: Ints, index: str, bits: int) -> str:
        """The register that holds ``entries[index]`` one stage after the index."""


def signed_bits(bounds: Interval) -> int:
    """Bits of the narrowest two's complement that holds all values."""
    return bits_of(int(bounds.low.min()), int(bounds.high.max()))


def bits_of(low: int, high: int) -> int:
    """Bits of the narrowest two's complement that holds low and high."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


def literal(value: int) -> str:
    """A signed constant as wide as it has to be."""
    bits = bits_of(min(value, 0), max(value, 0))
    if value == -(1 << (bits - 1)):
        bits += 1
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"


class VerilogOperations:
    """Operations that append a register each. Results are `Term`; operands may also be constants.

    ``declared`` are the declarations, ``clocked`` the assignments at a clock edge, ``wired`` the continuous ones,
    ``saturated`` conditions that are 1 where a saturation changed a value.
    """

    def __init__(self, constants: Constants) -> None:
        self.declared: list[str] = []
        self.clocked: list[str] = []
        self.wired: list[str] = []
        self.saturated: list[Term] = []
        self._constants = constants
        self._bounds = IntervalOperations()
        self._late: dict[tuple[str, int], str] = {}
        self._count = 0

    def add(self, a: Value, b: Value) -> Term:
        """`a + b`."""
        return self._sum("+", self._bounds.add, a, b)

    def sub(self, a: Value, b: Value) -> Term:
        """`a - b`."""
        return self._sum("-", self._bounds.sub, a, b)

    def mul(self, a: Value, b: Value) -> Term:
        """`a b`: registered products of at most 16 bits each, then their sum; with a power of two only wires."""
        x, y = self.term(a), self.term(b)
        bounds = self._bounds.mul(x.bounds, y.bounds)
        for one, other in ((x, y), (y, x)):
            if one.number is not None and one.number > 0 and one.number & (one.number - 1) == 0:
                return self._shifted_left(other, one.number.bit_length() - 1, bounds)
            if one.number == 0:
                return self.term(0)
        narrow, wide = (x, y) if x.bits <= y.bits else (y, x)
        if wide.bits <= FACTOR_BITS:
            return self._registered(self._registered_product(wide, narrow, bounds), bounds)
        return self._split_product(wide, narrow, bounds)

    def shl(self, a: Value, k: Shift) -> Term:
        """`a 2^k`."""
        x, by = self.term(a), self.term(k)
        bounds = self._bounds.shl(x.bounds, k)
        if by.number is not None:
            return self._shifted_left(x, by.number, bounds)
        s = self._stage(x, by)
        width = signed_bits(bounds)
        wide = self._wire(self._at(x, s), bounds)
        return self._register(f"{wide} <<< $unsigned({self._at(by, s)})", bounds, s, width)

    def floor(self, a: Value, k: Shift) -> Term:
        """`floor(a / 2^k)`: an arithmetic right shift."""
        x, by = self.term(a), self.term(k)
        bounds = self._bounds.floor(x.bounds, k)
        if by.number is not None:
            return self._shifted_right(x, by.number, bounds)
        s = self._stage(x, by)
        return self._register(f"{self._at(x, s)} >>> $unsigned({self._at(by, s)})", bounds, s)

    def toward_zero(self, a: Value, k: Shift) -> Term:
        """`sign(a) floor(abs(a) / 2^k)`: the floor, and 1 more where bits of a negative number are cut off."""
        x, by = self.term(a), self.term(k)
        bounds = self._bounds.toward_zero(x.bounds, k)
        if by.number is None:
            return self._rounded_by_varying(x, by, bounds)
        if by.number <= x.zeros or int(x.bounds.low.min()) >= 0:
            return self._shifted_right(x, by.number, bounds)
        floor = self._shifted_right(x, by.number, self._bounds.floor(x.bounds, k))
        cut = min(by.number, x.bits)
        rest = self._register(f"{x.text}[{x.bits - 1}] & |{x.text}[{cut - 1}:0]", _BIT, x.stage, condition=True)
        return self._register(f"{self._at(floor, rest.stage)} + {_signed(rest)}", bounds, rest.stage)

    def saturate(self, a: Value, bits: int = 24) -> Term:
        """`a` within +-(2^(bits - 1) - 1); what cannot leave these bounds passes."""
        x, most = self.term(a), 2 ** (bits - 1) - 1
        bounds = self._bounds.saturate(x.bounds, bits)
        if -most <= int(x.bounds.low.min()) and int(x.bounds.high.max()) <= most:
            return x
        s = x.stage
        over = self._register(f"{x.text} > {literal(most)}", _BIT, s, condition=True)
        under = self._register(f"{x.text} < {literal(-most)}", _BIT, s, condition=True)
        self.saturated.append(self._condition(f"{over.text} | {under.text}", s + 1))
        form = f"{over.text} ? {literal(most)} : {under.text} ? {literal(-most)} : {self._at(x, s + 1)}"
        return self._register(form, bounds, s + 1)

    def min(self, a: Value, b: Value) -> Term:
        """The smaller one."""
        return self._chosen("<", self._bounds.min, a, b)

    def max(self, a: Value, b: Value) -> Term:
        """The greater one."""
        return self._chosen(">", self._bounds.max, a, b)

    def ge(self, a: Value, b: Value) -> Term:
        """1 where a >= b."""
        x, y = self.term(a), self.term(b)
        s = self._stage(x, y)
        bounds = self._bounds.ge(x.bounds, y.bounds)
        return self._register(f"{self._at(x, s)} >= {self._at(y, s)}", bounds, s, condition=True)

    def and_(self, a: Value, b: Value) -> Term:
        """1 where both hold."""
        return self._gate("&", self._bounds.and_, a, b)

    def or_(self, a: Value, b: Value) -> Term:
        """1 where one holds."""
        return self._gate("|", self._bounds.or_, a, b)

    def not_(self, a: Value) -> Term:
        """`1 - a`."""
        x = self.term(a)
        return self._condition(f"!{self._bit(x, x.stage)}", max(x.stage, 0), self._bounds.not_(x.bounds))

    def select(self, condition: Value, a: Value, b: Value) -> Term:
        """`a` where the condition holds, else `b`."""
        c, x, y = self.term(condition), self.term(a), self.term(b)
        bounds = self._bounds.select(c.bounds, x.bounds, y.bounds)
        s = self._stage(c, x, y)
        return self._register(f"{self._bit(c, s)} ? {self._at(x, s)} : {self._at(y, s)}", bounds, s)

    def push(self, word: Value, bit: Value) -> Term:
        """`(2 word + bit) mod 2^32`: wires."""
        x, y = self.term(word), self.term(bit)
        s = self._stage(x, y)
        wide = self._wire(self._at(x, s), _WORD)
        return self._wired(
            f"$signed({{1'b0, {wide}[30:0], {self._bit(y, s)}}})", self._bounds.push(x.bounds, y.bounds), s
        )

    def mask(self, word: Value, k: Shift) -> Term:
        """`word mod 2^k`."""
        x, by = self.term(word), self.term(k)
        bounds = self._bounds.mask(x.bounds, k)
        s = self._stage(x, by)
        wide = self._wire(self._at(x, s), _WORD)
        if by.number is not None:
            if by.number == 0:
                return self.term(0)
            return self._wired(f"$signed({{1'b0, {wide}[{by.number - 1}:0]}})", bounds, s)
        ones = f"$signed(33'h1ffffffff << $unsigned({self._at(by, s)}))"
        return self._register(f"{wide} & ~{ones}", bounds, s)

    def table(self, index: Value, entries: Ints) -> Term:
        """`entries[index]`: a ROM."""
        x = self.term(index)
        bounds = self._bounds.table(x.bounds, entries)
        s = max(x.stage, 0)
        name = self._constants.table(entries, self._at(x, s), signed_bits(bounds))
        return self._registered(Term(name, bounds, s + 1), bounds)

    def term(self, value: Value) -> Term:
        """An operand: a result of before, a number, or one for each neuron."""
        if isinstance(value, Term):
            return value
        values = np.asarray(value, np.int64)
        first = int(values.flat[0])
        if values.ndim == 0 or bool(np.all(values == first)):
            bounds = intervals.interval(first if values.ndim == 0 else values)
            return Term(literal(first), bounds, 0, zeros=_trailing(first), number=first)
        stage, later = self._constants.varying(values)
        return Term("", intervals.interval(values), stage, zeros=_trailing(int(np.gcd.reduce(values))), later=later)

    def at(self, value: Value, stage: int) -> str:
        """A value's wire at a later stage, as a signed expression."""
        return self._at(self.term(value), stage)

    def given(self, text: str, bounds: Interval, stage: int) -> Term:
        """A value that comes from outside: a signed wire as wide as its bounds ask for."""
        return Term(text, bounds, stage)

    def given_as(self, value: Term, bounds: Interval) -> Term:
        """The same value under bounds that are known of it otherwise."""
        return self._wired(value.text, bounds, value.stage)

    def _stage(self, *terms: Term) -> int:
        return max(0, *(each.stage for each in terms))

    def _at(self, term: Term, stage: int) -> str:
        if term.condition:
            return f"$signed({{1'b0, {self._bit(term, stage)}}})"
        if term.number is not None:
            return term.text
        if term.later is not None:
            return term.later(stage)
        return self._delayed(term, stage, f"signed [{term.bits - 1}:0] ")

    def _bit(self, term: Term, stage: int) -> str:
        """A condition as one bit."""
        if term.number is not None:
            return f"1'b{term.number}"
        if term.condition:
            return self._delayed(term, stage, "")
        return f"({self._at(term, stage)} != 0)"

    def _delayed(self, term: Term, stage: int, form: str) -> str:
        name = term.text
        for s in range(term.stage + 1, stage + 1):
            key = (term.text, s)
            if key not in self._late:
                self._late[key] = f"{term.text}_{s}"
                self.declared.append(f"logic {form}{self._late[key]};")
                self.clocked.append(f"{self._late[key]} <= {name};")
            name = self._late[key]
        return name

    def _name(self) -> str:
        self._count += 1
        return f"x{self._count}"

    def _register(
        self,
        form: str,
        bounds: Interval,
        stage: int,
        bits: int | None = None,
        *,
        condition: bool = False,
        zeros: int = 0,
    ) -> Term:
        """A new register, there one stage after its operands."""
        name = self._name()
        width = "" if condition else f"signed [{(bits or signed_bits(bounds)) - 1}:0] "
        self.declared.append(f"logic {width}{name};")
        self.clocked.append(f"{name} <= {form};")
        return Term(name, bounds, stage + 1, condition, zeros)

    def _registered(self, term: Term, bounds: Interval) -> Term:
        return self._register(term.text, bounds, term.stage, zeros=term.zeros)

    def _wired(self, form: str, bounds: Interval, stage: int, zeros: int = 0) -> Term:
        name = self._name()
        self.declared.append(f"logic signed [{signed_bits(bounds) - 1}:0] {name};")
        self.wired.append(f"{name} = {form};")
        return Term(name, bounds, stage, False, zeros)

    def _wire(self, form: str, bounds: Interval) -> str:
        return self._wired(form, bounds, 0).text

    def _condition(self, form: str, stage: int, bounds: Interval | None = None) -> Term:
        name = self._name()
        self.declared.append(f"logic {name};")
        self.wired.append(f"{name} = {form};")
        return Term(name, bounds or _BIT, stage, True)

    def _sum(self, sign: str, bounded: Callable[[Value, Value], Interval], a: Value, b: Value) -> Term:
        x, y = self.term(a), self.term(b)
        bounds = bounded(x.bounds, y.bounds)
        if y.number == 0 or (x.number == 0 and sign == "+"):
            kept = x if y.number == 0 else y
            if kept.number is None and kept.later is None and not kept.condition:
                return (
                    Term(kept.text, bounds, kept.stage, zeros=kept.zeros)
                    if signed_bits(bounds) == kept.bits
                    else (self._wired(kept.text, bounds, kept.stage, kept.zeros))
                )
        s = self._stage(x, y)
        form = f"{self._at(x, s)} {sign} {self._at(y, s)}"
        return self._register(form, bounds, s, zeros=min(x.zeros, y.zeros))

    def _chosen(self, sign: str, bounded: Callable[[Value, Value], Interval], a: Value, b: Value) -> Term:
        x, y = self.term(a), self.term(b)
        s = self._stage(x, y)
        first = self._register(f"{self._at(x, s)} {sign} {self._at(y, s)}", _BIT, s, condition=True)
        form = f"{first.text} ? {self._at(x, s + 1)} : {self._at(y, s + 1)}"
        return self._register(form, bounded(x.bounds, y.bounds), s + 1)

    def _gate(self, sign: str, bounded: Callable[[Value, Value], Interval], a: Value, b: Value) -> Term:
        x, y = self.term(a), self.term(b)
        s = self._stage(x, y)
        return self._condition(f"{self._bit(x, s)} {sign} {self._bit(y, s)}", s, bounded(x.bounds, y.bounds))

    def _shifted_left(self, x: Term, by: int, bounds: Interval) -> Term:
        s = max(x.stage, 0)
        if by == 0 and not x.condition:
            return Term(x.text, bounds, x.stage, False, x.zeros, x.number, x.later)
        if x.number is not None:
            return Term(literal(x.number << by), bounds, 0, zeros=x.zeros + by, number=x.number << by)
        text = self._at(x, s)
        return self._wired(f"$signed({{{text}, {by}'b0}})" if by else text, bounds, s, x.zeros + by)

    def _shifted_right(self, x: Term, by: int, bounds: Interval) -> Term:
        if by == 0 and not x.condition:
            return Term(x.text, bounds, x.stage, False, x.zeros, x.number, x.later)
        if x.number is not None:
            return Term(literal(x.number >> by), bounds, 0, number=x.number >> by)
        s = max(x.stage, 0)
        return self._wired(f"{self._at(x, s)} >>> {by}", bounds, s, max(x.zeros - by, 0))

    def _rounded_by_varying(self, x: Term, by: Term, bounds: Interval) -> Term:
        s = self._stage(x, by)
        wide = self._wire(self._at(x, s), x.bounds)
        floor = self._register(f"{wide} >>> $unsigned({self._at(by, s)})", bounds, s, x.bits)
        ones = f"$signed({{{x.bits}{{1'b1}}}})"
        cut = self._wire(f"{wide} & ~({ones} <<< $unsigned({self._at(by, s)}))", x.bounds)
        rest = self._register(f"{wide}[{x.bits - 1}] & |{cut}", _BIT, s, condition=True)
        return self._register(f"{floor.text} + {_signed(rest)}", bounds, s + 1)

    def _registered_product(self, x: Term, y: Term, bounds: Interval) -> Term:
        """Both factors registered, and the product: what a multiplier block has inside."""
        s = self._stage(x, y)
        f, g = (self._register(self._at(each, s), each.bounds, s) for each in (x, y))
        return self._register(f"{f.text} * {g.text}", bounds, s + 1, zeros=x.zeros + y.zeros)

    def _split_product(self, wide: Term, narrow: Term, bounds: Interval) -> Term:
        """Wide = 2^16 upper + lower: two products, and a sum over the upper one's bits only."""
        s = self._stage(wide, narrow)
        low = FACTOR_BITS - 1  # an unsigned part that is a signed factor of 16 bits
        f = self._register(self._at(wide, s), wide.bounds, s)
        g = self._register(self._at(narrow, s), narrow.bounds, s)
        n = narrow.bits
        upper, lower = self._name(), self._name()
        more = wide.bits - low
        self.declared += [f"logic signed [{more + n - 1}:0] {upper};", f"logic signed [{low + n}:0] {lower};"]
        self.clocked += [
            f"{upper} <= $signed({f.text}[{wide.bits - 1}:{low}]) * {g.text};",
            f"{lower} <= $signed({{1'b0, {f.text}[{low - 1}:0]}}) * {g.text};",
        ]
        upper_2, lower_2 = self._name(), self._name()
        self.declared += [f"logic signed [{more + n - 1}:0] {upper_2};", f"logic signed [{low + n}:0] {lower_2};"]
        self.clocked += [f"{upper_2} <= {upper};", f"{lower_2} <= {lower};"]
        top = self._name()
        self.declared.append(f"logic signed [{more + n}:0] {top};")
        self.wired.append(f"{top} = {upper_2} + $signed({lower_2}[{low + n}:{low}]);")
        return self._register(
            f"$signed({{{top}, {lower_2}[{low - 1}:0]}})", bounds, s + 3, zeros=wide.zeros + narrow.zeros
        )


_BIT = Interval(np.zeros(1, np.int64), np.ones(1, np.int64))
_WORD = Interval(np.zeros(1, np.int64), np.full(1, 2**32 - 1, np.int64))


def _trailing(value: int) -> int:
    """Bits at the low end that are 0; many of 0 itself."""
    return (value & -value).bit_length() - 1 if value else 64


def _signed(condition: Term) -> str:
    return f"$signed({{1'b0, {condition.text}}})"


def joined(values: list[Any]) -> Ints:
    """One array of the parts, each with a number for each neuron."""
    return np.concatenate([np.asarray(each, np.int64) for each in values])
