"""A run of a delay network as a function that autograd knows; `kernels.choice` chooses the kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from asrc_train.kernels.choice import choose_delays
from asrc_train.kernels.delays.layer import Asked, DelayLayer, Kernel, Run, Synapses, Told, require_valid


class Answered(NamedTuple):
    """Answers (B, C) and spike counts (B, N) of each layer that fires, with gradients; what was found; the spikes."""

    answers: Tensor
    counts: list[Tensor]
    told: Told
    tape: Any
    kernel: Kernel

    def spikes(self) -> list[Tensor]:
        """(K, 3) int64 of each layer that fires: sample, step, neuron."""
        return self.kernel.spikes(self.tape)


def answered(run: Run, *, kernel: str | None = None) -> Answered:
    """What the network answers, and gradients for weights and delays that are floats beside whole steps.

    Every `Synapses` of ``run`` may hold delays in floats: the pass takes them rounded, half to even, and their gradient
    is that at the rounded place. Raises InvalidData, InvalidSetting, UnknownName and BackendMissing.
    """
    rounded = run._replace(layers=[_rounded(layer) for layer in run.layers])
    require_valid(rounded)
    chosen = choose_delays(rounded, kernel)
    tensors = [tensor for layer in run.layers for synapses in layer.connections for tensor in synapses]
    found: list[Any] = []
    answers, *counts = _Pass.apply(rounded, chosen, found, *tensors)
    told, tape = found
    return Answered(answers, counts, told, tape, chosen)


def _rounded(layer: DelayLayer) -> DelayLayer:
    def whole(given: Synapses) -> Synapses:
        return Synapses(given.weight.detach(), given.delay.detach().round().long())

    return layer._replace(forward=whole(layer.forward), back=None if layer.back is None else whole(layer.back))


class _Pass(torch.autograd.Function):
    """``tensors`` are weight and delay of each connection, one layer after the other."""

    @staticmethod
    def forward(ctx: Any, run: Run, kernel: Kernel, found: list[Any], *tensors: Tensor) -> tuple[Tensor, ...]:
        done = kernel.forward(run)
        found += [done.told, done.tape]
        ctx.tape, ctx.kernel = done.tape, kernel
        return done.answers, *done.counts

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        made = ctx.kernel.backward(ctx.tape, Asked(gradients[0], gradients[1:]))
        flat = [tensor for layer in made for synapses in layer for tensor in synapses]
        return None, None, None, *flat
