"""Numbers that went through single precision, as they were meant: 0.9000000358 was 0.9.

A file holds tau = dt / (1 - beta) in single precision. What is computed back from it is beta but for its last bits, and
a membrane that was to equal its threshold would miss it by them.
"""

from __future__ import annotations

import numpy as np

from asrc_train.trained.frozen import Floats

LAST_BITS = 2.0**-22
"""Of a number about 1, in which single precision is lost after a few operations."""
BITS = 10
DIGITS = 4


def plain(values: Floats) -> Floats:
    """Each value, or the short binary or decimal fraction that it is but for its last bits.

    Short are multiples of 2^-10, and numbers of at most four decimals. Errors are those of numbers about 1.
    """
    near = np.asarray(values, np.float64)
    found = near.copy()
    room = LAST_BITS * np.maximum(1.0, np.abs(near))
    for unit in (2.0**BITS, *(10.0**digits for digits in range(DIGITS, 0, -1))):
        short = np.rint(near * unit) / unit
        found = np.where((np.abs(short - near) <= room) & (short != 0), short, found)
    return found
