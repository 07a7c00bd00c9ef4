"""The spike and the surrogate gradient that stands in for its derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def triangle(distance: Tensor) -> Tensor:
    """max(0, 1 - |u - theta|), the paper's triangle with gamma = 1 (eq. 6). distance = u - theta."""
    return distance.abs().neg_().add_(1).clamp_min_(0)


def fire(distance: Tensor) -> Tensor:
    """1 where u >= theta, else 0, with the triangle as its gradient. distance = u - theta."""
    spikes: Tensor = _Fire.apply(distance)
    return spikes


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return distance.ge(0).to(distance)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (distance,) = ctx.saved_tensors
        return gradients[0] * triangle(distance)
