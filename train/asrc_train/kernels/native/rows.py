"""Sequences of numbers as the compiled kernels take them (rows_abi.h)."""

from __future__ import annotations

import ctypes

from torch import Tensor

PADDING = 32
"""Padded rows hold a multiple of so many numbers."""


class CRows(ctypes.Structure):
    """`asrc_rows`."""

    _fields_ = (("data", ctypes.c_void_p), *((name, ctypes.c_int64) for name in ("step", "sample", "padded")))


def padded(width: int) -> int:
    """How many numbers a padded row of ``width`` holds."""
    return -(-width // PADDING) * PADDING


def by_step(tensor: Tensor) -> CRows:
    """Of (T, B, n), the numbers of a row next to each other."""
    return CRows(tensor.data_ptr(), tensor.stride(0), tensor.stride(1), 0)


def by_sample(tensor: Tensor) -> CRows:
    """Of (B, T, n padded)."""
    return CRows(tensor.data_ptr(), tensor.stride(1), tensor.stride(0), 1)


def in_rows(tensor: Tensor) -> Tensor:
    """The same tensor with the numbers of a row next to each other."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def pointer(tensor: Tensor | None) -> int | None:
    """Where its numbers lie."""
    return None if tensor is None else tensor.data_ptr()
