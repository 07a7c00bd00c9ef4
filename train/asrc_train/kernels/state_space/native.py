"""One pass over time in C++ for each sample, and its adjoint; the sources lie in `kernels/native`.

Between forward and backward it keeps the current, and a neuron's state every 32 steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asrc_train.kernels.native.delays_library import require_memory
from asrc_train.kernels.native.library import instruction_set, library
from asrc_train.kernels.native.resonators_library import CResonatorsCall, functions
from asrc_train.kernels.state_space.layer import Resonators


def why_not(u: Tensor, layer: Resonators) -> str | None:
    """Why this kernel cannot do it here, or None."""
    if library() is None:
        return "it was not built here (no C++ compiler when the package was installed)"
    if u.device.type != "cpu":
        return f"the tensors are on {u.device.type}, and it runs on the CPU only"
    if u.dtype not in (torch.float32, torch.float64):
        return f"it computes in float32 and float64, not in {str(u.dtype).removeprefix('torch.')}"
    return None


def spikes(u: Tensor, layer: Resonators) -> Tensor:
    """Spikes (T, B, N)."""
    window = u.new_ones(layer.neurons, 1) if layer.window is None else layer.window
    parts = [*layer.pole, *layer.readout, layer.direct[:, None], window]
    made: Tensor = _Pass.apply(u, torch.cat([part.t() for part in parts]), layer)
    return made


class _Pass(torch.autograd.Function):
    """``constants`` are the rows of asrc_resonators_call."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, constants: Tensor, layer: Resonators) -> Tensor:
        u, constants = u.contiguous(), constants.contiguous()
        call = _call(u, constants, layer)
        made = torch.empty_like(u)
        call.spikes = made.data_ptr()
        if any(ctx.needs_input_grad):
            kept = u.new_empty(u.shape[1], functions().asrc_resonators_words(call))
            call.kept = kept.data_ptr()
            ctx.save_for_backward(u, constants, kept)
            ctx.layer = layer._replace(pole=_shape_only(layer), readout=_shape_only(layer))
        require_memory(functions().asrc_resonators_forward(call) == 0)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, constants, kept = ctx.saved_tensors
        above = gradients[0].contiguous()
        call = _call(u, constants, ctx.layer)
        made, of_samples = torch.empty_like(u), u.new_empty(u.shape[1], *constants.shape)
        call.kept, call.above = kept.data_ptr(), above.data_ptr()
        call.grad_input, call.grad_constants = made.data_ptr(), of_samples.data_ptr()
        require_memory(functions().asrc_resonators_backward(call) == 0)
        return made, of_samples.sum(0), None


def _shape_only(layer: Resonators) -> tuple[Tensor, Tensor]:
    """What says how many modes there are and keeps no graph alive."""
    return layer.pole[0].detach(), layer.pole[1].detach()


def _call(u: Tensor, constants: Tensor, layer: Resonators) -> CResonatorsCall:
    steps, batch, neurons = u.shape
    return CResonatorsCall(
        element_bytes=u.dtype.itemsize,
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
        input=u.data_ptr(),
    )
