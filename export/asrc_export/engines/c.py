"""The C engine: the file that is written for microcontrollers, compiled for this machine.

It runs samples through the very text that goes onto a device, with every spike and membrane kept where asked. Its state
is static, as on the device: one sample at a time, on one core. Faster engines are those for this machine.
"""

from __future__ import annotations

import ctypes as c
import functools
import threading

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import trace_arrays
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import (
    LayerCounts,
    LayerTrace,
    Result,
    StreamStep,
    Trace,
    checked_frame,
    checked_input,
    run_in_parts,
)
from asrc_core.counts import plural
from asrc_core.errors import BackendFailed, BackendMissing
from asrc_core.native.build import CannotBuild
from asrc_export.codegen.c import cache
from asrc_export.codegen.mcu import traced
from asrc_export.codegen.mcu.program import program

OTHERWISE = "numpy"
MAX_SYNAPSES = 2**22
"""Of a network: its weights stand in the text that is compiled."""
CELLS = 2**24
"""Of a trace, at most so many (step, sample, neuron) cells are computed at a time: the text gives spikes 32 bits."""


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """Run (B, T, channels) integer samples; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input, BackendMissing without a compiler,
    BackendFailed for a network beyond MAX_SYNAPSES.
    """
    return CEngine(network).run(x, trace=trace)


def prepared(network: IntegerNetwork) -> CEngine:
    """The network compiled once for many runs. Raises what `CEngine` does."""
    return CEngine(network)


def unavailable() -> str | None:
    """Why nothing can be compiled here, as a sentence; None if it can."""
    try:
        cache.compiler()
    except CannotBuild as error:
        return str(_missing(error))
    return None


def why_not(network: IntegerNetwork) -> str | None:
    """Why the engine does not run a network, as a sentence; None if it does."""
    why = _obstacle(network)
    return None if why is None else f"The C engine does not run this network: {why}."


@functools.cache
def _loaded(text: str) -> tuple[c.CDLL, threading.Lock]:
    """A text's library, and the lock that whoever computes with it holds: a process has it once, and so its state."""
    library = cache.library(text, "-O1")
    for name, arguments in traced.FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, None
    return library, threading.Lock()


