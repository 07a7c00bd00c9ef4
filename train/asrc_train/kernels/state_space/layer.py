"""What one layer of state-space neurons is to a kernel: its equations and constants, and the checks of both.

From the current u (T, B, N), K modes a neuron, with z[-1] = 0 and what lies before the first step 0:

    z_k[t] = a_k z_k[t-1] + u[t]                      a_k = c_k + i d_k, |a_k| < 1
    y[t]   = sum_k Re(r_k z_k[t]) + D u[t]            r_k = p_k + i q_k
    h[t]   = sum_{j < w} W_j y[t-j]                   the window of PSN; h = y without one
    s[t]   = 1 if h[t] >= theta and s[t-1] = ... = s[t-R] = 0 else 0

Nothing is reset. The gradient of s is the triangle of `gradients.surrogate`, also where the period R suppresses a
crossing ("through"), or 0 there ("masked"); the period itself has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from asrc_core.contract.neurons.resonator import PERIOD, WINDOW
from asrc_core.contract.numbers import MAX_COLUMNS
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train.kernels.layer import not_finite, require_finite

Gate = Literal["through", "masked"]
MOST_MODES, MOST_TAPS, MOST_PERIOD = MAX_COLUMNS, WINDOW, PERIOD.high


class Resonators(NamedTuple):
    """Poles a and read-outs r as their parts, (N, K) each; D (N,); window (N, w) or None; theta, R and the gradient."""

    pole: tuple[Tensor, Tensor]
    readout: tuple[Tensor, Tensor]
    direct: Tensor
    window: Tensor | None
    threshold: float
    period: int = 0
    gate: Gate = "through"

    @property
    def neurons(self) -> int:
        """N."""
        return len(self.pole[0])

    @property
    def modes(self) -> int:
        """K."""
        return self.pole[0].shape[1]

    @property
    def taps(self) -> int:
        """w, 1 without a window."""
        return 1 if self.window is None else self.window.shape[1]


class Kernel(Protocol):
    """What each kernel's module offers."""

    def why_not(self, u: Tensor, layer: Resonators) -> str | None:
        """Why this kernel cannot run ``layer`` on ``u`` here, or None."""

    def spikes(self, u: Tensor, layer: Resonators) -> Tensor:
        """Spikes (T, B, N)."""


class Normalization(NamedTuple):
    """Batch normalisation: gamma and beta (N,), and what is added to the variance."""

    gamma: Tensor
    beta: Tensor
    epsilon: float


class Driven(NamedTuple):
    """A layer with its weights: W (N, I), b (N,), its neurons, and what comes between.

        u = gain norm(W x + b)

    ``normalization`` is over all steps and samples; the gain (B, N), without a gradient, is the same at all steps.
    ``where`` names the layer in errors.
    """

    weight: Tensor
    bias: Tensor
    neurons: Resonators
    normalization: Normalization | None = None
    gain: Tensor | None = None
    where: str = ""


class Statistics(NamedTuple):
    """Mean and biased variance (N,) of W x + b over all steps and samples; neither has a gradient."""

    mean: Tensor
    variance: Tensor


@runtime_checkable
class Drives(Protocol):
    """What a kernel's module may offer beside."""

    def driven(self, x: Tensor, layers: Sequence[Driven], summed: bool) -> tuple[Tensor, list[Statistics | None]]:
        """Spikes (T, B, N) of the last of several layers on ``x`` (T, B, I), or their sum over time, (B, N); and each
        layer's statistics where it is normalised.
        """


def require_valid(u: Tensor, layer: Resonators, where: str = "") -> None:
    """Raise InvalidData or InvalidSetting, naming layer, tensor and neuron, unless every kernel could run it."""
    if u.dim() != 3 or not u.is_floating_point() or 0 in u.shape or u.shape[2] != layer.neurons:
        raise InvalidData(
            f"{where}current", f"it is {u.dtype}, {tuple(u.shape)}", f"give floats (T, B, {layer.neurons})"
        )
    require_neurons(layer, where)
    require_finite(f"{where}current", u)


def require_neurons(layer: Resonators, where: str = "") -> None:
    """Raise InvalidSetting, naming layer, tensor and neuron, unless every kernel could run such neurons."""
    shape = (layer.neurons, layer.modes)
    named = {"pole": layer.pole, "readout": layer.readout, "direct": (layer.direct,)}
    for name, tensors in named.items():
        for tensor in tensors:
            fits = (layer.neurons,) if name == "direct" else shape
            if tuple(tensor.shape) != fits:
                raise InvalidSetting(where + name, f"its shape is {tuple(tensor.shape)} where {fits} fits")
    if not 1 <= layer.modes <= MOST_MODES:
        raise InvalidSetting(f"{where}modes", f"{layer.modes} modes a neuron, where 1 to {MOST_MODES} fit")
    if not 1 <= layer.taps <= MOST_TAPS:
        raise InvalidSetting(f"{where}window", f"{layer.taps} taps, where 1 to {MOST_TAPS} fit")
    if not 0 <= layer.period <= MOST_PERIOD:
        raise InvalidSetting(
            f"{where}period", f"{layer.period} steps, where 0 to {MOST_PERIOD} fit the word of past spikes"
        )
    require_within(*layer.pole, where)


def require_driven(x: Tensor, layers: Sequence[Driven]) -> None:
    """Raise InvalidData or InvalidSetting, naming layer and tensor, unless ``layers`` could run on ``x``, whose values
    nobody looks at here.
    """
    fan_in = None
    for layer in layers:
        at, like = layer.where, layer.weight
        require_neurons(layer.neurons, at)
        if fan_in is None:
            fits = x.dim() == 3 and 0 not in x.shape and x.shape[2] == like.shape[1]
            if not fits or (x.dtype, x.device) != (like.dtype, like.device):
                why = f"it is {x.dtype} on {x.device}, {tuple(x.shape)}"
                raise InvalidData(f"{at}input", why, f"give {like.dtype} on {like.device}, (T, B, {like.shape[1]})")
        elif fan_in != like.shape[1]:
            raise InvalidSetting(f"{at}weight", f"it has {like.shape[1]} inputs, and the layer before {fan_in} neurons")
        fan_in = layer.neurons.neurons
        for name, tensor in (("weight", like), ("bias", layer.bias)):
            bad = not_finite(tensor)
            if bad:
                raise InvalidSetting(at + name, f"it holds {plural(bad, 'NaN or infinite value')}")


def require_within(real: Tensor, imaginary: Tensor, where: str = "") -> None:
    """Raise InvalidSetting naming the first neuron with a pole on or outside the unit circle."""
    with torch.no_grad():
        size = torch.hypot(real, imaginary)
        outside = ~(size < 1)
        if outside.any():
            neuron, mode = outside.nonzero()[0].tolist()
            of = f"that of neuron {neuron}, mode {mode}, has the size {float(size[neuron, mode]):.9g}"
            why = f"{of}, on or outside the unit circle, so that its state would never fade"
            raise InvalidSetting(f"{where}pole", f"{why}; train with a smaller pole_learning_rate")
