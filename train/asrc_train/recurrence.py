"""The one function that runs a skip-recurrent layer over time.

A faster kernel takes the place of the one in here without the model noticing: same arguments,
same result, same gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from asrc_train.surrogate import triangle

Reset = Literal["soft", "hard"]


@dataclass(frozen=True)
class Dynamics:
    """The neuron's constants: decay factor alpha, threshold theta, kind of reset.

    ``detach_reset`` keeps the gradient from flowing through the reset (the paper lets it flow).
    """

    decay: float = 0.5
    threshold: float = 1.0
    reset: Reset = "soft"
    detach_reset: bool = False


def skip_recurrence(
    x: Tensor, weight: Tensor, bias: Tensor, recurrent: Tensor, taps: Tensor | int, dynamics: Dynamics
) -> Tensor:
    """Spikes of one layer over a whole sequence (paper eq. 1-4, 9-11).

        u[t] = alpha v[t-1] + W x[t] + b + U r[t]         membrane before reset
        s[t] = 1 if u[t] >= theta else 0
        v[t] = u[t] - theta s[t]   (soft reset)   or   u[t] (1 - s[t])   (hard reset)
        r[t] = s[t-taps]                               taps: a span (1 is the vanilla recurrence)
        r[t] = sum_{k=1..K} taps[k-1] s[t-k]             taps: mixture weights p, (K,)

    Spikes before t = 0 are 0. x: (T, B, I); weight: (N, I); bias: (N,); recurrent: (N, N);
    returns (T, B, N) of zeros and ones in the dtype of x. Gradients reach x, weight, bias,
    recurrent and the mixture weights; ds/du is the triangle of `surrogate`.
    """
    current = functional.linear(x, weight, bias)
    mixture = taps if isinstance(taps, Tensor) else None
    span = 0 if isinstance(taps, Tensor) else taps
    spikes: Tensor = _SkipRecurrence.apply(current, recurrent, mixture, span, dynamics)
    return spikes


class _SkipRecurrence(torch.autograd.Function):
    """Back-propagation through time written by hand: the loop costs a few small operations a step,
    and only the membrane is kept between forward and backward (the spikes are its comparison).
    """

    @staticmethod
    def forward(
        ctx: Any, current: Tensor, recurrent: Tensor, mixture: Tensor | None, span: int, dynamics: Dynamics
    ) -> Tensor:
        steps, batch, neurons = current.shape
        reach = span if mixture is None else mixture.numel()
        membrane = torch.empty_like(current)
        # `reach` rows of silence stand before t = 0, so that s[t-k] is row t + reach - k.
        history = current.new_zeros(reach + steps, batch, neurons)
        flat = history.view(reach + steps, batch * neurons)
        newest_last = None if mixture is None else mixture.flip(0)
        v = current.new_zeros(batch, neurons)
        for t in range(steps):
            if newest_last is None:
                r = history[t]
            else:
                r = (newest_last @ flat[t : t + reach]).view(batch, neurons)
            u = torch.addmm(current[t], r, recurrent.t(), out=membrane[t])
            u.add_(v, alpha=dynamics.decay)
            s = torch.ge(u, dynamics.threshold, out=history[t + reach])
            v = u - dynamics.threshold * s if dynamics.reset == "soft" else u * (1 - s)
        ctx.save_for_backward(membrane, history, recurrent, mixture)
        ctx.span, ctx.dynamics = span, dynamics
        return history[reach:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (grad_spikes,) = gradients
        membrane, history, recurrent, mixture = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        steps, batch, neurons = membrane.shape
        reach = ctx.span if mixture is None else mixture.numel()
        spikes = history[reach:]
        slope = triangle(membrane - dynamics.threshold)
        du = torch.empty_like(membrane)
        # What reaches the spikes through U: row t holds U^T du[t], rows beyond T are silent.
        fed_back = membrane.new_zeros(steps + reach, batch, neurons)
        flat = fed_back.view(steps + reach, batch * neurons)
        dv = membrane.new_zeros(batch, neurons)
        for t in range(steps - 1, -1, -1):
            if mixture is None:
                ds = grad_spikes[t] + fed_back[t + reach]
            else:
                ds = grad_spikes[t] + (mixture @ flat[t + 1 : t + 1 + reach]).view(batch, neurons)
            if dynamics.reset == "soft":
                through_reset, kept = -dynamics.threshold, dv
            else:
                through_reset, kept = -membrane[t], dv * (1 - spikes[t])
            if not dynamics.detach_reset:
                ds = ds + dv * through_reset
            torch.addcmul(kept, ds, slope[t], out=du[t])
            torch.mm(du[t], recurrent, out=fed_back[t])
            dv = du[t] * dynamics.decay
        grad_recurrent = du.new_zeros(neurons, neurons)
        grad_mixture = None if mixture is None else torch.empty_like(mixture)
        for k in range(1, reach + 1):
            if (mixture is None and k < reach) or k >= steps:
                if grad_mixture is not None:
                    grad_mixture[k - 1] = 0
                continue
            late, early = slice(k, steps), slice(0, steps - k)
            if grad_mixture is None:
                grad_recurrent = torch.einsum("tbn,tbm->nm", du[late], spikes[early])
            else:
                grad_mixture[k - 1] = torch.dot(fed_back[late].flatten(), spikes[early].flatten())
        if mixture is not None:
            r = torch.stack([(mixture.flip(0) @ history.view(reach + steps, -1)[t : t + reach]) for t in range(steps)])
            grad_recurrent = torch.einsum("tbn,tbm->nm", du, r.view(steps, batch, neurons))
        return du, grad_recurrent, grad_mixture, None, None
