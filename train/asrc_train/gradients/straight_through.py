"""Straight-through estimation: one value forward, the gradient of another backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def straight_through(value: Tensor, stand_in: Tensor) -> Tensor:
    """``stand_in``, bit for bit, with the gradient that ``value`` would have had in its place.

    For roundings, whose own derivative is 0 nearly everywhere (Bengio, Leonard and Courville, 2013).
    """
    replaced: Tensor = _Replaced.apply(value, stand_in)
    return replaced


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, stand_in: Tensor) -> Tensor:
        return stand_in.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
