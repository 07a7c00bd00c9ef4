"""What connections compute, on NumPy int64 arrays: exact products, shifts, and taps of delay lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints

_Number = TypeVar("_Number", bound=np.generic)


def shift(a: Ints, exponent: int) -> Ints:
    """`a 2^e`, rounded down: left shift for e >= 0, arithmetic right shift for e < 0."""
    return a << exponent if exponent >= 0 else a >> -exponent


def push(line: NDArray[np.uint32], s: Ints) -> NDArray[np.uint32]:
    """The delay line after a step: (line << 1 | s) mod 2^32."""
    return (line << np.uint32(1)) | s.astype(np.uint32)


def tap(line: NDArray[np.uint32], span: int) -> Ints:
    """Bit span - 1 of the line left by step t - 1, which is s[t - span]."""
    return ((line >> np.uint32(span - 1)) & np.uint32(1)).astype(np.int64)


def recalled(spikes: NDArray[np.generic], taps: Sequence[tuple[int, float]], dtype: type[_Number]) -> NDArray[_Number]:
    """What comes back over a whole sequence, r[t] = sum_j m_j s[t - span_j], of spikes (T, ...) and taps (span_j, m_j).

    Zeros before the first step. ``dtype`` has to hold every m_j and their sum.
    """
    r: NDArray[Any] = np.zeros(spikes.shape, dtype)
    weights = np.array([weight for _, weight in taps], dtype)
    for (span, _), weight in zip(taps, weights, strict=True):
        r[span:] += weight * spikes[: max(0, len(spikes) - span)].astype(dtype)
    return r


def product(x: NDArray[np.generic], weights: NDArray[np.float64]) -> Ints:
    """`x @ weights` of integers through the floating-point BLAS, which NumPy lacks for integers.

    A valid network's partial sums are integers below 2^31, so double precision holds them exactly.
    """
    return (x.astype(np.float64) @ weights).astype(np.int64)
