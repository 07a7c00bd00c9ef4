"""The runs of the rounding ablation: the same samples on five networks, each rounding further than the one before.

`stages` says what they are. Every stage is compared with hard-max float: agreement of the answers, and for each layer
the share of (step, sample, neuron) cells whose spike differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_core.contract.result import LayerCounts
from asrc_core.counts import plural
from asrc_export.checks import firing
from asrc_export.checks.firing import Firing
from asrc_export.chip.cost import arrivals
from asrc_export.chip.cost.arrivals import Operations
from asrc_export.engines.select import Run
from asrc_export.report import outline, unrounded
from asrc_export.report.behaviour.spike_differences import (
    FirstDivergence,
    Spikes,
    first_divergences,
    in_each_step,
    unlike,
)
from asrc_export.report.behaviour.stages import REFERENCE, STAGES, StageName
from asrc_train.data.dataset import Labels, Samples
from asrc_train.network.connections.connection import learns_spans
from asrc_train.network.float_network import FloatNetwork
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.evaluate import BATCH, fed_to, traced

CHUNK_CELLS = 2**24
"""At most this many (step, sample, neuron) cells are held at a time."""


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
    """All stages on all samples, and how the spikes of deployed and float hard-max differ.

    labels: (n,), and predictions (n,) of each stage; counts: the deployed network's events, by layer, over all samples;
    exact_operations: its operations on weights that are not 0, by layer and connection.
    drift: (L, T), the share of a step's (sample, neuron) cells that differ; first_divergences: the first difference
    of each sample that has one; first_sample: the spikes (T, N) of sample 0 in each layer, float then deployed.
    """

    labels: Labels
    predictions: Mapping[StageName, Labels]
    counts: tuple[LayerCounts, ...]
    exact_operations: Operations
    steps: int
    stages: tuple[StageRun, ...]
    drift: NDArray[np.float64]
    first_divergences: tuple[FirstDivergence, ...]
    activity: tuple[Activity, ...]
    first_sample: tuple[tuple[Spikes, ...], tuple[Spikes, ...]]

    @property
    def samples(self) -> int:
        """How many."""
        return len(self.labels)

    @property
    def float_spikes(self) -> list[int]:
        """Spikes of each layer in float hard-max, over all samples."""
        return [int(each.float_spikes.sum()) for each in self.activity]


@dataclass(frozen=True, eq=False)
class _Answer:
    """One stage on one chunk."""

    predictions: Labels
    spikes: Sequence[Spikes]


def run(
    network: IntegerNetwork,
    trained: Checkpoint,
    x: Samples,
    y: Labels,
    scale: float,
    engine: Run,
    progress: Callable[[float, str], None] = lambda done, note: None,
) -> AblationRuns:
    """Run every stage over samples (n, T, channels) with labels (n,), in chunks of bounded memory.

    ``network`` must be the checkpoint's own (equal widths and spans). Raises InvalidData for samples that do not fit.
    """
    layers, steps, model = outline.of(network).layers, x.shape[1], trained.network()
    mixes = learns_spans(trained.config.network)
    per_sample = steps * sum(layer.neurons for layer in layers)
    count = len(x)
    real, whole = (unrounded.prepared(network, integer_state=each) for each in (False, True))
    predicted: dict[StageName, list[Labels]] = {name: [] for name in STAGES}
    counts = [LayerCounts()] * len(network.layers)
    exact: Operations = [[0] * len(layer.connections) for layer in network.layers]
    differing = {name: np.zeros(len(layers), np.int64) for name in STAGES}
    drift = np.zeros((len(layers), steps), np.int64)
    found: list[FirstDivergence] = []
    fired: list[list[tuple[Firing, Firing]]] = [[] for _ in layers]
    at_limit = [np.zeros(layer.neurons, np.bool_) for layer in layers]
    shown: tuple[tuple[Spikes, ...], tuple[Spikes, ...]] | None = None
    for chunk in _chunks(count, min(BATCH, max(1, CHUNK_CELLS // per_sample))):
        result = engine(network, x[chunk], trace=True)
        assert result.trace is not None
        deployed = _Answer(result.predictions, [trace.spikes for trace in result.trace.layers])
        inputs = fed_to(model, x[chunk], scale)
        hard = _trained(model, inputs, None)
        answers: dict[StageName, _Answer] = {
            "float_mixture": _trained(model, inputs, trained.temperature) if mixes else hard,
            "float": hard,
            "quantized_weights": _unrounded(real, x[chunk]),
            "quantized_state": _unrounded(whole, x[chunk]),
            "deployed": deployed,
        }
        counts = [before + each for before, each in zip(counts, result.counts, strict=True)]
        exact = arrivals.added(exact, arrivals.operations(network, x[chunk], deployed.spikes))
        reference = answers[REFERENCE]
        for name, answer in answers.items():
            predicted[name].append(answer.predictions)
            if answer is not reference and answer is not deployed:
                differing[name] += [np.count_nonzero(each) for each in unlike(reference.spikes, answer.spikes)]
        strayed = unlike(reference.spikes, deployed.spikes)
        drift += [in_each_step(each) for each in strayed]
        firsts = first_divergences(strayed)
        found += [first._replace(sample=first.sample + chunk.start) for first in firsts]
        for i, (layer, trace) in enumerate(zip(layers, result.trace.layers, strict=True)):
            mine, theirs = (firing.of_spikes(layer.name, each.spikes[i]) for each in (reference, deployed))
            fired[i].append((mine, theirs))
            if layer.membrane.magnitude >= STATE_MAX:  # elsewhere it is proven that none stands there
                at_limit[i] |= (np.abs(trace.membrane) >= STATE_MAX).any(axis=(0, 1))
        if shown is None:
            shown = (_of_first(reference), _of_first(deployed))
        progress(chunk.stop / count, f"{chunk.stop:,} of {plural(count, 'sample')} on five networks")
    assert shown is not None
    differing["deployed"] = drift.sum(axis=1)
    predictions = {name: np.concatenate(parts) for name, parts in predicted.items()}
    cells = np.array([layer.neurons * count for layer in layers])
    stages = tuple(
        StageRun(
            name,
            *STAGES[name],
            accuracy=float((predictions[name] == y).mean()),
            agreement=float((predictions[name] == predictions[REFERENCE]).mean()),
            differing=tuple((differing[name] / (cells * steps)).tolist()),
        )
        for name in STAGES
    )
    return AblationRuns(
        labels=y,
        predictions=predictions,
        counts=tuple(counts),
        exact_operations=exact,
        steps=steps,
        stages=stages,
        drift=drift / cells[:, None],
        first_divergences=tuple(found),
        activity=tuple(
            Activity(firing.joined([mine for mine, _ in parts]), firing.joined([theirs for _, theirs in parts]), at)
            for parts, at in zip(fired, at_limit, strict=True)
        ),
        first_sample=shown,
    )


def _trained(model: FloatNetwork, x: Any, temperature: float | None) -> _Answer:
    logits, spikes = traced(model, x, temperature)
    return _Answer(logits.numpy().argmax(axis=1), spikes)


def _unrounded(run: Callable[[Samples], unrounded.Outcome], x: Samples) -> _Answer:
    logits, spikes = run(x)
    return _Answer(logits.argmax(axis=1), spikes)


def _of_first(answer: _Answer) -> tuple[Spikes, ...]:
    return tuple(each[:, 0].copy() for each in answer.spikes)


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
