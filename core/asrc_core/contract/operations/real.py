"""The operations on real numbers: the same step of the same kind, without some or all of its roundings.

What a float network computes, and what an integer network would compute if it did not round (the report's rounding
ablation). Arrays are NumPy's, of double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.operations import Shift, Value


class RealOperations(NumpyOperations):
    """Shifts are products with powers of two. Conditions stay 0 or 1, words of spikes stay words.

    With ``rounding``, `floor` and `toward_zero` round to whole numbers and `saturate` saturates, as in integers; else
    none of them does. A table is linear between its entries, and constant beyond its ends.
    """

    def __init__(self, *, rounding: bool) -> None:
        super().__init__()
        self._rounding = rounding

    def shl(self, a: Value, k: Shift) -> Value:
        """`a 2^k`."""
        return _scaled(a, k)

    def floor(self, a: Value, k: Shift) -> Value:
        """`a / 2^k`, rounded down only with ``rounding``."""
        return np.floor(_scaled(a, -k)) if self._rounding else _scaled(a, -k)

    def toward_zero(self, a: Value, k: Shift) -> Value:
        """`a / 2^k`, rounded toward zero only with ``rounding``."""
        return np.trunc(_scaled(a, -k)) if self._rounding else _scaled(a, -k)

    def saturate(self, a: Value, bits: int = 24) -> Value:
        """`a`, kept within +-(2^(bits - 1) - 1) only with ``rounding``."""
        return super().saturate(a, bits) if self._rounding else a

    def and_(self, a: Value, b: Value) -> Value:
        """1 where both hold."""
        return np.logical_and(a, b).astype(np.int64)

    def or_(self, a: Value, b: Value) -> Value:
        """1 where one holds."""
        return np.logical_or(a, b).astype(np.int64)

    def push(self, word: Value, bit: Value) -> Value:
        """`(2 word + bit) mod 2^32`."""
        return super().push(_whole(word), _whole(bit))

    def mask(self, word: Value, k: Shift) -> Value:
        """`word mod 2^k`."""
        return super().mask(_whole(word), k)

    def table(self, index: Value, entries: Ints) -> Any:
        """The entries at the index, linear in between."""
        return np.interp(index, np.arange(len(entries)), entries)


class RealArithmetic:
    """Sums of connections are never rounded; ``rounding`` is that of `RealOperations`."""

    def __init__(self, *, rounding: bool = False) -> None:
        self._rounding = rounding

    def operations(self) -> RealOperations:
        """Fresh ones."""
        return RealOperations(rounding=self._rounding)

    def zeros(self, batch: int, width: int) -> Value:
        """(B, N) zeros."""
        return np.zeros((batch, width))

    def weights(self, layer: int, connection: int, lag: int, weights: NDArray[Any]) -> Any:
        """Transposed."""
        return np.ascontiguousarray(weights.T, np.float64)

    def product(self, x: Value, weights: Any) -> Value:
        """`W x`."""
        return x.astype(np.float64) @ weights

    def shift(self, a: Value, exponent: int) -> Value:
        """`a 2^e`."""
        return a * 2.0**exponent


def _scaled(a: Value, k: Shift) -> Value:
    """`a 2^k`."""
    return a * 2.0**k if isinstance(k, int) else np.ldexp(a, k)


def _whole(values: Value) -> Ints:
    """Words and bits, which states keep as whole numbers of another type at first."""
    return np.asarray(values).astype(np.int64)
