"""C++ over bit-packed spikes, fused over the layers of a stack and over tiles of samples (layout: kernel.h).

The forward pass keeps the spikes, a bit each; the backward pass computes the membranes again, eight samples and one
layer at a time. So memory does not depend on the mixture's length, and beyond those bits not on the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from asrc_core.errors import InvalidData
from asrc_train.kernels.layer import SkipLayer, current, require_finite_values
from asrc_train.kernels.native import library
from asrc_train.kernels.native.library import CCall, CLayer, instruction_set, pack, run
from asrc_train.kernels.native.rows import in_rows, pointer

FEW_CHANNELS = 16
"""Up to so many inputs, numbers are multiplied with the weights one by one; beyond, a matrix product does it better."""

_CHANNELS, _SPIKES, _CURRENT = range(3)


def why_not(x: Tensor, layers: Sequence[SkipLayer]) -> str | None:
    """Why this kernel cannot run ``layers`` on ``x`` here, or None."""
    return library.why_not(x)


def spikes(x: Tensor, layer: SkipLayer) -> Tensor:
    """Spikes (T, B, N) of one layer."""
    return _run(x, (layer,), summed=False)


def counts(x: Tensor, layers: Sequence[SkipLayer]) -> Tensor:
    """Spikes of the last layer summed over time, (B, N)."""
    return _run(x, tuple(layers), summed=True)


def packed_spikes(x: Tensor, layers: Sequence[SkipLayer]) -> tuple[Tensor, list[Tensor]]:
    """The same counts, and the spikes of every layer as bits, (B, T, words of 64), without a gradient.

    Neuron n is bit n mod 64 of word n div 64.
    """
    try:
        with torch.no_grad():
            return _with_bits(x, tuple(layers))
    except _NotFinite:
        raise _not_finite(x, tuple(layers)) from None


class _Feed(NamedTuple):
    """What the first layer is fed with: ``kind``, and what a packed spike is worth."""

    kind: int
    value: float = 1.0


class _Weights(NamedTuple):
    """The tensors of a layer, as autograd sees them; or their gradients, where they are wanted."""

    weight: Tensor | None
    bias: Tensor | None
    recurrent: Tensor | None
    mixture: Tensor | None
    decay: Tensor | None
    threshold: Tensor | None
    gain: Tensor | None


def _run(x: Tensor, layers: tuple[SkipLayer, ...], summed: bool) -> Tensor:
    try:
        x, packed, feed, layers = _fed(x, layers)
        tensors = [tensor for layer in layers for tensor in _weights(layer)]
        out: Tensor = _Stack.apply(x, packed, feed, layers, summed, *tensors)
        return out
    except _NotFinite:
        raise _not_finite(x, layers) from None


class _NotFinite(Exception):
    """NaN or infinity among the numbers that the library was given."""


def _not_finite(x: Tensor, layers: tuple[SkipLayer, ...]) -> InvalidData:
    """What is to be raised for it; or raises InvalidSetting, if a layer's own numbers are not finite."""
    require_finite_values(x, layers)
    return InvalidData(
        "the current that input x makes", "it leaves the number range", "scale the input or the weights down"
    )


def _with_bits(x: Tensor, layers: tuple[SkipLayer, ...]) -> tuple[Tensor, list[Tensor]]:
    x, packed, feed, layers = _fed(x, layers)
    kept = [room_for_spikes(x, layer.neurons) for layer in layers]
    out = x.new_empty((x.shape[1], layers[-1].neurons))
    given = x if packed is None else packed
    call = _Call(x.shape, x.dtype, instruction_set(), given, feed, layers, [_weights(each) for each in layers], kept)
    call.c.counts = out.data_ptr()
    if not run("forward", call.c):
        raise _NotFinite
    return out, kept


