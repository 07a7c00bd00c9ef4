"""Skip-recurrent layers over time: the equations, and the functions that run them.

Several kernels compute the same thing (`kernels`); the fastest that covers a case is taken, unless
the argument ``kernel``, `using` or the environment variable ``ASRC_KERNEL`` asks for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from asrc_train.kernels.choice import KeepsBits, Kernel, choose, using
from asrc_train.kernels.layer import Dynamics, Reset, SkipLayer, require_valid

__all__ = [
    "Dynamics",
    "Reset",
    "SkipLayer",
    "driven_recurrence",
    "packed_spikes",
    "skip_recurrence",
    "spike_counts",
    "using",
]


def skip_recurrence(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    recurrent: Tensor,
    taps: Tensor | int,
    dynamics: Dynamics,
    gain: Tensor | None = None,
    *,
    kernel: str | None = None,
) -> Tensor:
    """Spikes of one layer over a whole sequence (paper eq. 1-4, 9-11).

        u[t] = alpha v[t-1] + g (W x[t] + b) + U r[t]      membrane before reset
        s[t] = 1 if u[t] >= theta else 0
        v[t] = u[t] - theta s[t]   (soft reset)   or   u[t] (1 - s[t])   (hard reset)
        r[t] = s[t-taps]                               taps: a span (1 is the vanilla recurrence)
        r[t] = sum_{k=1..K} taps[k-1] s[t-k]             taps: mixture weights p, (K,)

    Spikes before t = 0 are 0, so a span beyond T is a silent recurrence. x: (T, B, I); weight: (N, I); bias: (N,);
    recurrent: (N, N); gain g: (B, N), 1 if left out; returns (T, B, N) of zeros and ones in the dtype of x.
    Gradients reach x, weight, bias, recurrent, the mixture weights, and decay and threshold where they are tensors;
    ds/du is the triangle of `surrogate`. Raises InvalidData and InvalidSetting for what does not fit, NaN and
    infinity included; UnknownName and BackendMissing for a kernel that is asked for and cannot be had.
    """
    layer = SkipLayer(weight, bias, recurrent, taps, dynamics, gain)
    return _run(x, (layer,), kernel, lambda chosen: chosen.spikes(x, layer))


def driven_recurrence(
    current: Tensor, recurrent: Tensor, taps: Tensor | int, dynamics: Dynamics, *, kernel: str | None = None
) -> Tensor:
    """`skip_recurrence` with the feed-forward current given, (T, B, N): for a normalisation that stands before it."""
    layer = SkipLayer(None, None, recurrent, taps, dynamics)
    return _run(current, (layer,), kernel, lambda chosen: chosen.spikes(current, layer))


def spike_counts(x: Tensor, layers: Sequence[SkipLayer], *, kernel: str | None = None) -> Tensor:
    """Spikes of the last of several layers, each fed by the one before, summed over time: (B, N).

    That sum is all that a readout summed over time needs: sum_t (W_o s[t] + b_o) = W_o counts + T b_o. Same result,
    gradients and errors as a chain of `skip_recurrence`, but a kernel may keep all spikes in between to itself.
    """
    stack = tuple(layers)
    return _run(x, stack, kernel, lambda chosen: chosen.counts(x, stack))


def packed_spikes(x: Tensor, layers: Sequence[SkipLayer]) -> tuple[Tensor, list[Tensor]] | None:
    """`spike_counts` without a gradient, and the spikes of every layer as bits, (B, T, words of 64): neuron n is bit
    n mod 64 of word n div 64. None where the kernel that runs does not keep spikes in this way.
    """
    stack = tuple(layers)
    require_valid(x, stack)
    kernel = choose(x, stack)
    return kernel.packed_spikes(x, stack) if isinstance(kernel, KeepsBits) else None


def _run(x: Tensor, layers: tuple[SkipLayer, ...], name: str | None, body: Callable[[Kernel], Tensor]) -> Tensor:
    require_valid(x, layers)
    kernel = choose(x, layers, name)
    if not torch.is_autocast_enabled(x.device.type):
        return body(kernel)
    with torch.autocast(x.device.type, enabled=False):  # what a spike hangs on is not computed in half precision
        return body(kernel)
