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

from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train.kernels.layer import require_finite

Gate = Literal["through", "masked"]
MOST_MODES, MOST_TAPS, MOST_PERIOD = 8, 8, 31


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


@runtime_checkable
class Normalizes(Protocol):
    """What a kernel's module may offer beside."""

    def normalized_spikes(
        self, x: Tensor, layer: Resonators, gamma: Tensor, beta: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes for the batch-normalised x, with its mean and biased variance (N,)."""


def require_valid(u: Tensor, layer: Resonators, where: str = "") -> None:
    """Raise InvalidData or InvalidSetting, naming layer, tensor and neuron, unless every kernel could run it."""
    if u.dim() != 3 or not u.is_floating_point() or 0 in u.shape or u.shape[2] != layer.neurons:
        raise InvalidData(
            f"{where}current", f"it is {u.dtype}, {tuple(u.shape)}", f"give floats (T, B, {layer.neurons})"
        )
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
    require_finite(f"{where}current", u)


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
