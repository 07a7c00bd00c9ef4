"""From input spikes to a tape: all spikes and arrivals until the end, in the order in which they happen."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from asrc_core.errors import InvalidData
from asrc_train.reference.graph import Floats, Graph
from asrc_train.reference.membrane import Membrane

MOST_SPIKES = 1_000_000
"""A network that fires more often is no small one."""


@dataclass(frozen=True)
class Spike:
    """A spike of a neuron, and the current with which it crossed."""

    neuron: int
    time: float
    current: float


@dataclass(frozen=True)
class Arrival:
    """Where and when what an input or a spike sent arrives: ``cause`` is the spike's number, or -1 of an input."""

    time: float
    target: int
    source: int
    cause: int
    v: float
    i: float
    """The target's states just before."""


@dataclass(frozen=True, eq=False)
class Tape:
    """``events`` in order: arrivals, and numbers of spikes. ``v``, ``i``: states of all neurons at the end."""

    end: float
    spikes: list[Spike]
    events: list[Arrival | int]
    v: Floats
    i: Floats
    late: int
    """Arrivals that would have come after the end."""

    def order(self) -> list[tuple[int, ...]]:
        """Who did what after whom: the same for two runs that differ by small changes only."""
        return [self._who(event) for event in self.events]

    def _who(self, event: Arrival | int) -> tuple[int, ...]:
        if isinstance(event, int):
            return 0, self.spikes[event].neuron
        return 1, event.target, event.source, event.cause < 0


def run(graph: Graph, inputs: Sequence[tuple[float, int]], end: float) -> Tape:
    """The network on input spikes (time, channel) until ``end``. Raises InvalidData for a network that runs away."""
    return _Simulation(graph, inputs, end).tape()


@dataclass
class _Simulation:
    graph: Graph
    inputs: Sequence[tuple[float, int]]
    end: float
    late: int = 0
    spikes: list[Spike] = field(default_factory=list)
    events: list[Arrival | int] = field(default_factory=list)

    def tape(self) -> Tape:
        n, self.membrane = self.graph.neurons, Membrane(self.graph.tau_membrane, self.graph.tau_synapse)
        self.v, self.i, self.since, self.next = np.zeros(n), np.zeros(n), np.zeros(n), np.full(n, np.inf)
        self.queue: list[tuple[float, int, int, int, int]] = []
        self.pushed = 0
        for time, channel in self.inputs:
            self._send(time, channel, -1, self.graph.weights_in, self.graph.delays_in)
        while True:
            firing = int(self.next.argmin())
            arriving = self.queue[0][0] if self.queue else np.inf
            if min(self.next[firing], arriving) >= self.end:
                break
            if self.next[firing] <= arriving:
                self._fire(firing, float(self.next[firing]))
            else:
                self._arrive()
        for n in range(self.graph.neurons):
            self._advance(n, self.end)
        return Tape(self.end, self.spikes, self.events, self.v, self.i, self.late)

    def _advance(self, n: int, time: float) -> None:
        self.v[n], self.i[n] = self.membrane.after(self.v[n], self.i[n], time - self.since[n])
        self.since[n] = time

    def _predict(self, n: int) -> None:
        theta = self.graph.thresholds[n]
        wait = self.membrane.crossing(self.v[n], self.i[n], theta) if np.isfinite(theta) else np.inf
        self.next[n] = self.since[n] + wait

    def _fire(self, n: int, time: float) -> None:
        if len(self.spikes) == MOST_SPIKES:
            raise InvalidData("network", f"it fires more than {MOST_SPIKES:,} times", "take smaller weights")
        self._advance(n, time)
        self.spikes.append(Spike(n, time, float(self.i[n])))
        self.events.append(len(self.spikes) - 1)
        self.v[n] = 0.0
        self._predict(n)
        self._send(time, n, len(self.spikes) - 1, self.graph.weights, self.graph.delays)

    def _send(self, time: float, source: int, cause: int, weights: Floats, delays: Floats) -> None:
        for target in np.flatnonzero(weights[:, source]).tolist():
            due = time + delays[target, source]
            if due >= self.end:
                self.late += 1
            else:
                heapq.heappush(self.queue, (due, self.pushed, target, source, cause))
                self.pushed += 1

    def _arrive(self) -> None:
        time, _, target, source, cause = heapq.heappop(self.queue)
        self._advance(target, time)
        self.events.append(Arrival(time, target, source, cause, float(self.v[target]), float(self.i[target])))
        self.i[target] += (self.graph.weights_in if cause < 0 else self.graph.weights)[target, source]
        self._predict(target)
