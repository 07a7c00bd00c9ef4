"""Freezing: a trained network with its skip kernels replaced by spans, as plain float64 arrays.

Everything downstream sees only this: a frozen ASRC layer is an SRC layer, a vanilla one an SRC layer of span 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from asrc_train import checkpoint
from asrc_train.checkpoint import Checkpoint
from asrc_train.normalization import fold
from asrc_train.recurrence import Reset

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
    """Replace each layer's skip logits by the hard-max span 1 + argmax w, and fold batch normalisation into W and b."""
    network = trained.config.network
    folded = [_feedforward(trained, i) for i in range(len(network.hidden))]
    tensors = {name: tensor.double().numpy() for name, tensor in trained.tensors.items()}
    layers = tuple(
        FrozenLayer(
            name=f"layer{i}",
            weight=folded[i][0],
            recurrent=tensors[f"layers.{i}.recurrent.weight"],
            bias=folded[i][1],
            decay=own.decay,
            threshold=own.threshold,
            reset=own.reset,
            span=span,
        )
        for i, (span, own) in enumerate(zip(trained.spans, network.each_layer(), strict=True))
    )
    return FrozenNetwork(
        layers=layers,
        readout_weight=tensors["readout.weight"],
        readout_bias=tensors["readout.bias"],
        channels=trained.channels,
        steps=trained.steps,
        scale=trained.scale,
        maximum=trained.maximum,
        permutation=trained.permutation,
        provenance={"data": trained.config.data.name, "seed": trained.config.training.seed, **trained.provenance},
    )


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
