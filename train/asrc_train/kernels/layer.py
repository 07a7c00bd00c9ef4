"""What one skip-recurrent layer is to a kernel, and the checks that every kernel relies on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from asrc_core.contract.numbers import Fires
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting

Reset = Literal["soft", "hard"]


@dataclass(frozen=True)
class Dynamics:
    """The neuron's constants: decay factor alpha, threshold theta, kind of reset.

    ``decay`` and ``threshold`` are numbers, or tensors of no dimension; those that require a gradient get one.
    ``detach_reset`` keeps the gradient from flowing through the reset's spike (the paper lets it flow).
    ``resolution``, a power of two, rounds the decayed membrane alpha v toward zero to a multiple of it, as integer
    neurons do; gradients flow as if it did not (straight-through).
    """

    decay: float | Tensor = 0.5
    threshold: float | Tensor = 1.0
    reset: Reset = "soft"
    detach_reset: bool = False
    resolution: float | None = None


def fired_at(threshold: float, fires: Fires) -> float:
    """The threshold that single-precision membranes fire at, where they are to fire at or above the given one.

    u > theta is u >= the next larger float32. A soft reset then subtracts that number, 1 part in 10^7 more than theta.
    """
    return threshold if fires == "at" else float(np.nextafter(np.float32(threshold), np.float32(np.inf)))


class SkipLayer(NamedTuple):
    """One layer: W (N, I), b (N,) or None, U (N, N), a span or mixture weights (K,), the neurons' constants.

    Without W the layer's input is its feed-forward current, (T, B, N). ``gain`` (B, N) multiplies that current at
    every step: the paper's dropout is a gain of 0 or 1 / (1 - p) that stays the same over a sample. No gradient
    reaches it.
    """

    weight: Tensor | None
    bias: Tensor | None
    recurrent: Tensor
    taps: Tensor | int
    dynamics: Dynamics = Dynamics()
    gain: Tensor | None = None

    @property
    def neurons(self) -> int:
        """N."""
        return self.recurrent.shape[0]

    @property
    def mixture(self) -> Tensor | None:
        """Mixture weights p (K,), or None for a single span."""
        return self.taps if isinstance(self.taps, Tensor) else None

    @property
    def span(self) -> int:
        """The single span, or 0 for a mixture."""
        return 0 if isinstance(self.taps, Tensor) else self.taps

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The layer's tensors by name, absent ones left out."""
        named = {
            "weight": self.weight,
            "bias": self.bias,
            "recurrent": self.recurrent,
            "taps": self.taps,
            "decay": self.dynamics.decay,
            "threshold": self.dynamics.threshold,
            "gain": self.gain,
        }
        yield from ((name, value) for name, value in named.items() if isinstance(value, Tensor))


def require_valid(x: Tensor, layers: Sequence[SkipLayer]) -> None:
    """Raise InvalidData or InvalidSetting, naming layer and tensor, unless every kernel could run ``layers`` on ``x``.

    A span beyond T is allowed: no spike ever arrives, which is what the equations say. Values are looked at by the
    kernels, which read them anyway (`require_finite_values`).
    """
    if not layers:
        raise InvalidSetting("layers", "there must be at least one")
    if x.dim() != 3 or not x.is_floating_point():
        shape = " x ".join(map(str, x.shape))
        raise InvalidData("input x", f"it is {x.dtype}, {shape or 'a single number'}", "give floats (T, B, channels)")
    if x.is_meta:
        raise InvalidData("input x", "it has a shape but no values (device 'meta')", "give a tensor with values")
    if 0 in x.shape:
        raise InvalidData("input x", f"its shape {tuple(x.shape)} holds nothing", "give at least one step and sample")
    fan_in = x.shape[2]
    for index, layer in enumerate(layers):
        if index and layer.weight is None:
            raise InvalidSetting(f"layer {index}, weight", "only the first layer may be fed with its current")
        _require_layer(f"layer {index}", layer, x, fan_in)
        fan_in = layer.neurons


def require_finite_values(x: Tensor, layers: Sequence[SkipLayer]) -> None:
    """Raise InvalidSetting naming layer and tensor, or InvalidData for ``x``, for NaN or infinity in any of them."""
    for index, layer in enumerate(layers):
        for name, tensor in layer.tensors():
            bad = not_finite(tensor)
            if bad:
                raise InvalidSetting(f"layer {index}, {name}", f"it holds {plural(bad, 'NaN or infinite value')}")
    require_finite("input x", x)


