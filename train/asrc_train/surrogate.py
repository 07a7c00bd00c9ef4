"""The surrogate gradient that stands in for the derivative of the spike."""

from __future__ import annotations

from torch import Tensor


def triangle(distance: Tensor) -> Tensor:
    """max(0, 1 - |u - theta|), the paper's triangle with gamma = 1 (eq. 6). distance = u - theta."""
    return distance.abs().neg_().add_(1).clamp_min_(0)
