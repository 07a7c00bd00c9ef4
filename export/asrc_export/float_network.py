"""The float network as training runs it, from its frozen layers: the same kernels, single precision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from asrc_train.network.recurrence import Dynamics, SkipLayer, skip_recurrence, spike_counts
from asrc_train.trained.freeze import FrozenLayer, FrozenNetwork
from asrc_train.training.evaluate import BATCH, fed


@torch.no_grad()
def logits(network: FrozenNetwork, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """Logits (n, C) on integer samples (n, T, channels)."""
    layers = [_runnable(layer) for layer in network.layers]
    weight, bias = _single(network.readout_weight), _single(network.readout_bias)
    answers = []
    for start in range(0, len(x), BATCH):
        samples = _fed(network, x[start : start + BATCH])
        counts = spike_counts(samples, layers)
        answers.append(torch.nn.functional.linear(counts, weight) + len(samples) * bias)
    return torch.cat(answers).numpy()


@torch.no_grad()
def spikes(network: FrozenNetwork, x: NDArray[np.generic]) -> Iterator[NDArray[np.uint8]]:
    """Each layer's spikes (T, n, N) on integer samples (n, T, channels), all of them at once."""
    s = _fed(network, x)
    for layer in network.layers:
        weight, bias, recurrent, taps, dynamics, _ = _runnable(layer)
        assert weight is not None
        s = skip_recurrence(s, weight, bias, recurrent, taps, dynamics)
        yield s.numpy().astype(np.uint8)


def _fed(network: FrozenNetwork, x: NDArray[np.generic]) -> torch.Tensor:
    return fed(torch.from_numpy(np.ascontiguousarray(x)), network.scale)


def _runnable(layer: FrozenLayer) -> SkipLayer:
    taps: torch.Tensor | int = layer.span
    if layer.taps:
        taps = torch.zeros(layer.span)
        for span, weight in layer.taps:
            taps[span - 1] = weight
    dynamics = Dynamics(layer.decay, layer.threshold, layer.reset)
    return SkipLayer(_single(layer.weight), _single(layer.bias), _single(layer.recurrent), taps, dynamics)


def _single(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))
