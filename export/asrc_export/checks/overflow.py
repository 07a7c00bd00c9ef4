"""Which membranes and accumulators cannot saturate, whatever the input; for those that could, an input that does it.

The proof is `network.ranges`. It may be too careful: it lets every neuron get the best of everything at once. So
where it says that a layer could saturate, inputs are looked for that make it, by running them: first each frame held
that drives a neuron that the input reaches hardest (exact for what comes from the input), then the best of those cut,
spliced and changed, keeping what comes closest. Every example has been run and its saturations counted. Not finding one
proves nothing, and is said as such. No chance is involved: the same network gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import STATE_MAX
from asrc_core.contract.ranges import Range, headroom_bits
from asrc_core.contract.result import Result
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.counts import plural
from asrc_export.engines.select import Run

Frames = NDArray[np.int32]
ROUNDS = 40
"""Generations of changed inputs, for each layer that has not saturated."""
CHILDREN = 32
PARENTS = 8
HELD = 512
"""At most so many frames are tried held."""
MAX_CELLS = 2**24
"""Fewer are, and fewer inputs are changed at a time, if they would take more than so many integers."""
MAX_STEPS = 2**16
"""Longer samples are searched up to this step."""
CHUNK_CELLS = 2**23


@dataclass(frozen=True, eq=False)
class Example:
    """Samples (1, T, channels) on which ``neuron`` is the first of its layer to saturate, at ``step``.

    ``saturations`` is what the engine counts in that layer on the whole sample.
    """

    x: Frames
    step: int
    neuron: int
    saturations: int


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a layer's membranes, or the readout's accumulators, can saturate at 24 bits.

    ``proven``: no input does it. ``example``: this one does. ``open``: the bound allows it and none of ``tried`` inputs
    did it; the closest came to ``reached``.
    """

    name: str
    kind: Literal["proven", "example", "open"]
    worst: Range
    tried: int = 0
    reached: int = 0
    example: Example | None = None

    def __str__(self) -> str:
        if self.example is not None:
            found = self.example
            times = plural(found.saturations, "time")
            return (
                f"{self.name}: overflows for some inputs; on the one found it saturates {times}, first neuron "
                f"{found.neuron} at step {found.step}"
            )
        if self.kind == "proven":
            return f"{self.name}: cannot overflow, whatever the input"
        return (
            f"{self.name}: could overflow by the bound, but none of the {self.tried:,} inputs tried does it; the "
            f"closest stayed {headroom_bits(self.reached, STATE_MAX):.2f} bits below"
        )


def search(network: IntegerNetwork, engine: Run, samples: NDArray[np.generic] | None = None) -> list[Verdict]:
    """A verdict for each layer and, last, the readout; ``samples`` (n, T, channels) are inputs to begin with.

    Samples are as long as the network was exported for (at most MAX_STEPS). Raises InvalidData for unfit samples.
    """
    worst = network.ranges
    could = [i for i, ranges in enumerate(worst) if ranges.may_saturate]
    hunt = _Hunt(network, engine, could)
    if could:
        hunt.run(samples)
    verdicts = []
    for i, ranges in enumerate(worst):
        if i not in could:
            verdicts.append(Verdict(ranges.name, "proven", ranges.state))
            continue
        found = hunt.examples.get(i)
        kind: Literal["example", "open"] = "open" if found is None else "example"
        verdicts.append(Verdict(ranges.name, kind, ranges.state, hunt.tried, hunt.reached[i], found))
    return verdicts


