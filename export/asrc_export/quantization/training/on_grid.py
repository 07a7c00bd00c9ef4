"""Parameters on their grids: the integers that stand for them forward, and their own gradient backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_train.gradients.straight_through import straight_through
from asrc_train.trained.frozen import Floats


def weights_on_grid(parameter: Tensor, factor: Any, integers: Ints, grid: WeightGrid) -> Tensor:
    """The integers, float64, with the gradient of parameter * factor; what lies beyond the grid's ends gets none."""
    half = grid.step / 2
    return on_grid(parameter.double() * on_device(factor, parameter), integers, grid.low - half, grid.high + half)


def on_grid(value: Tensor, integers: Any, low: float, high: float) -> Tensor:
    """The integers that stand for a value, float64, with its gradient from one end to the other."""
    beyond = (value.detach() < low) | (value.detach() > high)
    held = torch.where(beyond, value.detach(), value)
    return straight_through(held, torch.tensor(integers, dtype=held.dtype, device=held.device).expand(held.shape))


def array(parameter: Tensor) -> Floats:
    """A parameter's values, float64."""
    values: Floats = parameter.detach().cpu().double().numpy()
    return values


def on_device(values: Any, like: Tensor) -> Tensor:
    """Numbers as a tensor of double precision where another one is."""
    return torch.as_tensor(values, dtype=torch.float64, device=like.device)