class CEngine:
    """A network as the microcontroller's file, compiled. Raises BackendMissing, BackendFailed."""

    def __init__(self, network: IntegerNetwork) -> None:
        why = _obstacle(network)
        if why is not None:
            raise BackendFailed("c", why, "use the native engine")
        self.network = network
        try:
            self.library, self.lock = _loaded(traced.text(network, program(network)))
        except CannotBuild as error:
            raise _missing(error) from error
        self.state_bytes = c.c_int32.in_dll(self.library, "asrc_state_bytes").value
        self.state_at: int = c.c_size_t.in_dll(self.library, "asrc_state_at").value

    def run(self, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Run (B, T, channels) integer samples one after the other. Raises InvalidData for what does not fit."""
        samples = np.ascontiguousarray(checked_input(self.network, x), np.int32)
        batch, steps, _ = samples.shape
        chunk = max(1, CELLS // (steps * sum(layer.neurons for layer in self.network.layers))) if trace else batch
        return run_in_parts(lambda part: self._run(part, trace), samples, chunk)

    def _run(self, samples: NDArray[np.int32], trace: bool) -> Result:
        network = self.network
        batch, steps, _ = samples.shape
        logits = np.zeros((batch, network.classes), np.int64)
        counts = np.zeros((len(network.layers), 4), np.int64)
        kept = [trace_arrays(layer, steps, batch) for layer in network.layers] if trace else []
        wide = [np.zeros(each.spikes.shape, np.int32) for each in kept]
        sent = (c.c_void_p * len(kept))(*(each.ctypes.data if each.size else None for each in wide))
        shown = (c.c_void_p * len(kept))(*(each.membrane.ctypes.data for each in kept))
        with self.lock:
            self.library.asrc_run(
                samples.ctypes.data,
                batch,
                steps,
                logits.ctypes.data,
                counts.ctypes.data,
                sent if trace else None,
                shown if trace else None,
            )
        layers = [
            LayerTrace(each.astype(like.spikes.dtype), like.membrane) for each, like in zip(wide, kept, strict=True)
        ]
        whole = Trace(tuple(layers[:-1]), layers[-1].membrane) if trace else None
        return Result(logits, _counted(network, counts, batch * steps), whole)

    def stream(self) -> CStream:
        """One sample fed frame by frame, from its first step on."""
        return CStream(self)


class CStream:
    """One sample fed as it comes; its state is put in place for each step, as there is only one in the file."""

    def __init__(self, engine: CEngine) -> None:
        self._engine = engine
        layers = engine.network.layers
        total = sum(layer.neurons for layer in layers)
        self._sent = (c.c_int32 * total).in_dll(engine.library, "asrc_trace_sent")
        self._shown = (c.c_int32 * total).in_dll(engine.library, "asrc_trace_shown")
        self._arriving = [
            (c.c_uint8 * (8 << max(lags).bit_length())).in_dll(engine.library, f"asrc_trace_arriving{place}")
            for place, layer in enumerate(layers)
            if (lags := [each.longest_lag for each in layer.connections if each.delays is not None])
        ]
        self._ends = np.cumsum([layer.neurons for layer in layers]).tolist()
        self._state = b""
        self._under_way: list[bytes] = []
        self._counts = np.zeros((len(layers), 4), np.int64)
        self._steps = 0
        self.reset()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._engine.network!r}, after {plural(self._steps, 'step')})"

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame; the logits so far and what each layer sent in this step.

        Raises InvalidData for a frame that does not fit the network's input.
        """
        engine, network = self._engine, self._engine.network
        x = np.ascontiguousarray(checked_frame(network, frame), np.int32)
        with engine.lock:
            c.memmove(engine.state_at, self._state, engine.state_bytes)
            for to, kept in zip(self._arriving, self._under_way, strict=True):
                c.memmove(to, kept, len(kept))
            engine.library.asrc_feed(x.ctypes.data, self._counts.ctypes.data)
            self._state = c.string_at(engine.state_at, engine.state_bytes)
            self._under_way = [bytes(each) for each in self._arriving]
            sent, shown = np.array(self._sent, np.int32), np.array(self._shown, np.int64)
        self._steps += 1
        firsts = [0, *self._ends]
        each_layer = (
            sent[firsts[i] : firsts[i + 1]].astype(trace_arrays(layer, 0, 0).spikes.dtype)
            for i, layer in enumerate(network.hidden)
        )
        return StreamStep(shown[firsts[-2] :], tuple(each_layer))

    def reset(self) -> None:
        """Begin the next sample: all state and all counts return to zero."""
        self._state = bytes(self._engine.state_bytes)
        self._under_way = [bytes(len(each)) for each in self._arriving]
        self._counts = np.zeros((len(self._engine.network.layers), 4), np.int64)
        self._steps = 0

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer, the readout last."""
        return _counted(self._engine.network, self._counts, self._steps)


def _counted(network: IntegerNetwork, counts: NDArray[np.int64], steps: int) -> tuple[LayerCounts, ...]:
    return tuple(
        LayerCounts(spikes, forward, back, steps * layer.neurons, saturations)
        for layer, (spikes, forward, back, saturations) in zip(network.layers, counts.tolist(), strict=True)
    )


def _obstacle(network: IntegerNetwork) -> str | None:
    if network.synapses > MAX_SYNAPSES:
        return f"it has {plural(network.synapses, 'synapse')}, and as one file of C it may have {MAX_SYNAPSES:,}"
    return None


def _missing(error: CannotBuild) -> BackendMissing:
    return BackendMissing(
        "c", str(error), "install a C compiler and a C++ one, or name them in CC and CXX; numpy needs none"
    )
