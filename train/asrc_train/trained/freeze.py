"""Freezing: a trained network with its skip kernels replaced by spans, as plain float64 arrays.

Everything downstream sees only this: a frozen ASRC layer is an SRC layer, a vanilla one an SRC layer of span 1, a PLIF
neuron is LIF with the decay that it learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asrc_core.errors import CannotFreeze
from asrc_train.network.connections.connection import longest_span, new_connection
from asrc_train.network.model import SkipRecurrentLayer
from asrc_train.network.neurons.neuron import new_neurons
from asrc_train.network.normalization import fold
from asrc_train.network.recurrence import Reset
from asrc_train.settings.config import NetworkConfig
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint

Floats = NDArray[np.float64]


class WeightedTap(NamedTuple):
    """One of several spans that a layer hears at once, and how much it weighs."""

    span: int
    weight: float


@dataclass(frozen=True, eq=False)
class FrozenLayer:
    """W (N, I), U (N, N), b (N,), decay factor alpha, threshold theta, reset, span; equations in `recurrence`.

    With ``taps``, r[t] = sum_j weight_j s[t-span_j] takes the place of s[t-span], and ``span`` is the longest of them.
    """

    name: str
    weight: Floats
    recurrent: Floats
    bias: Floats
    decay: float
    threshold: float
    reset: Reset
    span: int
    taps: tuple[WeightedTap, ...] = ()

    @property
    def heard(self) -> tuple[WeightedTap, ...]:
        """The taps; of a layer with one span, that span once."""
        return self.taps or (WeightedTap(self.span, 1.0),)


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """The float network that an integer network stands for. It is fed integers x in [0, maximum] times ``scale``."""

    layers: tuple[FrozenLayer, ...]
    readout_weight: Floats  # (C, N)
    readout_bias: Floats  # (C,)
    channels: int
    steps: int
    scale: float
    maximum: int
    permutation: NDArray[np.int64] | None
    provenance: dict[str, Any]


def freeze(trained: Checkpoint) -> FrozenNetwork:
    """Replace each layer's skip logits by what they choose, learned decays by numbers, and fold batch normalisation
    into W and b.

    Raises CannotFreeze for neurons and connections that the integer contract does not hold.
    """
    require_freezable(trained.config.network, trained.steps)
    network = trained.network().requires_grad_(False)
    made = [layer for layer in network.layers if isinstance(layer, SkipRecurrentLayer)]
    layers = tuple(_frozen(trained, i, layer) for i, layer in enumerate(made))
    return FrozenNetwork(
        layers=layers,
        readout_weight=_array(trained, "readout.weight"),
        readout_bias=_array(trained, "readout.bias"),
        channels=trained.channels,
        steps=trained.steps,
        scale=trained.scale,
        maximum=trained.maximum,
        permutation=trained.permutation,
        provenance={"data": trained.config.data.name, "seed": trained.config.training.seed, **trained.provenance},
    )


def require_freezable(settings: NetworkConfig, steps: int) -> None:
    """Raise CannotFreeze if the integer contract does not hold the neurons or the connection of such a network."""
    with torch.device("meta"):
        own = settings.each_layer()[0]
        neuron, connection = new_neurons(own, 1, steps), new_connection(own, steps)
    if neuron.missing is not None:
        raise CannotFreeze(f"neuron '{settings.neuron}'", neuron.missing)
    if connection.each_step:
        raise CannotFreeze(
            f"connection '{settings.connection}'",
            "hears a delay line at places that stay, where this connection moves them at every step; 'asrc' comes "
            "closest",
        )


def _frozen(trained: Checkpoint, i: int, layer: SkipRecurrentLayer) -> FrozenLayer:
    dynamics, taps = layer.neuron.dynamics(), layer.connection.taps(None)
    assert dynamics is not None, "a neuron that lacks nothing has the kernels' equations"
    weight, bias = _feedforward(trained, i)
    return FrozenLayer(
        name=f"layer{i}",
        weight=weight,
        recurrent=_array(trained, f"layers.{i}.recurrent.weight"),
        bias=bias,
        decay=float(dynamics.decay),
        threshold=float(dynamics.threshold),
        reset=dynamics.reset,
        span=longest_span(taps),
        taps=_weighted(taps),
    )


def _weighted(taps: Tensor | int) -> tuple[WeightedTap, ...]:
    """The taps by span, where there are several."""
    if isinstance(taps, int):
        return ()
    heard = [WeightedTap(k, weight) for k, weight in enumerate(taps.double().tolist(), start=1) if weight]
    return tuple(heard) if len(heard) > 1 else ()


def _array(trained: Checkpoint, name: str) -> Floats:
    values: Floats = trained.tensors[name].double().numpy()
    return values


def _feedforward(trained: Checkpoint, i: int) -> tuple[Floats, Floats]:
    def tensor(name: str) -> Tensor:
        return trained.tensors[f"layers.{i}.{name}"].double()

    weight, bias = tensor("feedforward.weight"), tensor("feedforward.bias")
    if trained.config.network.batch_norm:
        constants = (tensor(f"normalization.{name}") for name in ("gamma", "beta", "mean", "variance"))
        weight, bias = fold(weight, bias, *constants)
    return weight.numpy(), bias.numpy()


def freeze_file(path: str | Path) -> FrozenNetwork:
    """Load a checkpoint and freeze it, with the file's hash among the provenance.

    Raises UnreadableFile, NonFiniteWeights.
    """
    frozen = freeze(checkpoint.load(path))
    frozen.provenance["checkpoint_sha256"] = checkpoint.fingerprint(path)
    return frozen
