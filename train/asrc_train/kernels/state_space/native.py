"""One pass over time in C++ for each sample, and its adjoint; the sources lie in `kernels/native`.

Between forward and backward it keeps the current, and a neuron's state every 32 steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asrc_train.kernels.native import library
from asrc_train.kernels.native.library import instruction_set, require_memory
from asrc_train.kernels.native.resonators_library import CResonatorsCall, functions
from asrc_train.kernels.state_space.layer import Resonators


def why_not(u: Tensor, layer: Resonators) -> str | None:
    """Why this kernel cannot do it here, or None."""
    return library.why_not(u)


def spikes(u: Tensor, layer: Resonators) -> Tensor:
    """Spikes (T, B, N)."""
    one = torch.ones_like(layer.direct)
    made: Tensor = _Pass.apply(u, _constants(layer, one, torch.zeros_like(one)), layer)
    return made


def normalized_spikes(
    x: Tensor, layer: Resonators, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes for u = gamma (x - m) / sqrt(v + epsilon) + beta, with mean m and biased variance v (N,) over all of x.

    The same as batch normalisation before `spikes`, without writing u; m and v come with it, and have no gradient.
    """
    spikes, mean, variance = _Normalized.apply(x, _constants(layer, gamma, beta), layer, epsilon)
    return spikes, mean, variance


def _constants(layer: Resonators, scale: Tensor, shift: Tensor) -> Tensor:
    """The rows of asrc_resonators_call."""
    window = torch.ones_like(layer.direct)[:, None] if layer.window is None else layer.window
    parts = [*layer.pole, *layer.readout, layer.direct[:, None], window, scale[:, None], shift[:, None]]
    return torch.cat([part.t() for part in parts])


class _Pass(torch.autograd.Function):
    """The layer over all steps."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, constants: Tensor, layer: Resonators) -> Tensor:
        u, constants = u.contiguous(), constants.contiguous()
        made, kept = _fired(u, constants, layer, any(ctx.needs_input_grad))
        ctx.save_for_backward(u, constants, kept)
        ctx.layer = _shape_only(layer)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, constants, kept = ctx.saved_tensors
        return *_walked_back(u, constants, kept, ctx.layer, gradients[0]), None


class _Normalized(torch.autograd.Function):
    """The same; the last two rows of ``given`` are gamma and beta."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, given: Tensor, layer: Resonators, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        x, count = x.contiguous(), x.shape[0] * x.shape[1]
        sums = torch.empty(2, x.shape[2], dtype=torch.float64)
        require_memory(functions().asrc_resonators_moments(_call(x, given.contiguous(), layer), sums.data_ptr()) == 0)
        off = sums[0] / count
        mean, variance = x[0, 0] + off, (sums[1] / count - off.square()).clamp_(min=0)
        gain = given[-2] / torch.sqrt(variance + epsilon)
        constants = torch.cat([given[:-2], gain[None], (given[-1] - mean * gain)[None]]).to(x.dtype)
        made, kept = _fired(x, constants, layer, any(ctx.needs_input_grad))
        ctx.save_for_backward(x, constants, kept, mean, variance + epsilon)
        ctx.layer, ctx.count = _shape_only(layer), count
        statistics = mean.to(x.dtype), variance.to(x.dtype)
        ctx.mark_non_differentiable(*statistics)
        return made, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, constants, kept, mean, power = ctx.saved_tensors
        made, of_constants = _walked_back(x, constants, kept, ctx.layer, gradients[0])
        scaled, shifted = of_constants[-2].double(), of_constants[-1].double()  # sums of g x and of g, g = dL/du
        of_gamma = (scaled - mean * shifted) / power.sqrt()
        along = -constants[-2] * of_gamma / (ctx.count * power.sqrt())  # of x; the rest is the same for all steps
        by = torch.stack([-constants[-2] * shifted / ctx.count - along * mean, along]).to(x.dtype)
        call = _call(x, constants, ctx.layer)
        call.grad_input = made.data_ptr()
        require_memory(functions().asrc_resonators_settle(call, by.data_ptr()) == 0)
        of_norm = torch.stack([of_gamma, shifted]).to(x.dtype)
        return made, torch.cat([of_constants[:-2], of_norm]), None, None


def _fired(x: Tensor, constants: Tensor, layer: Resonators, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes, and what the way back needs: a state every 32 steps, or nothing."""
    call = _call(x, constants, layer)
    made = torch.empty_like(x)
    call.spikes = made.data_ptr()
    kept = x.new_empty(x.shape[1], functions().asrc_resonators_words(call) if keep else 0)
    call.kept = kept.data_ptr() if keep else None
    require_memory(functions().asrc_resonators_forward(call) == 0)
    return made, kept


def _walked_back(x: Tensor, constants: Tensor, kept: Tensor, layer: Resonators, above: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the constants."""
    if above.stride(2) != 1:
        above = above.contiguous()  # a sum over steps sends the same to all of them, which is not copied out here
    call = _call(x, constants, layer)
    made, of_samples = torch.empty_like(x), x.new_empty(x.shape[1], *constants.shape)
    call.kept, call.above = kept.data_ptr(), above.data_ptr()
    call.above_step, call.above_sample = above.stride()[:2]
    call.grad_input, call.grad_constants = made.data_ptr(), of_samples.data_ptr()
    require_memory(functions().asrc_resonators_backward(call) == 0)
    return made, of_samples.sum(0)


def _shape_only(layer: Resonators) -> Resonators:
    """What says how many modes and taps there are, and keeps no graph alive."""
    (c, d), (p, q) = layer.pole, layer.readout
    window = None if layer.window is None else layer.window.detach()
    return Resonators(
        (c.detach(), d.detach()),
        (p.detach(), q.detach()),
        layer.direct.detach(),
        window,
        layer.threshold,
        layer.period,
        layer.gate,
    )


def _call(x: Tensor, constants: Tensor, layer: Resonators) -> CResonatorsCall:
    steps, batch, neurons = x.shape
    return CResonatorsCall(
        element_bytes=x.dtype.itemsize,
        isa=instruction_set(),
        threads=torch.get_num_threads(),
        steps=steps,
        batch=batch,
        neurons=neurons,
        modes=layer.modes,
        taps=layer.taps,
        period=layer.period,
        masked=layer.gate == "masked",
        threshold=layer.threshold,
        constants=constants.data_ptr(),
        input=x.data_ptr(),
    )
