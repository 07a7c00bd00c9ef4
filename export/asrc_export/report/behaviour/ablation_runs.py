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
from asrc_core.contract.result import LayerCounts, Result, Trace
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
    model, count, steps = trained.network(), len(x), x.shape[1]
    mixes = learns_spans(trained.config.network)
    real, whole = (unrounded.prepared(network, integer_state=each) for each in (False, True))
    totals = _Totals(network, steps)
    for chunk in _chunks(count, min(BATCH, max(1, CHUNK_CELLS // totals.cells_of_sample))):
        result = engine(network, x[chunk], trace=True)
        assert result.trace is not None
        inputs = fed_to(model, x[chunk], scale)
        hard = _trained(model, inputs, None)
        answers: dict[StageName, _Answer] = {
            "float_mixture": _trained(model, inputs, trained.temperature) if mixes else hard,
            "float": hard,
            "quantized_weights": _unrounded(real, x[chunk]),
            "quantized_state": _unrounded(whole, x[chunk]),
            "deployed": _Answer(result.predictions, [trace.spikes for trace in result.trace.layers]),
        }
        totals.add(x[chunk], result, result.trace, answers)
        progress(chunk.stop / count, f"{chunk.stop:,} of {plural(count, 'sample')} on five networks")
    return totals.finished(y)


class _Totals:
    """What the stages came to on the samples so far."""

    def __init__(self, network: IntegerNetwork, steps: int) -> None:
        self._network, self._steps = network, steps
        self._layers = outline.of(network).layers
        self._predicted: dict[StageName, list[Labels]] = {name: [] for name in STAGES}
        self._counts = [LayerCounts()] * len(network.layers)
        self._exact: Operations = [[0] * len(layer.connections) for layer in network.layers]
        self._differing = {name: np.zeros(len(self._layers), np.int64) for name in STAGES}
        self._drift = np.zeros((len(self._layers), steps), np.int64)
        self._divergences: list[FirstDivergence] = []
        self._fired: list[list[tuple[Firing, Firing]]] = [[] for _ in self._layers]
        self._at_limit = [np.zeros(layer.neurons, np.bool_) for layer in self._layers]
        self._first: tuple[tuple[Spikes, ...], tuple[Spikes, ...]] | None = None
        self._samples = 0

    @property
    def cells_of_sample(self) -> int:
        """(step, neuron) cells of all layers."""
        return self._steps * sum(layer.neurons for layer in self._layers)

    def add(self, x: Samples, result: Result, trace: Trace, answers: Mapping[StageName, _Answer]) -> None:
        """Samples (B, T, channels), what the engine said of them and what each stage did."""
        reference, deployed = answers[REFERENCE], answers["deployed"]
        self._counts = [before + each for before, each in zip(self._counts, result.counts, strict=True)]
        self._exact = arrivals.added(self._exact, arrivals.operations(self._network, x, deployed.spikes))
        for name, answer in answers.items():
            self._predicted[name].append(answer.predictions)
            if answer is not reference and answer is not deployed:
                self._differing[name] += [np.count_nonzero(each) for each in unlike(reference.spikes, answer.spikes)]
        strayed = unlike(reference.spikes, deployed.spikes)
        self._drift += [in_each_step(each) for each in strayed]
        self._divergences += [
            first._replace(sample=first.sample + self._samples) for first in first_divergences(strayed)
        ]
        for i, (layer, traced_layer) in enumerate(zip(self._layers, trace.layers, strict=True)):
            mine, theirs = (firing.of_spikes(layer.name, each.spikes[i]) for each in (reference, deployed))
            self._fired[i].append((mine, theirs))
            if layer.membrane.magnitude >= STATE_MAX:  # elsewhere it is proven that none stands there
                self._at_limit[i] |= (np.abs(traced_layer.membrane) >= STATE_MAX).any(axis=(0, 1))
        if self._first is None:
            self._first = (_of_first(reference), _of_first(deployed))
        self._samples += len(x)

    def finished(self, labels: Labels) -> AblationRuns:
        """All of it, beside the samples' labels (n,)."""
        assert self._first is not None
        cells = np.array([layer.neurons * self._samples for layer in self._layers])
        differing = {**self._differing, "deployed": self._drift.sum(axis=1)}
        predictions = {name: np.concatenate(parts) for name, parts in self._predicted.items()}
        stages = tuple(
            StageRun(
                name,
                *STAGES[name],
                accuracy=float((predictions[name] == labels).mean()),
                agreement=float((predictions[name] == predictions[REFERENCE]).mean()),
                differing=tuple((differing[name] / (cells * self._steps)).tolist()),
            )
            for name in STAGES
        )
        return AblationRuns(
            labels=labels,
            predictions=predictions,
            counts=tuple(self._counts),
            exact_operations=self._exact,
            steps=self._steps,
            stages=stages,
            drift=self._drift / cells[:, None],
            first_divergences=tuple(self._divergences),
            activity=tuple(
                Activity(firing.joined([mine for mine, _ in parts]), firing.joined([theirs for _, theirs in parts]), at)
                for parts, at in zip(self._fired, self._at_limit, strict=True)
            ),
            first_sample=self._first,
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
