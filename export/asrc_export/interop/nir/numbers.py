"""A node's parameters as numbers, as they were meant before they went through single precision; what is wrong with one.

A file holds tau = dt / (1 - beta) in single precision. What is computed back from it is beta but for its last bits, and
a membrane that was to equal its threshold would miss it by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asrc_core.errors import InvalidSetting
from asrc_train.trained.frozen import Floats

LAST_BITS = 2.0**-22
"""Of a number about 1, in which single precision is lost after a few operations."""
BITS = 10
DIGITS = 4


def broken(node: str, why: str) -> InvalidSetting:
    """The error for a node that our networks have no place for."""
    return InvalidSetting(f"NIR node '{node}'", why)


def numbers(node: str, parameter: str, values: Any) -> Floats:
    """A parameter in double precision. Raises InvalidSetting unless it is finite numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise broken(node, f"its {parameter} is not numbers")
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all():
        raise broken(node, f"its {parameter} holds NaN or infinity")
    return wide


def plain(values: Floats) -> Floats:
    """Each value, or the short binary or decimal fraction that it is but for its last bits: 0.9000000358 was 0.9.

    Short are multiples of 2^-10, and numbers of at most four decimals. Errors are those of numbers about 1.
    """
    near = np.asarray(values, np.float64)
    found = near.copy()
    room = LAST_BITS * np.maximum(1.0, np.abs(near))
    for unit in (2.0**BITS, *(10.0**digits for digits in range(DIGITS, 0, -1))):
        short = np.rint(near * unit) / unit
        found = np.where((np.abs(short - near) <= room) & (short != 0), short, found)
    return found