def one_after_the_other(
    x: Tensor, layers: Sequence[SkipLayer], spikes: Callable[[Tensor, SkipLayer], Tensor]
) -> Tensor:
    """Spikes of the last of several layers, each run by itself, after a look at all values. Raises as
    `require_finite_values` does.
    """
    require_finite_values(x, layers)
    for layer in layers:
        x = spikes(x, layer)
    return x


def require_finite(name: str, tensor: Tensor) -> None:
    """Raise InvalidData if ``tensor`` holds NaN or infinity."""
    bad = not_finite(tensor)
    if bad:
        raise InvalidData(
            name, f"it holds {plural(bad, 'NaN or infinite value')}", "check the data and the layer before"
        )


def not_finite(tensor: Tensor) -> int:
    """How many values are NaN or infinite."""
    if math.isfinite(float(tensor.detach().sum())):
        return 0  # the sum of anything and NaN or infinity is NaN or infinite
    return int(tensor.numel() - tensor.isfinite().sum())  # the sum may also have left the number range all by itself


def _require_layer(where: str, layer: SkipLayer, x: Tensor, fan_in: int) -> None:
    if layer.recurrent.dim() != 2 or layer.recurrent.shape[0] != layer.recurrent.shape[1] or not layer.neurons:
        raise InvalidSetting(f"{where}, recurrent", f"it is {tuple(layer.recurrent.shape)}, not square")
    if layer.weight is None and layer.bias is not None:
        raise InvalidSetting(f"{where}, bias", "a layer fed with its current takes no bias")
    if layer.weight is None and fan_in != layer.neurons:
        raise InvalidSetting(f"{where}, recurrent", f"{plural(layer.neurons, 'neuron')}, but the current has {fan_in}")
    shapes = {"weight": (layer.neurons, fan_in), "bias": (layer.neurons,), "gain": (x.shape[1], layer.neurons)}
    shapes |= {"decay": (), "threshold": ()}
    for name, tensor in layer.tensors():
        at = f"{where}, {name}"
        if name in shapes and tuple(tensor.shape) != shapes[name]:
            raise InvalidSetting(at, f"its shape is {tuple(tensor.shape)} where {shapes[name]} fits")
        if tensor.dtype != x.dtype or tensor.device != x.device:
            why = f"it is {tensor.dtype} on {tensor.device}, x is {x.dtype} on {x.device}"
            raise InvalidSetting(at, f"{why}; give x.to('{tensor.device}', {tensor.dtype})")
    _require_taps(f"{where}, taps", layer.taps)
    _require_dynamics(where, layer.dynamics)


def _require_taps(where: str, taps: Tensor | int) -> None:
    if isinstance(taps, Tensor):
        if taps.dim() != 1 or not len(taps):
            raise InvalidSetting(where, f"mixture weights of shape {tuple(taps.shape)}; K weights, K >= 1, are needed")
    elif isinstance(taps, bool) or not isinstance(taps, int) or taps < 1:
        raise InvalidSetting(where, f"span {taps!r} is not a whole number of steps, at least 1")


def _require_dynamics(where: str, dynamics: Dynamics) -> None:
    for name in ("decay", "threshold"):
        value = getattr(dynamics, name)
        if not isinstance(value, Tensor) and not math.isfinite(value):
            raise InvalidSetting(f"{where}, {name}", f"{value} is not a finite number")
    if dynamics.reset not in ("soft", "hard"):
        raise InvalidSetting(f"{where}, reset", f"'{dynamics.reset}' is neither 'soft' nor 'hard'")
    resolution = dynamics.resolution
    if resolution is not None and (math.frexp(resolution)[0] != 0.5 or not 2.0**-32 <= resolution <= 2.0**32):
        raise InvalidSetting(f"{where}, resolution", f"{resolution} is not a power of two from 2^-32 to 2^32")


def current(x: Tensor, layer: SkipLayer) -> Tensor:
    """The feed-forward current gain * (W x + b), (T, B, N)."""
    given = x if layer.weight is None else torch.nn.functional.linear(x, layer.weight, layer.bias)
    return given if layer.gain is None else given * layer.gain.detach()
