"""What every backend returns: logits, counts and, on request, the whole trace."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asrc_core import html, memory
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting

_Any = TypeVar("_Any", bound=np.generic)


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """Every spike (uint8) and every membrane before reset (int32) of a layer, both (T, B, N)."""

    spikes: NDArray[np.uint8]
    membrane: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Trace:
    """All layers in order, and the readout's accumulator (T, B, C), int32; aligned in time between backends."""

    layers: tuple[LayerTrace, ...]
    readout: NDArray[np.int32]


@dataclass(frozen=True)
class LayerCounts:
    """Events of one layer summed over all samples and steps; docs/arithmetic.md says what each one counts."""

    spikes: int = 0
    feedforward_operations: int = 0
    recurrent_operations: int = 0
    neuron_updates: int = 0
    saturations: int = 0

    def __add__(self, other: LayerCounts) -> LayerCounts:
        return LayerCounts(
            self.spikes + other.spikes,
            self.feedforward_operations + other.feedforward_operations,
            self.recurrent_operations + other.recurrent_operations,
            self.neuron_updates + other.neuron_updates,
            self.saturations + other.saturations,
        )


@dataclass(frozen=True, eq=False)
class Result:
    """Outcome of running a network on a batch.

    logits: (B, C) int64; counts: one entry per layer, then one for the readout (whose "neurons" are classes).
    """

    logits: Ints
    counts: tuple[LayerCounts, ...]
    trace: Trace | None = None

    def __repr__(self) -> str:
        samples, classes = self.logits.shape
        spikes = sum(self.spikes_per_layer)
        traced = ", with its trace" if self.trace is not None else ""
        return f"Result({plural(samples, 'sample')}, {plural(classes, 'class')}, {plural(spikes, 'spike')}{traced})"

    def _repr_html_(self) -> str:
        headers = ("layer", "spikes", "feed-forward operations", "recurrent operations", "updates", "saturations")
        names = [*map(str, range(len(self.counts) - 1)), "readout"]
        rows = [
            (
                name,
                each.spikes,
                each.feedforward_operations,
                each.recurrent_operations,
                each.neuron_updates,
                each.saturations,
            )
            for name, each in zip(names, self.counts, strict=True)
        ]
        return html.table(repr(self), headers, rows)

    @property
    def predictions(self) -> Ints:
        """(B,) class of the greatest logit, the lowest index among equals."""
        best: Ints = self.logits.argmax(axis=1)
        return best

    @property
    def spikes_per_layer(self) -> list[int]:
        """Spikes of each layer over the whole batch, the readout left out."""
        return [count.spikes for count in self.counts[:-1]]


@dataclass(frozen=True, eq=False)
class StreamStep:
    """State of the readout after one step, and what fired in it.

    logits: (C,) int64, the accumulator so far; spikes: (N,) uint8 for each layer.
    """

    logits: Ints
    spikes: tuple[NDArray[np.uint8], ...]

    @property
    def prediction(self) -> int:
        """Class of the greatest logit so far, the lowest index among equals."""
        return int(self.logits.argmax())

    def __repr__(self) -> str:
        fired = plural(sum(int(np.count_nonzero(each)) for each in self.spikes), "spike")
        return f"StreamStep(logits {self.logits.tolist()}, {fired} in this step)"


def joined(parts: Iterable[Result], samples: int) -> Result:
    """The results of consecutive parts of a batch of ``samples`` as one.

    Parts may be computed as they are drawn: of a trace, no more is held than the whole and one part.
    """
    whole: Result | None = None
    done = 0
    for part in parts:
        if len(part.logits) == samples:
            return part
        if whole is None:
            whole = _unfilled(part, samples)
        at = slice(done, done + len(part.logits))
        whole.logits[at] = part.logits
        for into, given in zip(_arrays(whole.trace), _arrays(part.trace), strict=True):
            into[:, at] = given
        counts = part.counts if not done else tuple(map(operator.add, whole.counts, part.counts))
        whole, done = replace(whole, counts=counts), at.stop
    assert whole is not None, "a batch has a sample"
    assert done == samples, "the parts are the batch"
    return whole


def run_in_parts(run: Callable[[NDArray[np.int32]], Result], samples: NDArray[np.int32], size: int) -> Result:
    """What ``run`` gives of samples (B, T, channels), so many at a time."""
    return joined((run(samples[i : i + size]) for i in range(0, len(samples), size)), len(samples))