class _Hunt:
    """The inputs tried so far: which saturated, and for each layer that did not, which came closest."""

    def __init__(self, network: IntegerNetwork, engine: Run, layers: Sequence[int]) -> None:
        self.examples: dict[int, Example] = {}
        self.reached = dict.fromkeys(layers, 0)
        self.tried = 0
        self._network, self._engine = network, engine
        self._best: dict[int, list[tuple[int, int, Frames]]] = {i: [] for i in layers}
        self._steps = min(network.steps, MAX_STEPS)
        self._frames = _extreme_frames(network)
        self._room = max(2, MAX_CELLS // (self._steps * network.input.channels))
        self._rng = np.random.default_rng(0)

    def run(self, samples: NDArray[np.generic] | None) -> None:
        """Try the frames held, the samples given, and what becomes of the best."""
        self._try(np.repeat(self._frames[: min(HELD, self._room), None], self._steps, axis=1))
        if samples is not None:
            self._try(samples[:PARENTS, : self._steps].astype(np.int32))
        for _ in range(ROUNDS):
            missing = [i for i in self.reached if i not in self.examples]
            if not missing:
                return
            for i in missing:
                if i not in self.examples:  # the round for another layer may have found it
                    self._try(np.stack([self._child(i) for _ in range(min(CHILDREN, self._room))]))

    def _try(self, x: Frames) -> None:
        """Run samples (n, T, channels); note which saturate, and which come close."""
        widest = max(self._network.input.channels, *(layer.neurons for layer in self._network.layers))
        chunk = max(1, CHUNK_CELLS // (x.shape[1] * widest))
        for start in range(0, len(x), chunk):
            part = x[start : start + chunk]
            result = self._engine(self._network, part, trace=True)
            states = _states(result)
            self.tried += len(part)
            for i in self.reached:
                if i in self.examples:
                    continue
                closest = np.abs(states[i]).max(axis=(0, 2))
                self._note(i, closest, part)
                if result.counts[i].saturations:
                    self._verify(i, part, closest)

    def _note(self, i: int, closest: NDArray[Any], part: Frames) -> None:
        self.reached[i] = max(self.reached[i], int(closest.max()))
        nearest = np.argsort(-closest, kind="stable")[:PARENTS]
        entered = [(-int(closest[n]), self.tried + int(n), part[n].copy()) for n in nearest]
        self._best[i] = sorted([*self._best[i], *entered], key=lambda each: each[:2])[:PARENTS]

    def _verify(self, i: int, part: Frames, closest: NDArray[Any]) -> None:
        """Run samples by themselves, those that came closest first: one of them is an example."""
        for n in np.argsort(-closest, kind="stable"):
            x = part[n][None]
            saturations = self._engine(self._network, x, trace=True).counts[i].saturations
            if saturations:
                self.examples[i] = Example(x, *_first_saturation(self._network, i, x), saturations)
                return

    def _child(self, i: int) -> Frames:
        """One of the best so far with a stretch of it changed: another's, a frame held, or random values."""
        rng, best = self._rng, self._best[i]
        child = best[rng.integers(len(best))][2].copy()
        start, stop = np.sort(rng.integers(0, self._steps + 1, 2))
        kind = rng.integers(3)
        if kind == 0:
            child[start:stop] = best[rng.integers(len(best))][2][start:stop]
        elif kind == 1:
            child[start:stop] = self._frames[rng.integers(len(self._frames))]
        else:
            entry = self._network.input
            ends = np.array([entry.minimum, entry.maximum], np.int32)
            child[start:stop] = ends[rng.integers(0, 2, (stop - start, entry.channels))]
        return child


def _first_saturation(network: IntegerNetwork, i: int, x: Frames) -> tuple[int, int]:
    """The step at which a neuron of a layer first saturates on one sample, and which one."""
    session = Session(network, 1)
    for t in range(x.shape[1]):
        shown = session.step(x[:, t])[i].shown
        if session.saturations[i]:
            # What saturated is at a limit: the membrane before reset, or a state.
            reached = np.max(np.abs([shown[0], *(values[0] for values in session.states[i].values())]), axis=0)
            return t, int(reached.argmax())
    raise AssertionError("another engine counted a saturation")


def _extreme_frames(network: IntegerNetwork) -> Frames:
    """Frames (n, channels) that drive some neuron with input as high, or as low, as a frame can, each once."""
    entry = network.input
    reached = [each.weights for layer in network.layers for each in layer.connections if each.source == INPUT]
    w = np.concatenate([*reached, np.zeros((0, entry.channels), np.int64)])
    low, high = np.int32(entry.minimum), np.int32(entry.maximum)
    ends = [np.full((1, entry.channels), end, np.int32) for end in (high, low)]
    driving = [np.where(w > 0, high, low), np.where(w > 0, low, high)]
    every = np.concatenate([*ends, *driving]).astype(np.int32)
    _, first = np.unique(every, axis=0, return_index=True)
    frames: Frames = every[np.sort(first)]
    return frames


def _states(result: Result) -> list[NDArray[np.int32]]:
    assert result.trace is not None
    return [*(layer.membrane for layer in result.trace.layers), result.trace.readout]


def examples(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, Example]]:
    """The inputs found, by the name of the layer that they saturate."""
    return ((each.name, each.example) for each in verdicts if each.example is not None)
