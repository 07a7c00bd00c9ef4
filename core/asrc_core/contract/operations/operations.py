"""The exact integer operations on which every neuron's step is written. A backend is an implementation of them.

Operands are a backend's own values, or constants: Python ints, and int64 arrays with one number for each neuron (N,).
Shifts ``k`` are constants. Nothing wraps: a network is valid only if intervals prove that every result fits in 64 bits.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from asrc_core.contract.numbers import Ints

Value: TypeAlias = Any
"""A backend's own value, or a constant."""
Shift: TypeAlias = "int | Ints"
"""A constant from 0 to 62, or one for each neuron."""


class Operations(Protocol):
    """One method for each operation, named as in docs/arithmetic.md. Comparisons and logic give 0 or 1."""

    def add(self, a: Value, b: Value) -> Value:
        """`a + b`."""

    def sub(self, a: Value, b: Value) -> Value:
        """`a - b`."""

    def mul(self, a: Value, b: Value) -> Value:
        """`a b`."""

    def shl(self, a: Value, k: Shift) -> Value:
        """`a 2^k`."""

    def floor(self, a: Value, k: Shift) -> Value:
        """`floor(a / 2^k)`: an arithmetic right shift."""

    def toward_zero(self, a: Value, k: Shift) -> Value:
        """`sign(a) floor(abs(a) / 2^k)`: rounded toward zero."""

    def saturate(self, a: Value, bits: int = 24) -> Value:
        """`min(max(a, -M), M)` with `M = 2^(bits - 1) - 1`; each entry that it changes is counted."""

    def min(self, a: Value, b: Value) -> Value:
        """The smaller one."""

    def max(self, a: Value, b: Value) -> Value:
        """The greater one."""

    def ge(self, a: Value, b: Value) -> Value:
        """1 where a >= b, else 0."""

    def and_(self, a: Value, b: Value) -> Value:
        """1 where both conditions hold, else 0."""

    def or_(self, a: Value, b: Value) -> Value:
        """1 where one of the conditions holds, else 0."""

    def not_(self, a: Value) -> Value:
        """`1 - a`, for a condition."""

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` where the condition holds, else `b`."""

    def push(self, word: Value, bit: Value) -> Value:
        """`(2 word + bit) mod 2^32`: the word of the last 32 spikes takes in one more."""

    def mask(self, word: Value, k: Shift) -> Value:
        """`word mod 2^k`: its latest k spikes, 0 <= k <= 32."""

    def table(self, index: Value, entries: Ints) -> Value:
        """`entries[index]`, the index provably one of them."""
