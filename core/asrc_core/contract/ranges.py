"""Worst-case ranges of every accumulator, proven from the weights and the stated input range."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from asrc_core.contract.arithmetic import DECAY_ONE, STATE_MAX, Ints, Reset, shift


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


def membrane_bounds(
    drive_low: Ints, drive_high: Ints, *, decay_constant: int, threshold: int, reset: Reset
) -> tuple[Ints, Ints]:
    """Per neuron, bounds of u before saturation, over inputs of any length.

    drive is ((a_ff + a_rec) << h) + b, and u = drive + decay(v) with |decay(v)| <= k |v|, k = (4096 - d) / 4096.
    Below, the most negative v that can be carried solves v = drive_low + k v. Above, a neuron that did not
    fire carries at most theta - 1; one that fired carries 0 (hard reset) or u - theta (soft), of which the
    greatest solves v = drive_high - theta + k v. The saturated state caps both.
    """
    sunk = _settled(-drive_low, decay_constant, STATE_MAX)
    risen = np.full_like(drive_high, threshold - 1)
    if reset == "soft":
        risen = np.maximum(risen, _settled(drive_high - threshold, decay_constant, STATE_MAX - threshold))
    kept = DECAY_ONE - decay_constant
    return drive_low - (sunk * kept >> 12), drive_high + (risen * kept >> 12)


def _settled(push: Ints, decay_constant: int, cap: int) -> Ints:
    """Where v = push + k v comes to rest (0 if push is not positive), rounded up, at most ``cap``."""
    if decay_constant == 0:
        return np.where(push > 0, np.int64(cap), np.int64(0))
    rest = -(np.maximum(push, 0) * -DECAY_ONE // decay_constant)
    return np.minimum(rest, cap)


def shifted(bounds: tuple[Ints, Ints], exponent: int) -> tuple[Ints, Ints]:
    """Bounds of shift(a, e); the shift is monotone, so it maps bounds to bounds."""
    return shift(bounds[0], exponent), shift(bounds[1], exponent)


def spread(bounds: tuple[Ints, Ints]) -> Range:
    """The range over all neurons."""
    return Range(int(bounds[0].min()), int(bounds[1].max()))
