"""The operations on NumPy int64 arrays: the reference that every other backend is held to."""

from __future__ import annotations

from typing import Any

import numpy as np

from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.operations import Shift, Value


class NumpyOperations:
    """Arrays broadcast; neurons come last. ``saturations`` counts the entries that `saturate` changed."""

    def __init__(self) -> None:
        self.saturations = 0

    def add(self, a: Value, b: Value) -> Value:
        """`a + b`."""
        return a + b

    def sub(self, a: Value, b: Value) -> Value:
        """`a - b`."""
        return a - b

    def mul(self, a: Value, b: Value) -> Value:
        """`a b`."""
        return a * b

    def shl(self, a: Value, k: Shift) -> Value:
        """`a 2^k`."""
        return a << k

    def floor(self, a: Value, k: Shift) -> Value:
        """`floor(a / 2^k)`."""
        return a >> k

    def toward_zero(self, a: Value, k: Shift) -> Value:
        """`sign(a) floor(abs(a) / 2^k)`: a negative number is first raised by 2^k - 1, so that rounding down is up."""
        return (a + ((a >> 63) & ((np.int64(1) << k) - 1))) >> k

    def saturate(self, a: Value, bits: int = 24) -> Value:
        """`a` kept within +-(2^(bits - 1) - 1)."""
        most = 2 ** (bits - 1) - 1
        if np.max(a) <= most and np.min(a) >= -most:  # the usual case costs two passes that write nothing
            return a
        held = np.clip(a, -most, most)
        self.saturations += int(np.count_nonzero(held != a))
        return held

    def min(self, a: Value, b: Value) -> Value:
        """The smaller one."""
        return np.minimum(a, b)

    def max(self, a: Value, b: Value) -> Value:
        """The greater one."""
        return np.maximum(a, b)

    def ge(self, a: Value, b: Value) -> Value:
        """1 where a >= b."""
        return np.greater_equal(a, b).astype(np.int64)

    def and_(self, a: Value, b: Value) -> Value:
        """1 where both hold."""
        return a & b

    def or_(self, a: Value, b: Value) -> Value:
        """1 where one holds."""
        return a | b

    def not_(self, a: Value) -> Value:
        """`1 - a`."""
        return 1 - a

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` where the condition holds, else `b`."""
        return np.where(condition, a, b)

    def push(self, word: Value, bit: Value) -> Value:
        """`(2 word + bit) mod 2^32`."""
        return ((word << 1) | bit) & (2**32 - 1)

    def mask(self, word: Value, k: Shift) -> Value:
        """`word mod 2^k`."""
        return word & ((np.int64(1) << k) - 1)

    def table(self, index: Value, entries: Ints) -> Any:
        """`entries[index]`."""
        return entries[index]
