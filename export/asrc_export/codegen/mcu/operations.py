"""The operations as C99 for small processors: 32-bit arithmetic wherever the proof allows it, and nothing undefined.

As `codegen.c.operations`, with what a processor without vectors and with slow 64-bit registers is spared: numbers that
are the same for all neurons stand in the text, nothing is added that is 0, a decay is one widening multiply or a
shift, and right shifts of negative numbers are portable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.intervals import Interval
from asrc_core.contract.operations.operations import Shift, Value
from asrc_export.codegen.c.operations import COperations, Term, c_type, literal, register_bits

WIDEST_DIVISOR = {32: 30, 64: 62}
"""Places by which a register of that width is divided by a power of two that it still holds."""


class McuOperations(COperations):
    """Operations that append a statement each; the text uses the macro ``ASRC_FLOOR`` and ``asrc_scaled``."""

    def add(self, a: Value, b: Value) -> Term:
        """A + b."""
        if _is_zero(b):
            return self.term(a)
        return self.term(b) if _is_zero(a) else super().add(a, b)

    def sub(self, a: Value, b: Value) -> Term:
        """A - b."""
        return self.term(a) if _is_zero(b) else super().sub(a, b)

    def mul(self, a: Value, b: Value) -> Term:
        """A b; which product it is, is kept for `toward_zero`."""
        made = super().mul(a, b)
        self._products[made.text] = (a, b)
        return made

    def shl(self, a: Value, k: Shift) -> Term:
        """A 2^k."""
        return self.term(a) if _is_zero(k) else super().shl(a, k)

    def floor(self, a: Value, k: Shift) -> Term:
        """A / 2^k, rounded down."""
        if _is_zero(k):
            return self.term(a)
        x, by = self.term(a), self.term(k)
        bits = max(x.bits, 32 if int(by.bounds.high.max()) < 32 else 64)
        wide = x.text if x.bits == bits else f"({c_type(bits)}){x.text}"
        return self._kept(self._bounds.floor(x.bounds, k), f"ASRC_FLOOR({wide}, {by.text})", bits)

    def toward_zero(self, a: Value, k: Shift) -> Term:
        """sign(a) floor(|a| / 2^k): what division in C does."""
        x = self.term(a)
        if np.ndim(k) != 0:
            return super().toward_zero(x, k)
        places = int(k)
        bounds = self._bounds.toward_zero(x.bounds, places)
        factors = self._products.get(x.text)
        if factors is not None:
            shared = self._scaled(factors, places, bounds)
            if shared is not None:
                return shared
        return self._divided(x, places, bounds)

    def push(self, word: Value, bit: Value) -> Term:
        """(2 word + bit) mod 2^32."""
        x, y = self.term(word), self.term(bit)
        text = f"(int64_t)(uint32_t)((uint32_t){x.text} << 1 | (uint32_t){y.text})"
        return self._kept(self._bounds.push(x.bounds, y.bounds), text, 64)

    def kept_statements(self, after: Sequence[str]) -> list[str]:
        """The statements without products that nothing reads, nor ``after`` them: those that became a shift or a
        widening multiply.
        """
        left = list(self.statements)
        for name in self._products:
            used = re.compile(rf"\b{name}\b")
            readers = [each for each in [*left, *after] if used.search(each)]
            if len(readers) == 1:
                left.remove(readers[0])
        return left

    @property
    def _products(self) -> dict[str, tuple[Value, Value]]:
        found: dict[str, tuple[Value, Value]] = self.__dict__.setdefault("products", {})
        return found

    def _divided(self, x: Term, places: int, bounds: Interval) -> Term:
        if places == 0:
            return x
        bits = 64 if x.bits == 64 or places > WIDEST_DIVISOR[32] else 32
        wide = x.text if x.bits == bits else f"({c_type(bits)}){x.text}"
        return self._kept(bounds, f"{wide} / {literal(2**places)}", bits)

    def _scaled(self, factors: tuple[Value, Value], places: int, bounds: Interval) -> Term | None:
        """A product with constants that are not negative, divided by 2^places; None if it takes another way."""
        of, by = factors if not isinstance(factors[1], Term) else factors[::-1]
        if isinstance(by, Term) or not isinstance(of, Term) or int(np.min(by)) < 0:
            return None
        x = self.term(of)
        if np.ndim(by) == 0:
            by = int(by)
            even = min(places, (by & -by).bit_length() - 1) if by else places
            by, places = by >> even, places - even
            if by == 1 or places == 0:
                return self._divided(x if by == 1 else super().mul(x, by), places, bounds)
            if register_bits(self._bounds.mul(x.bounds, by)) == 32:
                return self._divided(super().mul(x, by), places, bounds)
        reach = int(np.maximum(-x.bounds.low, x.bounds.high).max())
        constant = min(31 - int(np.max(by)).bit_length(), 32 - places)
        value = 32 - places - constant
        if x.bits == 64 or constant < 0 or value > 31 - reach.bit_length():
            return None
        factor = self.term(by * 2**constant if isinstance(by, int) else np.asarray(by, np.int64) << constant)
        shifted = x.text if value == 0 else f"{x.text} * {2**value}"
        return self._kept(bounds, f"asrc_scaled({shifted}, {factor.text})", 32)


def _is_zero(value: Value | Shift) -> bool:
    return not isinstance(value, Term) and not np.any(value)


def alike(values: Any) -> Ints | int:
    """One number where all of them are it."""
    if np.ndim(values) == 0:
        return int(values)
    first = int(values[0])
    return first if bool(np.all(values == first)) else np.asarray(values, np.int64)
