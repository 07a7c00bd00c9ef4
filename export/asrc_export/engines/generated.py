"""The generated engine: any network as C, printed from the contract's operations and compiled on this machine.

What a kind's step computes is printed (`codegen.c.step`); the event lists around it are written once (network.c). Steps
are compiled when a network first needs them and kept in a private folder (`codegen.c.cache`); docs/engine.md says more.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import trace_arrays
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, StreamStep, Trace, checked_frame, checked_input
from asrc_core.cores import threads_of
from asrc_core.counts import plural
from asrc_core.errors import BackendFailed, BackendMissing
from asrc_core.native.build import CannotBuild
from asrc_export.codegen.c import binding
from asrc_export.codegen.c.binding import LANES
from asrc_export.codegen.c.program import Code, Program

OTHERWISE = "numpy"
MAX_SYNAPSES = 2**27
"""Of one connection: events and operations of a step are counted in 32 bits."""
BLOCKS = 8
"""Parts into which each thread's share of a batch is cut, so that all end at about the same time."""


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """Run (B, T, channels) integer samples; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input, BackendMissing without a compiler,
    BackendFailed for a network beyond MAX_SYNAPSES.
    """
    return GeneratedEngine(network).run(x, trace=trace)


def prepared(network: IntegerNetwork) -> GeneratedEngine:
    """The network compiled once for many runs. Raises what `GeneratedEngine` does."""
    return GeneratedEngine(network)


def unavailable() -> str | None:
    """Why nothing can be compiled here, as a sentence; None if it can."""
    try:
        binding.library()
    except CannotBuild as error:
        return str(_missing(error))
    return None


def why_not(network: IntegerNetwork) -> str | None:
    """Why the engine does not run a network, as a sentence; None if it does."""
    why = _obstacle(network)
    return None if why is None else f"The generated engine does not run this network: {why}."


def _obstacle(network: IntegerNetwork) -> str | None:
    for layer in network.layers:
        for each in layer.connections:
            if each.weights.size > MAX_SYNAPSES:
                size = f"{plural(each.weights.size, 'synapse')} from '{each.source}'"
                return f"layer '{layer.name}' has {size}, and it takes up to {MAX_SYNAPSES}"
    return None


def _missing(error: CannotBuild) -> BackendMissing:
    return BackendMissing("generated", str(error), "install a C compiler, or name one in CC")


class GeneratedEngine:
    """A network compiled; any number of threads may use it at once.

    Raises BackendMissing without a compiler, at construction, and BackendFailed for a network beyond MAX_SYNAPSES.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        why = _obstacle(network)
        if why is not None:
            raise BackendFailed("generated", why, "the numpy engine takes any")
        self.network = network
        try:
            self._code = Code(network)
        except CannotBuild as error:
            raise _missing(error) from error
        self._idle: list[Program] = []

    def run(self, x: NDArray[np.generic], *, trace: bool = False, threads: int | None = None) -> Result:
        """Run (B, T, channels) integer samples, on all usable cores unless told otherwise.

        Returns (B, C) int64 logits, the counts of every layer and, if asked, the trace. The GIL is released.
        Raises InvalidData when the samples do not fit the network's input, InvalidSetting for no threads.
        """
        samples = checked_input(self.network, x)
        threads = threads_of(threads)
        batch, steps, _ = samples.shape
        threads = min(threads, batch)
        logits = np.zeros((batch, self.network.classes), np.int64)
        traces = [trace_arrays(layer, steps, batch) for layer in self.network.layers] if trace else []
        size = -(-batch // threads)
        size = max(min(size, LANES), size // BLOCKS // LANES * LANES)
        blocks = iter(range(0, batch, size))

        def work(_: int) -> tuple[LayerCounts, ...]:
            return self._run(samples, blocks, size, logits, traces)

        if threads == 1:
            counted = [work(0)]
        else:
            with ThreadPoolExecutor(threads) as pool:
                counted = list(pool.map(work, range(threads)))
        counts = tuple(sum(column, LayerCounts()) for column in zip(*counted, strict=True))
        return Result(logits, counts, Trace(tuple(traces[:-1]), traces[-1].membrane) if trace else None)

    def stream(self) -> GeneratedStream:
        """One sample fed frame by frame, from its first step on."""
        return GeneratedStream(Program(self._code))

    def _run(
        self,
        samples: NDArray[np.int32],
        blocks: Iterator[int],
        size: int,
        logits: NDArray[np.int64],
        traces: list[LayerTrace],
    ) -> tuple[LayerCounts, ...]:
        """Blocks of samples until there is none left; the counts of all of them."""
        try:
            program = self._idle.pop()
        except IndexError:
            program = Program(self._code, LANES if self._code.delayed else 1)
        program.clear_counts()
        batch, steps, _ = samples.shape
        to, done = _trace_targets(traces), 0
        for first in blocks:
            end = min(first + size, batch)
            self._code.library.asrc_run(
                program.described,
                samples.ctypes.data,
                first,
                end,
                batch,
                steps,
                logits.ctypes.data,
                program.counts,
                to,
            )
            done += end - first
        counts = program.layer_counts(done * steps)
        self._idle.append(program)
        return counts


class GeneratedStream:
    """One sample fed as it comes, its state kept; serves one thread at a time, in constant memory."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._library = program.code.library
        network = program.code.network
        self._types = [trace_arrays(layer, 0, 0).spikes.dtype for layer in network.hidden]
        self._steps = 0
        self._arguments = program.described, program.frame.ctypes.data, 0, 1, program.counts

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._program.code.network!r}, after {plural(self._steps, 'step')})"

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame; the logits so far and what each layer sent in this step.

        Raises InvalidData for a frame that does not fit the network's input.
        """
        program = self._program
        program.frame[:] = checked_frame(program.code.network, frame)
        self._library.asrc_feed(*self._arguments)
        self._steps += 1
        sent = tuple(program.sent_by(place).astype(dtype) for place, dtype in enumerate(self._types))
        return StreamStep(program.shown[-1].astype(np.int64), sent)

    def reset(self) -> None:
        """Begin the next sample: all state and all counts return to zero."""
        self._library.asrc_begin(self._program.described)
        self._program.clear_counts()
        self._steps = 0

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer, the readout last."""
        return self._program.layer_counts(self._steps)


def _trace_targets(traces: list[LayerTrace]) -> object:
    """The arrays as network.c takes them, null if there are none."""
    if not traces:
        return None
    targets = (binding.Trace * len(traces))()
    for to, each in zip(targets, traces, strict=True):
        to.wide = each.spikes.dtype != np.uint8
        to.sent = each.spikes.ctypes.data if each.spikes.size else None
        to.shown = each.membrane.ctypes.data
    return targets