def _fed(x: Tensor, layers: tuple[SkipLayer, ...]) -> tuple[Tensor, Tensor | None, _Feed, tuple[SkipLayer, ...]]:
    """The input, the same as packed spikes if it is that, what it is, and the layers that are left to run."""
    first, packed = layers[0], None
    feed = _Feed(_CURRENT if first.weight is None else _CHANNELS)
    if first.weight is not None and x.shape[2] > FEW_CHANNELS:
        packed, value = pack_spikes(x.detach())
        if packed is not None:
            feed = _Feed(_SPIKES, value)
        else:  # a matrix product of its own makes the current
            feed, x = _Feed(_CURRENT), current(x, first)
            layers = (first._replace(weight=None, bias=None, gain=None), *layers[1:])
    return x, packed, feed, layers


class _Stack(torch.autograd.Function):
    """All layers at once. ``tensors`` are those of ``layers``, one `_Weights` after the other."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        packed: Tensor | None,
        feed: _Feed,
        layers: tuple[SkipLayer, ...],
        summed: bool,
        *tensors: Tensor | None,
    ) -> Tensor:
        steps, batch, neurons = *x.shape[:2], layers[-1].neurons
        keep = any(ctx.needs_input_grad)
        kept = [room_for_spikes(x, layer.neurons) if keep else None for layer in layers]
        out = x.new_empty((batch, neurons) if summed else (steps, batch, neurons))
        given = x if packed is None else packed
        call = _Call(x.shape, x.dtype, instruction_set(), given, feed, layers, _grouped(tensors), kept)
        setattr(call.c, "counts" if summed else "spikes", out.data_ptr())
        if not run("forward", call.c):
            raise _NotFinite
        if keep:  # packed spikes stand in for the input, which may then be freed
            ctx.save_for_backward(given, *kept, *tensors)
            ctx.shape, ctx.dtype, ctx.isa = x.shape, x.dtype, call.c.isa
            ctx.feed, ctx.layers = feed, layers
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        depth = len(ctx.layers)
        given, kept = ctx.saved_tensors[0], ctx.saved_tensors[1 : 1 + depth]
        weights = _grouped(ctx.saved_tensors[1 + depth :])
        call = _Call(ctx.shape, ctx.dtype, ctx.isa, given, ctx.feed, ctx.layers, weights, kept)
        call.come_from(gradients[0])
        d_x = gradients[0].new_empty(ctx.shape) if ctx.needs_input_grad[0] else None
        call.c.grad_input = pointer(d_x)
        wanted = _grouped(ctx.needs_input_grad[5:])
        results = [_room_for_gradients(call, i, weights[i], wanted[i]) for i in range(depth)]
        run("backward", call.c)
        return d_x, None, None, None, None, *(tensor for layer in results for tensor in layer)


class _Call:
    """A `CCall`, with the tensors that its pointers point into."""

    def __init__(
        self,
        shape: torch.Size,
        dtype: torch.dtype,
        isa: int,
        given: Tensor,
        feed: _Feed,
        layers: Sequence[SkipLayer],
        weights: Sequence[_Weights],
        kept: Sequence[Tensor | None],
    ) -> None:
        self._alive: list[Tensor] = []
        self.layers = (CLayer * len(layers))(*map(self._layer, layers, weights, kept))
        self.layers[0].inputs = shape[2]
        for below, layer in zip(layers, self.layers[1:], strict=False):
            layer.inputs = below.neurons
        rows = self.keep(in_rows(given))
        self.c = CCall(
            element_bytes=dtype.itemsize,
            isa=isa,
            threads=torch.get_num_threads(),
            steps=shape[0],
            batch=shape[1],
            layer_count=len(layers),
            layers=self.layers,
            feed=feed.kind,
            input=rows.data_ptr(),
            input_step=rows.stride(0),
            input_sample=rows.stride(1),
            spike_value=feed.value,
        )

    def keep(self, tensor: Tensor) -> Tensor:
        """Let ``tensor`` live as long as the call."""
        self._alive.append(tensor)
        return tensor

    def come_from(self, gradient: Tensor) -> None:
        """Set the gradient of the output, (B, N) or (T, B, N); often, as of a sum, it is the same at all steps."""
        if gradient.dim() == 3 and gradient.stride(0) == 0:
            gradient = gradient[0]
        rows = self.keep(in_rows(gradient))
        self.c.above, self.c.above_sample = rows.data_ptr(), rows.stride(-2)
        self.c.above_step = 0 if rows.dim() == 2 else rows.stride(0)

    def _layer(self, layer: SkipLayer, weights: _Weights, kept: Tensor | None) -> CLayer:
        return CLayer(
            neurons=layer.neurons,
            lags=0 if layer.mixture is None else len(layer.mixture),
            span=layer.span,
            hard_reset=layer.dynamics.reset == "hard",
            detach_reset=layer.dynamics.detach_reset,
            decay=_number(layer.dynamics.decay),
            threshold=_number(layer.dynamics.threshold),
            resolution=layer.dynamics.resolution or 0.0,
            spikes=pointer(kept),
            **{
                name: pointer(tensor if tensor is None else self.keep(tensor.detach().contiguous()))
                for name, tensor in weights._asdict().items()
                if name not in ("decay", "threshold")
            },
        )


def _room_for_gradients(call: _Call, index: int, weights: _Weights, wanted: Sequence[bool]) -> _Weights:
    """Tensors for the gradients of a layer's weights, which the backward call is told to write."""
    gradients = _Weights(
        *(
            torch.empty_like(tensor, memory_format=torch.contiguous_format) if want and tensor is not None else None
            for tensor, want in zip(weights, wanted, strict=True)
        )
    )
    layer = call.layers[index]
    for name in ("weight", "bias", "recurrent", "mixture"):
        setattr(layer, f"grad_{name}", pointer(getattr(gradients, name)))
    either = gradients.threshold if gradients.decay is None else gradients.decay
    if either is None:
        return gradients
    both = call.keep(either.new_empty(2))
    layer.grad_dynamics = both.data_ptr()
    return gradients._replace(
        decay=None if gradients.decay is None else both[0],
        threshold=None if gradients.threshold is None else both[1],
    )


