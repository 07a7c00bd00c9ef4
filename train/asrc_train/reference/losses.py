"""The losses of one sample on a tape, and what each adds to the adjoint."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from asrc_train.reference.forward import Arrival, Tape
from asrc_train.reference.graph import Floats, Graph
from asrc_train.reference.membrane import Membrane


@dataclass(frozen=True)
class Peak:
    """The greatest V of an integrator, and how the loss hangs on it.

    ``at``: the place among the tape's events of the arrival that made it fall, or None if it turned by itself.
    """

    neuron: int
    time: float
    value: float
    worth: float = 0.0
    at: int | None = None
    slope: float = 0.0
    """V' just before such an arrival."""


@dataclass(frozen=True, eq=False)
class Loss:
    """``value``; ``drive`` (N,): dl/dV(t) = drive e^(-t / T); ``moves``: dl/dt by number of spike; peaks."""

    value: float
    drive: Floats
    moves: dict[int, float] = field(default_factory=dict)
    peaks: list[Peak] = field(default_factory=list)


def first_spike(graph: Graph, tape: Tape, label: int, margin: float) -> Loss:
    """1/2 sum_{i != c} (t_i - t_c - margin)^2 over the outputs' first spikes; who never fires does at the end."""
    first: dict[int, int] = {}
    for number, spike in enumerate(tape.spikes):
        first.setdefault(spike.neuron, number)
    neurons = _outputs(graph)
    times = np.array([tape.spikes[first[n]].time if n in first else tape.end for n in neurons])
    gaps = times - times[label] - margin
    gaps[label] = 0.0
    worth = gaps.copy()
    worth[label] = -gaps.sum()
    moves = {first[n]: float(each) for n, each in zip(neurons, worth, strict=True) if n in first}
    return Loss(float(gaps @ gaps) / 2, np.zeros(graph.neurons), moves)


def exponential(graph: Graph, tape: Tape, label: int) -> Loss:
    """Cross entropy of logits 1/T int exp(-t / T) V dt of the outputs, which are integrators.

    From the equations of V and I, integrated by parts:
    (1 + tau_s / T) int e I = tau_s (sum_arrivals w e(t) - e(T) I(T))
    (1 + tau_m / T) int e V = int e I - tau_m e(T) V(T)
    """
    neurons, end, last = _outputs(graph), tape.end, math.exp(-1)
    arrived = np.zeros(graph.neurons)
    for event in tape.events:
        if isinstance(event, Arrival):
            weights = graph.weights_in if event.cause < 0 else graph.weights
            arrived[event.target] += weights[event.target, event.source] * math.exp(-event.time / end)
    current = graph.tau_synapse * (arrived - last * tape.i) / (1 + graph.tau_synapse / end)
    voltage = (current - graph.tau_membrane * last * tape.v) / (1 + graph.tau_membrane / end)
    value, worth = _cross_entropy(voltage[neurons] / end, label)
    drive = np.zeros(graph.neurons)
    drive[neurons] = worth / end
    return Loss(value, drive)


def maximum(graph: Graph, tape: Tape, label: int) -> Loss:
    """Cross entropy of the greatest V of the outputs, which are integrators; 0 if it is never above."""
    peaks = [_peak(graph, tape, n) for n in _outputs(graph)]
    value, worth = _cross_entropy(np.array([peak.value for peak in peaks]), label)
    found = [
        Peak(peak.neuron, peak.time, peak.value, float(each), peak.at, peak.slope)
        for peak, each in zip(peaks, worth, strict=True)
        if peak.value > 0
    ]
    return Loss(value, np.zeros(graph.neurons), peaks=found)


def _outputs(graph: Graph) -> list[int]:
    return list(range(graph.neurons - graph.outputs, graph.neurons))


def _cross_entropy(logits: Floats, label: int) -> tuple[float, Floats]:
    """The loss, and its gradient: softmax less one-hot."""
    shifted = logits - logits.max()
    share = np.exp(shifted) / np.exp(shifted).sum()
    worth: Floats = share - (np.arange(len(logits)) == label)
    return float(np.log(np.exp(shifted).sum()) - shifted[label]), worth


def _peak(graph: Graph, tape: Tape, n: int) -> Peak:
    membrane, best = Membrane(graph.tau_membrane, graph.tau_synapse), Peak(n, 0.0, 0.0)
    since, v, i = 0.0, 0.0, 0.0
    for place, event in enumerate(tape.events):
        if not isinstance(event, Arrival) or event.target != n:
            continue
        best = _higher(best, membrane, since, v, i, event.time)
        if event.v > best.value:
            slope = (event.i - event.v) / graph.tau_membrane
            best = Peak(n, event.time, event.v, at=place, slope=slope)
        weights = graph.weights_in if event.cause < 0 else graph.weights
        since, v, i = event.time, event.v, event.i + weights[n, event.source]
    best = _higher(best, membrane, since, v, i, tape.end)
    return Peak(n, tape.end, float(tape.v[n])) if tape.v[n] > best.value else best


def _higher(best: Peak, membrane: Membrane, since: float, v: float, i: float, until: float) -> Peak:
    """The peak within a time without events, if it is higher."""
    wait = membrane.peak(v, i)
    if not 0 < wait < until - since:
        return best
    value = membrane.after(v, i, wait)[0]
    return Peak(best.neuron, since + wait, value) if value > best.value else best
