"""The oracle: the equations of `recurrence` as they are written, differentiated by PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from asrc_train.gradients.straight_through import straight_through
from asrc_train.gradients.surrogate import fire
from asrc_train.kernels.layer import Dynamics, SkipLayer, current, one_after_the_other


def why_not(x: Tensor, layers: Sequence[SkipLayer]) -> str | None:
    """Nothing it does not cover."""
    return None


def spikes(x: Tensor, layer: SkipLayer) -> Tensor:
    """Spikes (T, B, N) of one layer."""
    return one_after_the_other(x, (layer,), _spikes)


def counts(x: Tensor, layers: Sequence[SkipLayer]) -> Tensor:
    """Spikes of the last layer summed over time, (B, N)."""
    return one_after_the_other(x, layers, _spikes).sum(0)


def _spikes(x: Tensor, layer: SkipLayer) -> Tensor:
    driven = current(x, layer)
    dynamics = layer.dynamics
    v = silence = torch.zeros_like(driven[0])
    s: list[Tensor] = []
    for t in range(len(x)):
        u = _decayed(v, dynamics) + driven[t] + _recalled(s, layer.taps, silence) @ layer.recurrent.t()
        s.append(fire(u - dynamics.threshold))
        resetting = s[t].detach() if dynamics.detach_reset else s[t]
        v = u - dynamics.threshold * resetting if dynamics.reset == "soft" else u * (1 - resetting)
    return torch.stack(s)


def _decayed(v: Tensor, dynamics: Dynamics) -> Tensor:
    kept, resolution = dynamics.decay * v, dynamics.resolution
    if resolution is None:
        return kept
    return straight_through(kept, torch.trunc(kept.detach() / resolution) * resolution)


def _recalled(s: list[Tensor], taps: Tensor | int, silence: Tensor) -> Tensor:
    """r[t] from the spikes before step t = len(s); before the first step there were none."""
    if isinstance(taps, int):
        return s[-taps] if taps <= len(s) else silence
    newest_first = s[: -len(taps) - 1 : -1]
    if not newest_first:
        return silence
    return torch.einsum("k,kbn->bn", taps[: len(newest_first)], torch.stack(newest_first))
