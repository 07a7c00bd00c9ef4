"""One pass over time in C++ for each sample, and its adjoint; the sources lie in `kernels/native`.

Between forward and backward it keeps the current, and a neuron's state every 32 steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from asrc_train.kernels.native import library
from asrc_train.kernels.state_space.calls import Kind, Sequences, constants_of, fired, walked_back
from asrc_train.kernels.state_space.layer import Resonators
from asrc_train.kernels.state_space.stack import driven

__all__ = ["driven", "spikes", "why_not"]


def why_not(u: Tensor, layer: Resonators) -> str | None:
    """Why this kernel cannot do it here, or None."""
    return library.why_not(u)


def spikes(u: Tensor, layer: Resonators) -> Tensor:
    """Spikes (T, B, N)."""
    one = torch.ones_like(layer.direct)
    made: Tensor = _Pass.apply(u, constants_of(layer, one, torch.zeros_like(one)), Kind.of(layer))
    return made


class _Pass(torch.autograd.Function):
    """The layer over all steps."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, constants: Tensor, kind: Kind) -> Tensor:
        u, constants = u.contiguous(), constants.contiguous()
        made = torch.empty_like(u)
        kept = fired(Sequences(u, False), constants, kind, None, any(ctx.needs_input_grad), spikes=made)
        ctx.save_for_backward(u, constants, kept)
        ctx.kind = kind
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        u, constants, kept = ctx.saved_tensors
        made = torch.empty_like(u)
        above, to = Sequences(gradients[0], False), Sequences(made, False)
        return made, walked_back(Sequences(u, False), constants, ctx.kind, None, kept, above, to), None
