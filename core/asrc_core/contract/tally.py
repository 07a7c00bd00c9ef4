"""Counting what passed: in how many steps something other than 0 was there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints

_STEPS = 255
"""So many ones a byte can add up. NumPy's own count along an axis makes eight bytes of every cell first."""


def steps_not_zero(values: NDArray[Any]) -> Ints:
    """In how many of the steps each cell of values (T, ...) is not 0: (...)."""
    there = (values != 0).view(np.uint8)
    counted = np.zeros(values.shape[1:], np.int64)
    for start in range(0, len(values), _STEPS):
        counted += np.add.reduce(there[start : start + _STEPS], axis=0, dtype=np.uint8)
    return counted
