"""The float network with a delay for each synapse as training runs it, from its frozen layers: the same kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from asrc_core.contract.synapses.connection import INPUT
from asrc_train.kernels.delays.differentiable import Answered, answered
from asrc_train.kernels.delays.dynamics import Cuba
from asrc_train.kernels.delays.layer import DelayLayer, Readout, Run, Synapses, samples_as_events
from asrc_train.trained.frozen import FrozenConnection, FrozenLayer, FrozenNetwork
from asrc_train.training.evaluate import BATCH


def runs(network: FrozenNetwork) -> bool:
    """Whether the network is one of those kernels': every layer in turn, and its readout a layer, too, with a delay
    for each synapse and one pair of decays for all neurons.
    """
    if network.decides is None:
        return False
    parts = (*network.layers, network.decides)
    sources = (INPUT, *(layer.name for layer in network.layers))
    return all(_runs(layer, source, network.decides) for layer, source in zip(parts, sources, strict=True))


def _runs(layer: FrozenLayer, before: str, decides: FrozenLayer) -> bool:
    own = decides.constants
    named = [each.source for each in layer.connections]
    decays = [[each.get(name) for name in ("decay_factor", "current_decay_factor")] for each in (layer.constants, own)]
    same = all(isinstance(each, float | int) for each in (*decays[0], *decays[1])) and decays[0] == decays[1]
    plain = not np.any(layer.bias) and not np.any(layer.constants.get("current_bias", 0))
    fires = layer.constants.get("reset", "hard") == "hard" and layer.fires == "at"
    one = np.ndim(layer.constants.get("threshold", 0)) == 0
    delayed = all(each.delays is not None for each in layer.connections)
    return named in ([before], [before, layer.name]) and same and plain and fires and one and delayed


@torch.no_grad()
def logits(network: FrozenNetwork, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """Logits (n, C) on integer samples (n, T, channels): what the readout answers, first spikes in steps before T."""
    answers = [_answered(network, x[start : start + BATCH]).answers for start in range(0, len(x), BATCH)]
    found: NDArray[np.float32] = torch.cat(answers).numpy()
    return x.shape[1] - found if network.decides is not None and network.decides.kind == "first-spike" else found


@torch.no_grad()
def spikes(network: FrozenNetwork, x: NDArray[np.generic]) -> Iterator[NDArray[np.uint8]]:
    """Each layer's spikes (T, n, N) on integer samples (n, T, channels), all of them at once."""
    done = _answered(network, x)
    for layer, found in zip(network.layers, done.spikes(), strict=False):
        dense = np.zeros((x.shape[1], len(x), layer.neurons), np.uint8)
        sample, step, neuron = found.numpy().T
        dense[step, sample, neuron] = 1
        yield dense


def _answered(network: FrozenNetwork, x: NDArray[np.generic]) -> Answered:
    decides = network.decides
    assert decides is not None
    samples = torch.from_numpy(np.ascontiguousarray(x))
    events = samples_as_events(samples, network.scale, torch.float32)
    membrane, synapse = (-1 / math.log(decides.constants[name]) for name in ("decay_factor", "current_decay_factor"))
    cuba = Cuba(membrane, synapse)
    layers = [_layer(layer, cuba) for layer in (*network.layers, decides)]
    return answered(Run(events, layers, cuba, _readout(decides, x.shape[1]), keep=False))


def _layer(layer: FrozenLayer, cuba: Cuba) -> DelayLayer:
    first, *back = (_synapses(each) for each in layer.connections)
    theta = layer.constants.get("threshold")
    return DelayLayer(first, back[0] if back else None, None if theta is None else theta * cuba.gain)


def _synapses(connection: FrozenConnection) -> Synapses:
    assert connection.delays is not None
    return Synapses(torch.from_numpy(connection.weight.astype(np.float32)), torch.from_numpy(connection.delays))


def _readout(decides: FrozenLayer, steps: int) -> Readout:
    if decides.kind != "integrator":
        return Readout("first-spike" if decides.kind == "first-spike" else "maximum")
    given: Any = decides.constants["time_weights"]
    weights = np.concatenate([given[:steps], np.full(max(0, steps - len(given)), given[-1])])
    return Readout("weighted", torch.from_numpy(weights.astype(np.float32) / steps))
