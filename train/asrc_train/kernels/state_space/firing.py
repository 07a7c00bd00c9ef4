"""From the real read-out y to spikes, in plain torch operations: window, threshold, refractory period."""

from __future__ import annotations

import torch
from torch import Tensor

from asrc_train.gradients.surrogate import fire
from asrc_train.kernels.state_space.layer import Resonators


def spikes_of(y: Tensor, layer: Resonators) -> Tensor:
    """Spikes (T, B, N) of y (T, B, N)."""
    crossed = fire(windowed(y, layer.window) - layer.threshold)
    if not layer.period:
        return crossed
    allowed = refractory(crossed.detach() > 0, layer.period)
    if layer.gate == "masked":
        return crossed * allowed[1].to(crossed)
    return crossed + (allowed[0].to(crossed) - crossed).detach()


def windowed(y: Tensor, window: Tensor | None) -> Tensor:
    """h[t] = sum_j W_j y[t-j], with y = 0 before the first step."""
    if window is None:
        return y
    padded = torch.cat([y.new_zeros(window.shape[1] - 1, *y.shape[1:]), y])
    steps, last = len(y), window.shape[1] - 1
    terms = [window[:, j] * padded[last - j : last - j + steps] for j in range(window.shape[1])]
    return torch.stack(terms).sum(0)


@torch.no_grad()
def refractory(crossed: Tensor, period: int) -> tuple[Tensor, Tensor]:
    """Which crossings (T, B, N) become spikes, and at which steps no neuron's period forbids one."""
    wait = torch.zeros_like(crossed[0], dtype=torch.int16)
    spikes, free = torch.empty_like(crossed), torch.empty_like(crossed)
    for t, now in enumerate(crossed):
        free[t] = wait == 0
        spikes[t] = now & free[t]
        wait = torch.where(spikes[t], period, (wait - 1).clamp_(min=0)).to(torch.int16)
    return spikes, free
