"""The float network as training runs it, from its frozen layers: the same kernels, single precision.

What the kernels do not know, other kinds than LIF and neurons that differ, runs step by step in double precision: the
kind's own step on real numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from asrc_core.contract.interpreter import Session
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.synapses.connection import INPUT
from asrc_export import delayed_float, real_network
from asrc_train.kernels.layer import fired_at
from asrc_train.kernels.state_space.fft import convolved, impulse_response
from asrc_train.kernels.state_space.firing import spikes_of
from asrc_train.kernels.state_space.layer import Resonators
from asrc_train.network.recurrence import Dynamics, SkipLayer, skip_recurrence, spike_counts
from asrc_train.trained.frozen import FrozenLayer, FrozenNetwork
from asrc_train.training.evaluate import BATCH, fed

RESONATOR = "resonator"


@torch.no_grad()
def logits(network: FrozenNetwork, x: NDArray[np.generic]) -> NDArray[np.float32]:
    """Logits (n, C) on integer samples (n, T, channels)."""
    if delayed_float.runs(network):
        return delayed_float.logits(network, x)
    answers = []
    if network.decides is not None:
        starts = range(0, len(x), BATCH)
        return torch.cat([_stepped(network, _fed(network, x[i : i + BATCH]))[-1] for i in starts]).numpy()
    weight, bias = _single(network.readout_weight), _single(network.readout_bias)
    for start in range(0, len(x), BATCH):
        samples = _fed(network, x[start : start + BATCH])
        answers.append(torch.nn.functional.linear(_counts(network, samples), weight) + len(samples) * bias)
    return torch.cat(answers).numpy()


@torch.no_grad()
def spikes(network: FrozenNetwork, x: NDArray[np.generic]) -> Iterator[NDArray[np.uint8]]:
    """Each layer's spikes (T, n, N) on integer samples (n, T, channels), all of them at once."""
    if delayed_float.runs(network):
        yield from delayed_float.spikes(network, x)
        return
    s = _fed(network, x)
    if not _in_kernels(network):
        yield from (each.numpy().astype(np.uint8) for each in _stepped(network, s)[:-1])
        return
    for sent in _sent(network, s):
        yield sent.numpy().astype(np.uint8)


def _sent(network: FrozenNetwork, x: torch.Tensor) -> Iterator[torch.Tensor]:
    """What each layer sends, (T, B, N), in the kernels; only what a later layer hears is kept."""
    known = {INPUT: x}
    for i, layer in enumerate(network.layers):
        heard = [known[each.source] for each in layer.before]
        known[layer.name] = _spikes(layer, heard[0] if len(heard) == 1 else torch.cat(heard, dim=-1))
        yield known[layer.name]
        later = {each.source for other in network.layers[i + 1 :] for each in other.before}
        known = {name: sent for name, sent in known.items() if name in later}


def _spikes(layer: FrozenLayer, x: torch.Tensor) -> torch.Tensor:
    """What a layer sends, (T, B, N), on what stands before it."""
    if layer.kind == RESONATOR:
        return _resonated(layer, x)
    weight, bias, recurrent, taps, dynamics, _ = _runnable(layer)
    assert weight is not None
    return skip_recurrence(x, weight, bias, recurrent, taps, dynamics)


def _counts(network: FrozenNetwork, x: torch.Tensor) -> torch.Tensor:
    """Spikes of the last layer summed over time."""
    if not _in_kernels(network):
        return _stepped(network, x)[-2].sum(0)
    if all(layer.kind != RESONATOR and len(layer.before) == 1 for layer in network.layers):
        return spike_counts(x, [_runnable(layer) for layer in network.layers])
    *_, last = _sent(network, x)
    return last.sum(0)


def _in_kernels(network: FrozenNetwork) -> bool:
    """Whether each layer is one of LIF neurons alike, connected to the one before it and, later, to itself; or one of
    resonators, connected to what stands before it; or such a layer with skips.
    """
    names = [INPUT, *(layer.name for layer in network.layers)]
    return all(_in_kernel(layer, names[: i + 1]) for i, layer in enumerate(network.layers))


def _in_kernel(layer: FrozenLayer, earlier: Sequence[str]) -> bool:
    if any(each.delays is not None for each in layer.connections) or not layer.before:
        return False
    if any(each.source not in earlier or each.span != 0 for each in layer.before):
        return False
    if layer.kind == RESONATOR:
        return len(layer.before) == len(layer.connections)
    connected = [each.source for each in layer.connections] == [*(each.source for each in layer.before), layer.name]
    return connected and layer.kind == "lif" and not np.ndim(layer.decay) and not np.ndim(layer.threshold)


def _stepped(network: FrozenNetwork, x: torch.Tensor) -> list[torch.Tensor]:
    """What each layer sends, (T, n, N), and last what the readout shows at the end, (n, C)."""
    session = Session(real_network.of(network), x.shape[1], RealArithmetic())
    kept: list[list[Any]] = [[] for _ in network.layers]
    shown: Any = np.zeros((x.shape[1], len(network.readout_bias)))
    for now in x.double().numpy():
        *hidden, last = session.step(now)
        shown = last.shown
        for sent, each in zip(kept, hidden, strict=True):
            sent.append(np.asarray(each.sent, np.float32))
    return [*(torch.from_numpy(np.stack(sent)) for sent in kept), torch.from_numpy(np.asarray(shown)).float()]


def _fed(network: FrozenNetwork, x: NDArray[np.generic]) -> torch.Tensor:
    return fed(torch.from_numpy(np.ascontiguousarray(x)), network.scale)


def _runnable(layer: FrozenLayer) -> SkipLayer:
    taps: torch.Tensor | int = layer.span
    if layer.taps:
        taps = torch.zeros(layer.span)
        for span, weight in layer.taps:
            taps[span - 1] = weight
    dynamics = Dynamics(layer.decay, fired_at(layer.threshold, layer.fires), layer.reset)
    return SkipLayer(_single(layer.weight), _single(layer.bias), _single(layer.recurrent), taps, dynamics)


def _resonated(layer: FrozenLayer, x: torch.Tensor) -> torch.Tensor:
    """Spikes of resonators on what stands before them, (T, B, N)."""
    p = {name: np.asarray(layer.constants[name]) for name in ("pole", "readout", "direct", "taps")}
    (c, d), (real, imaginary) = ((_single(p[name].real), _single(p[name].imag)) for name in ("pole", "readout"))
    of = Resonators((c, d), (real, imaginary), _single(p["direct"]), None, layer.threshold, layer.constants["period"])
    u = torch.nn.functional.linear(x, _single(layer.weight), _single(layer.bias))
    h = convolved(u, impulse_response(of, len(u)))
    for j, tap in enumerate(_single(p["taps"]).T, start=1):
        h[j:] += tap * u[:-j]
    return spikes_of(h, of)


def _single(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))
