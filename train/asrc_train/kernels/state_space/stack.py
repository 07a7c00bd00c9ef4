"""Layers with their weights, one after the other, on the compiled kernels; spikes go from layer to layer as bits.

For the way back it keeps of each layer the current, the spikes it hears as bits, and a state every 32 steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from asrc_train.kernels.layer import require_finite
from asrc_train.kernels.native import FEW_CHANNELS, pack_spikes, room_for_spikes
from asrc_train.kernels.native.rows import in_rows, padded
from asrc_train.kernels.state_space.calls import (
    Heard,
    Kind,
    Sequences,
    constants_of,
    fired,
    projected,
    room,
    unprojected,
    walked_back,
)
from asrc_train.kernels.state_space.layer import Driven, Statistics

TENSORS = 4
"""Of a layer: weight, bias, constants, gain."""


class Described(NamedTuple):
    """Of a layer, what is no tensor; ``epsilon`` of a layer that is normalised."""

    kind: Kind
    epsilon: float | None
    where: str


def driven(x: Tensor, layers: Sequence[Driven], summed: bool) -> tuple[Tensor, list[Statistics | None]]:
    """Spikes (T, B, N) of the last layer or their sum over time, and statistics of the normalised layers.

    Raises InvalidData for NaN or infinity in ``x`` or in what it makes.
    """
    bits = None
    if x.shape[2] > FEW_CHANNELS:
        packed, value = pack_spikes(x.detach())
        bits = packed if value == 1 else None
    if bits is None:
        require_finite(f"{layers[0].where}input", x)
    tensors: list[Tensor | None] = []
    for layer in layers:
        norm = layer.normalization
        scale = torch.ones_like(layer.bias) if norm is None else norm.gamma
        shift = torch.zeros_like(layer.bias) if norm is None else norm.beta
        gain = None if layer.gain is None else layer.gain.detach().contiguous()
        tensors += [layer.weight, layer.bias, constants_of(layer.neurons, scale, shift), gain]
    described = [
        Described(Kind.of(of.neurons), None if of.normalization is None else of.normalization.epsilon, of.where)
        for of in layers
    ]
    made, *found = _Stack.apply(x, bits, described, summed, *tensors)
    pairs = iter(zip(found[::2], found[1::2], strict=True))
    return made, [None if of.epsilon is None else Statistics(*next(pairs)) for of in described]


class _Layer(NamedTuple):
    """What the way back needs of one layer."""

    heard: Tensor  # numbers (T, B, I), or bits
    weight: Tensor
    bias: Tensor
    current: Tensor
    constants: Tensor
    gain: Tensor | None
    kept: Tensor
    mean: Tensor | None
    power: Tensor | None  # variance and epsilon


class _Stack(torch.autograd.Function):
    """All layers; ``tensors`` are `TENSORS` of each."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bits: Tensor | None, layers: list[Described], summed: bool, *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        steps, batch = x.shape[:2]
        keep = any(ctx.needs_input_grad)
        heard = Heard(x.shape[2], in_rows(x), None) if bits is None else Heard(x.shape[2], None, bits)
        kept, statistics, out = [], [], x
        for i, (kind, epsilon, where) in enumerate(layers):
            weight, bias, given, gain = tensors[TENSORS * i : TENSORS * (i + 1)]
            assert weight is not None
            assert bias is not None
            assert given is not None
            weight, bias, constants = weight.contiguous(), bias.contiguous(), given.contiguous()
            mean = power = None
            current = room(x, steps, batch, kind.neurons)
            moments = projected(heard, weight, bias, current, epsilon is not None)
            if moments is not None and epsilon is not None:
                mean, variance = _statistics(*moments, steps * batch)
                if not variance.isfinite().all():
                    require_finite(f"{where}current", current[..., : kind.neurons])
                power = variance + epsilon
                scale = given[-2] / torch.sqrt(power)
                constants = torch.cat([given[:-2], scale[None], (given[-1] - mean * scale)[None]]).to(x.dtype)
                statistics += [mean.to(x.dtype), variance.to(x.dtype)]
            last = i == len(layers) - 1
            sent = None if last else room_for_spikes(x, kind.neurons)
            if last:
                out = x.new_empty((batch, kind.neurons) if summed else (steps, batch, kind.neurons))
            states = fired(
                Sequences(current, padded=True),
                constants,
                kind,
                gain,
                keep,
                spikes=out if last and not summed else None,
                bits=sent,
                counts=out if last and summed else None,
            )
            if keep:
                of = heard.numbers if heard.bits is None else heard.bits
                assert of is not None
                kept.append(_Layer(of, weight, bias, current, constants, gain, states, mean, power))
            heard = Heard(kind.neurons, None, sent)
        ctx.save_for_backward(*(tensor for layer in kept for tensor in layer))
        ctx.layers, ctx.inputs, ctx.spiking, ctx.summed = layers, x.shape[2], bits is not None, summed
        ctx.mark_non_differentiable(*statistics)
        return out, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        size, found = len(_Layer._fields), []
        kept = [_Layer(*ctx.saved_tensors[i : i + size]) for i in range(0, len(ctx.saved_tensors), size)]
        batch, steps = kept[0].current.shape[:2]
        given = gradients[0].expand(steps, -1, -1) if ctx.summed else gradients[0]
        above, of_input = Sequences(given, padded=False), None
        for i in reversed(range(len(kept))):
            layer, (kind, epsilon, _) = kept[i], ctx.layers[i]
            inputs = ctx.layers[i - 1].kind.neurons if i else ctx.inputs
            to = above if above.padded else Sequences(room(layer.current, steps, batch, kind.neurons), padded=True)
            of_constants = walked_back(
                Sequences(layer.current, padded=True), layer.constants, kind, layer.gain, layer.kept, above, to
            )
            settle = None
            if epsilon is not None:
                of_constants, settle = _through_statistics(layer, of_constants, steps * batch)
            below = None
            if i:
                fits = padded(inputs) == to.numbers.shape[2]
                below = to if fits else Sequences(room(layer.current, steps, batch, inputs), padded=True)
            elif ctx.needs_input_grad[0]:
                of_input = layer.current.new_empty(steps, batch, inputs)
                below = Sequences(of_input, padded=False)
            bits = bool(i) or ctx.spiking
            heard = Heard(inputs, None if bits else layer.heard, layer.heard if bits else None)
            of_weights = unprojected(heard, layer.weight, layer.bias, layer.current, to.numbers, settle, below)
            found.append((*of_weights, of_constants, None))
            if below is not None:
                above = below
        return of_input, None, None, None, *(each for layer in reversed(found) for each in layer)


def _statistics(origin: Tensor, sums: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance, in double precision."""
    off = sums[0] / count
    return origin + off, (sums[1] / count - off.square()).clamp_(min=0)


def _through_statistics(layer: _Layer, of_constants: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The gradients of the constants given, gamma and beta last, from those of the ones in use, and what mean and
    variance add to the gradient of y: a constant, and a multiple of y.
    """
    mean, power, scale = layer.mean, layer.power, layer.constants[-2]
    assert mean is not None
    assert power is not None
    scaled, shifted = of_constants[-2].double(), of_constants[-1].double()  # sums of g y and of g, g = dL/du
    of_gamma = (scaled - mean * shifted) / power.sqrt()
    along = -scale * of_gamma / (count * power.sqrt())
    settle = torch.stack([-scale * shifted / count - along * mean, along]).to(scale.dtype)
    of_norm = torch.stack([of_gamma, shifted]).to(scale.dtype)
    return torch.cat([of_constants[:-2], of_norm]), settle
