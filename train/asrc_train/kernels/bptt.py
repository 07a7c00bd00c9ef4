"""Back-propagation through time written by hand in plain torch operations: any device, any float type.

Written out over one layer, with slope[t] = triangle(u[t] - theta) and ds[t] the gradient that reaches s[t] from
above and through U (not through the reset), the equations give

    du[t]    = carry[t] * du[t+1] + slope[t] * ds[t]
    carry[t] = alpha * dv[t]/du[t] = alpha * (1 - theta slope[t])                 soft reset
                                     alpha * (1 - s[t] - u[t] slope[t])           hard reset
                                     (without the slope's term if the reset is detached)

so all but two operations a step are done for all steps at once. Whatever reaches back over several steps is one
matrix product for a block of steps: lambda of them for a span, BLOCK of them (less what happens inside the block)
for a mixture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from asrc_train.gradients.surrogate import triangle
from asrc_train.kernels.layer import Dynamics, SkipLayer, current, one_after_the_other, require_finite

BLOCK = 16
"""Steps for which a mixture's older part is one matrix product."""


def why_not(x: Tensor, layers: Sequence[SkipLayer]) -> str | None:
    """Nothing it does not cover."""
    return None


def spikes(x: Tensor, layer: SkipLayer) -> Tensor:
    """Spikes (T, B, N) of one layer."""
    return one_after_the_other(x, (layer,), _spikes)


def counts(x: Tensor, layers: Sequence[SkipLayer]) -> Tensor:
    """Spikes of the last layer summed over time, (B, N)."""
    return one_after_the_other(x, layers, _spikes).sum(0)


def _spikes(x: Tensor, layer: SkipLayer) -> Tensor:
    driven = current(x, layer)
    require_finite("the current that input x makes", driven)
    dynamics = layer.dynamics
    out: Tensor = _Recurrence.apply(
        driven, layer.recurrent, layer.mixture, dynamics.decay, dynamics.threshold, layer.span, dynamics
    )
    return out


class _Recurrence(torch.autograd.Function):
    """decay and threshold are given twice: as tensors for autograd to see, and within ``dynamics``."""

    @staticmethod
    def forward(
        ctx: Any,
        driven: Tensor,
        recurrent: Tensor,
        mixture: Tensor | None,
        decay: Tensor | float,
        threshold: Tensor | float,
        span: int,
        dynamics: Dynamics,
    ) -> Tensor:
        alpha, theta = float(decay), float(threshold)
        with _denormals_flushed(driven):
            if mixture is None:
                u, history = _run_span(driven, recurrent, span, alpha, theta, dynamics)
                r = None
            else:
                u, history, r = _run_mixture(driven, recurrent, mixture, alpha, theta, dynamics)
        ctx.save_for_backward(u, history, r, recurrent, mixture)
        ctx.alpha, ctx.theta, ctx.span, ctx.dynamics = alpha, theta, span, dynamics
        return history[-len(driven) :]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, history, r, recurrent, mixture = ctx.saved_tensors
        s = history[-len(u) :]
        alpha, theta, dynamics = ctx.alpha, ctx.theta, ctx.dynamics
        slope = triangle(u - theta)
        carry = _carry(u, s, slope, alpha, theta, dynamics)
        # Autocast is off in the forward pass, but who calls the backward pass may have it on.
        with _denormals_flushed(u), torch.autocast(u.device.type, enabled=False):
            if mixture is None:
                du = _back_span(gradients[0] * slope, slope, carry, recurrent, ctx.span)
                recalled_du, recalled = du[ctx.span :], s[: max(0, len(s) - ctx.span)]
                d_mixture = None
            else:
                du, fed_back = _back_mixture(gradients[0], slope, carry, recurrent, mixture)
                recalled_du, recalled = du, r
                d_mixture = _correlate(fed_back, history) if ctx.needs_input_grad[2] else None
            d_recurrent = recalled_du.flatten(0, 1).t() @ recalled.flatten(0, 1)
        wanted = ctx.needs_input_grad[3] or ctx.needs_input_grad[4]
        d_decay, d_threshold = _dynamics_gradients(du, u, s, alpha, theta, dynamics) if wanted else (None, None)
        if not ctx.needs_input_grad[3]:
            d_decay = None  # PyTorch takes none for what is no tensor
        if not ctx.needs_input_grad[4]:
            d_threshold = None
        return du, d_recurrent, d_mixture, d_decay, d_threshold, None, None