def pack_spikes(x: Tensor) -> tuple[Tensor | None, float]:
    """Spikes as bits (B, T, words) and what each is worth; None if ``x`` holds anything but 0 and one other value."""
    rows = in_rows(x)
    packed = room_for_spikes(x, x.shape[2])
    layers = (CLayer * 1)(CLayer(inputs=x.shape[2]))
    value = pack(
        CCall(
            element_bytes=x.dtype.itemsize,
            isa=instruction_set(),
            threads=torch.get_num_threads(),
            steps=x.shape[0],
            batch=x.shape[1],
            layer_count=1,
            layers=layers,
            input=rows.data_ptr(),
            input_step=rows.stride(0),
            input_sample=rows.stride(1),
        ),
        packed.data_ptr(),
    )
    return (None, 1.0) if math.isnan(value) else (packed, value or 1.0)


def room_for_spikes(x: Tensor, neurons: int) -> Tensor:
    """For the spikes of so many neurons, as bits (B, T, words of 64), on samples like ``x`` (T, B, channels)."""
    return torch.empty((x.shape[1], x.shape[0], -(-neurons // 64)), dtype=torch.int64)


def _weights(layer: SkipLayer) -> _Weights:
    decay, threshold = (
        value if isinstance(value, Tensor) else None for value in (layer.dynamics.decay, layer.dynamics.threshold)
    )
    gain = None if layer.gain is None else layer.gain.detach()
    return _Weights(layer.weight, layer.bias, layer.recurrent, layer.mixture, decay, threshold, gain)


def _grouped(tensors: Sequence[Any]) -> list[Any]:
    size = len(_Weights._fields)
    return [_Weights(*tensors[i : i + size]) for i in range(0, len(tensors), size)]


def _number(value: float | Tensor) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else value