def _unfilled(part: Result, samples: int) -> Result:
    """A result for so many samples, of the part's kind."""

    def empty(like: NDArray[_Any]) -> NDArray[_Any]:
        return np.empty((like.shape[0], samples, *like.shape[2:]), like.dtype)

    trace = part.trace
    if trace is not None:
        layers = tuple(LayerTrace(empty(each.spikes), empty(each.membrane)) for each in trace.layers)
        trace = Trace(layers, empty(trace.readout))
    return Result(np.empty((samples, *part.logits.shape[1:]), part.logits.dtype), part.counts, trace)


def _arrays(trace: Trace | None) -> Iterator[NDArray[np.generic]]:
    if trace is not None:
        for each in trace.layers:
            yield from (each.spikes, each.membrane)
        yield trace.readout


def _within(x: NDArray[np.generic], minimum: int, maximum: int) -> bool:
    """Whether no value lies outside. From 0 on, one look is enough: taken as unsigned, what is below 0 is largest."""
    if minimum == 0 and x.dtype == np.int32:
        return int(x.view(np.uint32).max()) <= maximum
    return int(x.min()) >= minimum and int(x.max()) <= maximum


SPARED = 0.1
"""Share of the memory that is left which a trace leaves to everything else."""


def trace_bytes(network: IntegerNetwork, steps: int) -> int:
    """Of one sample: spikes of all neurons and steps (a byte, or four where a kind sends numbers), membranes, and the
    readout's accumulators.
    """
    hidden = sum(layer.neurons * (5 if network.sent(layer.name).is_bit else 8) for layer in network.hidden)
    return steps * (hidden + 4 * network.classes)


def samples_that_fit(network: IntegerNetwork, steps: int, *, traces: int = 1) -> int | None:
    """Of how many samples memory holds the ``traces``, one for each engine; None where it is not known."""
    left = memory.available()
    each = max(1, traces * trace_bytes(network, steps))  # of no step, which the engines refuse, nothing
    return None if left is None else int((1 - SPARED) * left / each)


def require_room_for_trace(network: IntegerNetwork, samples: int, steps: int, *, traces: int = 1) -> None:
    """Raise InvalidData before a run whose ``traces``, one for each engine, memory does not hold."""
    fit = samples_that_fit(network, steps, traces=traces)
    if fit is None or samples <= fit:
        return
    size = samples * traces * trace_bytes(network, steps) / 1e9
    why = f"every spike and membrane of {plural(samples, 'sample')} takes {size:,.2g} GB, more than memory has left"
    raise InvalidData("trace", why, f"take at most {fit:,} at a time" if fit else "take fewer steps, or no trace")


def checked_frame(network: IntegerNetwork, frame: NDArray[np.generic]) -> NDArray[np.int32]:
    """One step of a sample, (channels,) int32, if the network can take it.

    Raises InvalidData for a wrong type, shape, width or range.
    """
    given = np.asanyarray(frame)
    if given.ndim != 1 or given.dtype.kind not in "iub":
        is_now = f"its type is {given.dtype} and its shape {given.shape}"
        raise InvalidData("frame", is_now, "feed integers (channels,); real values are integers times the scale")
    return checked_input(network, given[np.newaxis, np.newaxis]).reshape(-1)


def checked_input(network: IntegerNetwork, x: NDArray[np.generic]) -> NDArray[np.int32]:
    """The samples as (B, T, channels) int32 in C order, if the network can take them.

    Raises InvalidData for a wrong type, shape, width or range, an empty batch or empty samples.
    """
    if not isinstance(network, IntegerNetwork):
        raise InvalidSetting("network", f"it is a {type(network).__name__}; give an IntegerNetwork")
    fed = "input samples"
    if not isinstance(x, np.ndarray):
        raise InvalidData(fed, f"they are a {type(x).__name__}", "feed an array of integers (samples, steps, channels)")
    if isinstance(x, np.ma.MaskedArray):
        raise InvalidData(fed, "they are a masked array", "say what stands for missing values, as x.filled(0) does")
    if x.dtype.kind not in "iub":
        raise InvalidData(fed, f"their type is {x.dtype}", "feed integers; real values are integers times the scale")
    if x.ndim != 3 or 0 in x.shape:
        raise InvalidData(fed, f"their shape is {x.shape}", "feed (samples, steps, channels), each at least 1")
    entry = network.input
    if x.shape[2] != entry.channels:
        why = f"they have {x.shape[2]} channels and the network takes {entry.channels}"
        raise InvalidData(fed, why, "choose the data set it was trained on")
    if not _within(x, entry.minimum, entry.maximum):
        low, high = int(x.min()), int(x.max())
        why = f"their values span {low} to {high}, the network's range is {entry.minimum} to {entry.maximum}"
        raise InvalidData(fed, why, "feed values in the range it was exported for")
    return np.ascontiguousarray(x, dtype=np.int32)
