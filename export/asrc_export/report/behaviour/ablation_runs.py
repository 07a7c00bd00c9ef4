"""The runs of the rounding ablation: the same samples on five networks, each rounding further than the one before.

`stages` says what they are. Every stage is compared with hard-max float: agreement of the answers, and for each layer
the share of (step, sample, neuron) cells whose spike differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_export.checks import firing
from asrc_export.checks.firing import Firing
from asrc_export.engines.select import Run
from asrc_export.report import outline, unrounded
from asrc_export.report.behaviour.spike_differences import FirstDivergence, Spikes, differing, first_divergences
from asrc_export.report.behaviour.stages import REFERENCE, STAGES, StageName
from asrc_train.data.dataset import Labels, Samples
from asrc_train.network.float_network import FloatNetwork
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.evaluate import BATCH, fed_to

MAX_CELLS = 2**24
"""At most this many (step, sample, neuron) cells are traced; a longer data set is cut to its first samples."""
CHUNK_CELLS = 2**23
"""At most this many are held at a time."""


@dataclass(frozen=True)
class StageRun:
    """One network's outcome; ``differing`` is the share of cells, for each layer, that differ from float hard-max."""

    name: StageName
    title: str
    change: str
    accuracy: float
    agreement: float
    differing: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Activity:
    """One layer's neurons over all samples: how they fire in float hard-max and deployed, and whether each one's
    deployed membrane ever stood at the 24-bit limit, (N,).
    """

    in_float: Firing
    deployed: Firing
    at_limit: NDArray[np.bool_]

    @property
    def float_spikes(self) -> Ints:
        """Spikes of each neuron in float, (N,)."""
        return self.in_float.total

    @property
    def deployed_spikes(self) -> Ints:
        """Spikes of each neuron deployed, (N,)."""
        return self.deployed.total


@dataclass(frozen=True, eq=False)
class AblationRuns:
    """All stages on the first ``samples`` samples, and how the spikes of deployed and float hard-max differ.

    drift: (L, T), the share of a step's (sample, neuron) cells that differ; first_divergences: the first difference
    of each sample that has one; first_sample: the spikes (T, N) of sample 0 in each layer, float then deployed.
    """

    samples: int
    steps: int
    stages: tuple[StageRun, ...]
    drift: NDArray[np.float64]
    first_divergences: tuple[FirstDivergence, ...]
    activity: tuple[Activity, ...]
    first_sample: tuple[tuple[Spikes, ...], tuple[Spikes, ...]]


@dataclass(frozen=True, eq=False)
class _Answer:
    """One stage on one chunk."""

    predictions: Labels
    spikes: Sequence[Spikes]


def run(network: IntegerNetwork, trained: Checkpoint, x: Samples, y: Labels, scale: float, engine: Run) -> AblationRuns:
    """Run every stage over samples (n, T, channels) with labels (n,), in chunks of bounded memory.

    ``network`` must be the checkpoint's own (equal widths and spans). Raises InvalidData for samples that do not fit.
    """
    layers, steps, model = outline.of(network).layers, x.shape[1], trained.network()
    per_sample = steps * sum(layer.neurons for layer in layers)
    count = min(len(x), max(1, MAX_CELLS // per_sample))
    right, agreeing = (dict.fromkeys(STAGES, 0) for _ in range(2))
    unlike = {name: np.zeros((len(layers), steps), np.int64) for name in STAGES}
    found: list[FirstDivergence] = []
    fired: list[list[tuple[Firing, Firing]]] = [[] for _ in layers]
    at_limit = [np.zeros(layer.neurons, np.bool_) for layer in layers]
    shown: tuple[tuple[Spikes, ...], tuple[Spikes, ...]] | None = None
    for chunk in _chunks(count, min(BATCH, max(1, CHUNK_CELLS // per_sample))):
        deployed, at = _deployed(network, x[chunk], engine)
        answers: dict[StageName, _Answer] = {
            "float_mixture": _trained(model, x[chunk], scale, trained.temperature),
            "float": _trained(model, x[chunk], scale, None),
            "quantized_weights": _unrounded(network, x[chunk], integer_state=False),
            "quantized_state": _unrounded(network, x[chunk], integer_state=True),
            "deployed": deployed,
        }
        reference = answers[REFERENCE]
        for name, answer in answers.items():
            right[name] += int((answer.predictions == y[chunk]).sum())
            agreeing[name] += int((answer.predictions == reference.predictions).sum())
            pairs = zip(reference.spikes, answer.spikes, strict=True)
            unlike[name] += np.stack([differing(mine, theirs) for mine, theirs in pairs])
        firsts = first_divergences(reference.spikes, deployed.spikes)
        found += [first._replace(sample=first.sample + chunk.start) for first in firsts]
        for i, layer in enumerate(layers):
            mine, theirs = (firing.of_spikes(layer.name, each.spikes[i]) for each in (reference, deployed))
            fired[i].append((mine, theirs))
            at_limit[i] |= at[i]
        if shown is None:
            shown = (_of_first(reference), _of_first(deployed))
    assert shown is not None
    cells = np.array([layer.neurons * count for layer in layers])
    stages = tuple(
        StageRun(
            name,
            *STAGES[name],
            accuracy=right[name] / count,
            agreement=agreeing[name] / count,
            differing=tuple((unlike[name].sum(axis=1) / (cells * steps)).tolist()),
        )
        for name in STAGES
    )
    return AblationRuns(
        samples=count,
        steps=steps,
        stages=stages,
        drift=unlike["deployed"] / cells[:, None],
        first_divergences=tuple(found),
        activity=tuple(
            Activity(firing.joined([mine for mine, _ in parts]), firing.joined([theirs for _, theirs in parts]), at)
            for parts, at in zip(fired, at_limit, strict=True)
        ),
        first_sample=shown,
    )


def _deployed(network: IntegerNetwork, x: Samples, engine: Run) -> tuple[_Answer, list[NDArray[np.bool_]]]:
    """The engine's answer, and which neurons of each layer ever stood at the 24-bit limit."""
    result = engine(network, x, trace=True)
    assert result.trace is not None
    traces = result.trace.layers
    at_limit = [(np.abs(trace.membrane) >= STATE_MAX).any(axis=(0, 1)) for trace in traces]
    return _Answer(result.predictions, [trace.spikes for trace in traces]), at_limit


@torch.no_grad()
def _trained(model: FloatNetwork, x: Samples, scale: float, temperature: float | None) -> _Answer:
    logits, spikes = model.traced(fed_to(model, x, scale), temperature)
    return _Answer(logits.numpy().argmax(axis=1), [each.numpy().astype(np.uint8) for each in spikes])


def _unrounded(network: IntegerNetwork, x: Samples, *, integer_state: bool) -> _Answer:
    logits, spikes = unrounded.run(network, x, integer_state=integer_state)
    return _Answer(logits.argmax(axis=1), spikes)


def _of_first(answer: _Answer) -> tuple[Spikes, ...]:
    return tuple(each[:, 0].copy() for each in answer.spikes)


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