def _run_span(
    driven: Tensor, recurrent: Tensor, span: int, alpha: float, theta: float, dynamics: Dynamics
) -> tuple[Tensor, Tensor]:
    """Membrane before reset and spikes; ``span`` steps see only spikes from before them, so they share a product."""
    neurons = driven.shape[2]
    u, s = torch.empty_like(driven, memory_format=torch.contiguous_format), torch.empty_like(driven)
    v = torch.zeros_like(u[0])
    for begin in range(0, len(u), span):
        block, end = slice(begin, begin + span), min(len(u), begin + span)
        if begin == 0:
            u[block] = driven[block]
        else:
            past = s[begin - span : end - span].reshape(-1, neurons)
            torch.addmm(driven[block].reshape(-1, neurons), past, recurrent.t(), out=u[block].view(-1, neurons))
        for t in range(begin, end):
            _advance(u[t], v, s[t], alpha, theta, dynamics)
    return u, s


def _run_mixture(
    driven: Tensor, recurrent: Tensor, mixture: Tensor, alpha: float, theta: float, dynamics: Dynamics
) -> tuple[Tensor, Tensor, Tensor]:
    """Membrane before reset, spikes behind K rows of silence, and r[t] = sum_k p_k s[t-k]."""
    steps, batch, neurons = driven.shape
    reach = len(mixture)
    u = torch.empty_like(driven, memory_format=torch.contiguous_format)
    history = driven.new_zeros(reach + steps, batch, neurons)
    r = torch.empty_like(u)
    flat, flat_r = history.view(reach + steps, -1), r.view(steps, -1)
    older, newest_last = _older_part(mixture), mixture.flip(0)
    transposed = recurrent.t().contiguous()
    v = torch.zeros_like(u[0])
    for begin in range(0, steps, BLOCK):
        width = min(BLOCK, steps - begin)
        torch.mm(older[:width], flat[begin : begin + reach], out=flat_r[begin : begin + width])
        for t in range(begin, begin + width):
            near = min(t - begin, reach)
            if near:
                flat_r[t].addmv_(flat[reach + t - near : reach + t].t(), newest_last[reach - near :])
            torch.addmm(driven[t], r[t], transposed, out=u[t])
            _advance(u[t], v, history[reach + t], alpha, theta, dynamics)
    return u, history, r


def _advance(u: Tensor, v: Tensor, s: Tensor, alpha: float, theta: float, dynamics: Dynamics) -> None:
    """One step of the membrane, in place: u holds the current and becomes the membrane, s and v follow."""
    if dynamics.resolution is None:
        u.add_(v, alpha=alpha)
    else:  # v is not needed any more; scaling by a power of two is exact
        u.add_(v.mul_(alpha / dynamics.resolution).trunc_(), alpha=dynamics.resolution)
    torch.ge(u, theta, out=s)
    if dynamics.reset == "soft":
        torch.sub(u, s, alpha=theta, out=v)
    else:
        torch.addcmul(u, u, s, value=-1, out=v)


def _carry(u: Tensor, s: Tensor, slope: Tensor, alpha: float, theta: float, dynamics: Dynamics) -> Tensor:
    kept = torch.ones_like(s) if dynamics.reset == "soft" else 1 - s
    if not dynamics.detach_reset:
        kept = kept - slope * (theta if dynamics.reset == "soft" else u)
    return kept * alpha


def _back_span(above: Tensor, slope: Tensor, carry: Tensor, recurrent: Tensor, span: int) -> Tensor:
    """du; ``above`` is slope * ds without what comes through U, and is overwritten."""
    steps, _, neurons = above.shape
    du = torch.empty_like(slope)
    later = torch.zeros_like(du[0])
    for end in range(steps, 0, -span):
        begin = max(0, end - span)
        reached = min(end, steps - span)
        if reached > begin:
            fed_back = du[begin + span : reached + span].view(-1, neurons) @ recurrent
            above[begin:reached].view(-1, neurons).addcmul_(fed_back, slope[begin:reached].view(-1, neurons))
        for t in range(end - 1, begin - 1, -1):
            later = torch.addcmul(above[t], later, carry[t], out=du[t])
    return du


