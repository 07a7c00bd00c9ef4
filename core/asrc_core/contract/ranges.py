"""Ranges of integers, and the worst case of a product."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from asrc_core.contract.arithmetic import shift
from asrc_core.contract.numbers import STATE_MAX, Ints


@dataclass(frozen=True)
class Range:
    """Lowest and highest value that a quantity can take."""

    low: int
    high: int

    @property
    def magnitude(self) -> int:
        """Largest absolute value in the range."""
        return max(-self.low, self.high)

    @property
    def fits_state(self) -> bool:
        """Whether no value of the range is changed by the 24-bit saturation."""
        return self.magnitude <= STATE_MAX

    @property
    def is_bit(self) -> bool:
        """Whether it is that of spikes: no value but 0 and 1."""
        return BIT.low <= self.low and self.high <= BIT.high


BIT = Range(0, 1)
"""A spike."""


def headroom_bits(reach: int, limit: int) -> float:
    """How many times a magnitude could double before it exceeds the limit; negative if it does already."""
    return math.log2(limit / max(reach, 1))


def product_bounds(weights: Ints, low: int, high: int) -> tuple[Ints, Ints]:
    """Per row, the least and the greatest that W x, or any part of that sum, can be over all x in [low, high]^I.

    A term left out counts as 0, so the range is widened to hold it: engines add in their own order.
    """
    low, high = min(low, 0), max(high, 0)
    wide = weights.astype(np.int64)
    rising = np.maximum(wide, 0).sum(axis=1)
    falling = wide.sum(axis=1) - rising
    return rising * low + falling * high, rising * high + falling * low


def shifted(bounds: tuple[Ints, Ints], exponent: int) -> tuple[Ints, Ints]:
    """Bounds of shift(a, e); the shift is monotone, so it maps bounds to bounds."""
    return shift(bounds[0], exponent), shift(bounds[1], exponent)


def spread(bounds: tuple[Ints, Ints]) -> Range:
    """The range over all neurons."""
    return Range(int(bounds[0].min()), int(bounds[1].max()))
