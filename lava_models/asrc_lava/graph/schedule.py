"""Which step of which sample each process works on: the contract's integers, shifted in time (docs/arithmetic.md).

Every connection takes at least one Lava step. So a layer works on step t of the stream, from 0, at Lava step
pace * t + lag + 1: its lag is the number of Lava steps by which it comes after the input, and the pace is how many of
them one step of the network takes. In a circle of connections what is sent must come round in time, so the pace is the
greatest ratio of connections to steps of lag over all circles, rounded up: 1 for chains, however short their spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asrc_core.contract.network import IntegerNetwork


@dataclass(frozen=True)
class Schedule:
    """``rounds`` samples (or groups of samples side by side) of ``steps`` steps each, and ``idle`` steps between two.

    A step takes ``pace`` Lava steps; a process works in one of them, and sends zeros in the others and in idle steps.
    Samples are back to back where ``idle`` is 0.
    """

    steps: int
    rounds: int
    pace: int = 1
    idle: int = 0

    @property
    def source_steps(self) -> int:
        """Lava steps for which a source has data: all of them but those in which the pipeline drains."""
        return self.pace * (self.steps + self.idle) * self.rounds

    def lava_steps(self, lag: int) -> int:
        """Lava steps until a process with that lag has done the last step of the last sample."""
        return self.pace * ((self.steps + self.idle) * self.rounds - self.idle - 1) + 1 + lag

    def at(self, lava_step: int, lag: int) -> tuple[int, int] | None:
        """The round, from 0, and the step within it, 1 to T, on which a process with that lag works at a Lava step.

        None in between, in idle steps, and while the pipeline fills or drains.
        """
        moved = lava_step - lag - 1
        if moved % self.pace or not 0 <= moved < self.source_steps:
            return None
        round_, step = divmod(moved // self.pace, self.steps + self.idle)
        return (round_, step + 1) if step < self.steps else None


@dataclass(frozen=True)
class Timing:
    """How a network's steps lie in Lava's: its pace, the idle steps after each sample, and the lag of each layer."""

    pace: int
    idle: int
    lags: tuple[int, ...]

    def lag(self, place: int) -> int:
        """Of a layer or, at place -1, of the input."""
        return 0 if place < 0 else self.lags[place]

    def schedule(self, steps: int, rounds: int) -> Schedule:
        """For so many samples of so many steps."""
        return Schedule(steps, rounds, self.pace, self.idle)

    def lava_steps(self, steps: int, rounds: int) -> int:
        """Lava steps until every layer has seen all of so many samples."""
        return self.schedule(steps, rounds).lava_steps(max(self.lags))


def timing(network: IntegerNetwork) -> Timing:
    """The smallest pace, and for it the smallest lags, with which everything that is sent can arrive in time."""
    paths = [
        _Path(network.place(each.source), place, each.lags[0])
        for place, layer in enumerate(network.layers)
        for each in layer.connections
    ]
    layers = len(network.layers)
    # A circle has no more connections than there are layers, and a lag of at least 1: that pace is always enough.
    found = ((pace, _lags(paths, layers, pace)) for pace in range(1, layers + 1))
    pace, lags = next((pace, lags) for pace, lags in found if lags is not None)
    return Timing(pace, _idle(network), lags)


class _Path(NamedTuple):
    """A connection by the places of its ends, and its shortest lag."""

    source: int
    layer: int
    lag: int


def _lags(paths: Sequence[_Path], layers: int, pace: int) -> tuple[int, ...] | None:
    """For each layer the longest way to it, each connection as long as 1 - pace * lag; None if a circle adds up."""
    lags = [0] * layers
    for _ in range(layers + 1):
        settled = True
        for source, layer, lag in paths:
            least = (0 if source < 0 else lags[source]) + 1 - pace * lag
            if least > lags[layer]:
                lags[layer], settled = least, False
        if settled:
            return tuple(lags)
    return None


def _idle(network: IntegerNetwork) -> int:
    """Steps after a sample in which something of it may still arrive.

    A neuron sends while some of its synapses deliver within the sample; those with a delay of their own that is longer
    deliver after it. With one lag for all synapses nothing does.
    """
    delays = (each.delays for layer in network.layers for each in layer.connections)
    return max((int((d.max(axis=0) - d.min(axis=0)).max()) for d in delays if d is not None), default=0)