def _back_mixture(
    above: Tensor, slope: Tensor, carry: Tensor, recurrent: Tensor, mixture: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of the membrane and what U feeds back of them: du and U^T du."""
    steps, batch, neurons = slope.shape
    reach = len(mixture)
    du = torch.empty_like(slope)
    fed_back = slope.new_zeros(steps + reach, batch, neurons)  # silence after the last step
    flat = fed_back.view(steps + reach, -1)
    later_steps = _later_part(mixture)
    ds = slope.new_empty(BLOCK, batch * neurons)
    later = torch.zeros_like(du[0])
    for end in range(steps, 0, -BLOCK):
        width = min(BLOCK, end)
        torch.mm(later_steps[BLOCK - width :], flat[end : end + reach], out=ds[:width])
        for row in range(width - 1, -1, -1):
            t = end - width + row
            near = min(end - 1 - t, reach)
            if near:
                ds[row].addmv_(flat[t + 1 : t + 1 + near].t(), mixture[:near])
            reaching = ds[row].view(batch, neurons).add_(above[t])
            later = torch.mul(later, carry[t], out=du[t]).addcmul_(reaching, slope[t])
            torch.mm(later, recurrent, out=fed_back[t])
    return du, fed_back[:steps]


def _older_part(mixture: Tensor) -> Tensor:
    """(BLOCK, K): row j weighs the K steps before a block, oldest first, for the block's step j."""
    padded = torch.cat([mixture.new_zeros(BLOCK - 1), mixture.flip(0)])
    return padded.unfold(0, len(mixture), 1).flip(0)


def _later_part(mixture: Tensor) -> Tensor:
    """(BLOCK, K): row BLOCK - d weighs the K steps after a block for the block's step d before its end."""
    padded = torch.cat([mixture, mixture.new_zeros(BLOCK - 1)])
    return padded.unfold(0, len(mixture), 1).flip(0)


def _correlate(fed_back: Tensor, history: Tensor) -> Tensor:
    """sum_t <fed_back[t], s[t-k]> for k = 1..K; s[t] is row K + t of ``history``.

    The products of a block of steps with all they reach back to are one matrix product; lag k is a diagonal of it.
    """
    block, steps = 4 * BLOCK, len(fed_back)
    reach = len(history) - steps
    rows, columns = fed_back.reshape(steps, -1), history.view(reach + steps, -1)
    products = fed_back.new_zeros(block, block + reach)
    for begin in range(0, steps, block):
        width = min(block, steps - begin)
        products[:width, : width + reach] += rows[begin : begin + width] @ columns[begin : begin + width + reach].t()
    return torch.stack([products.diagonal(reach - k).sum() for k in range(1, reach + 1)])


def _dynamics_gradients(
    du: Tensor, u: Tensor, s: Tensor, alpha: float, theta: float, dynamics: Dynamics
) -> tuple[Tensor, Tensor]:
    """Gradients of decay and threshold: through v[t-1]; through the spike (slope * ds) and the soft reset's size."""
    soft = dynamics.reset == "soft"
    v = u - theta * s if soft else u * (1 - s)
    dv = torch.cat([alpha * du[1:], torch.zeros_like(du[:1])])
    through_spike = du - (dv if soft else dv * (1 - s))
    d_threshold = -through_spike.sum()
    if soft:
        d_threshold = d_threshold - (dv * s).sum()
    return (du[1:] * v[:-1]).sum(), d_threshold


@contextmanager
def _denormals_flushed(like: Tensor) -> Iterator[None]:
    """A gradient halves at every step outside the surrogate's window; as a denormal it would cost a hundred times more.

    The processor's mode is left as it was found. Devices other than the CPU do not mind denormals.
    """
    if like.device.type != "cpu" or float(torch.tensor(1e-310, dtype=torch.float64) * 1.0) == 0:
        yield
        return
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
