"""A weight matrix with many zeros as a bit for each weight and the numbers that are not zero.

Rows one after the other, weight k is present if bit 7 - k % 8 of byte k // 8 is 1 (first weight in the highest bit);
bits after the last weight are 0. The numbers follow in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural

Weights = NDArray[np.int16]


def packed(weights: Weights) -> tuple[NDArray[np.uint8], Weights]:
    """Bits (ceil(N I / 8),) and non-zero weights (K,) of a matrix (N, I)."""
    return np.packbits(weights != 0), weights[weights != 0]


def saved(weights: Weights) -> int:
    """Bytes that packing saves, below zero where it costs some."""
    return weights.nbytes - -(-weights.size // 8) - int(np.count_nonzero(weights)) * weights.itemsize


def unpacked(bits: NDArray[Any], values: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The matrix (N, I) of those bits and values, of which none is trusted.

    Nothing larger than the bits is made before they are known to be those of the shape. Raises ValueError.
    """
    size = shape[0] * shape[1]
    if bits.dtype != np.uint8 or bits.shape != (-(-size // 8),):
        raise ValueError(f"does not hold a bit for each of {shape[0]} x {shape[1]} weights")
    if size % 8 and bits[-1] & (0xFF >> size % 8):
        raise ValueError("has bits set after its last weight")
    present = np.unpackbits(bits, count=size).astype(bool).reshape(shape)
    count = int(np.count_nonzero(present))
    if values.dtype != np.int16 or values.shape != (count,):
        raise ValueError(
            f"has {plural(count, 'bit')} set, and its values are {values.dtype} {values.shape}, not int16 ({count},)"
        )
    if not values.all():
        raise ValueError("calls a weight present that is 0")
    weights = np.zeros(shape, np.int64)
    weights[present] = values
    return weights
