"""The native engine: chains of skip-recurrent LIF layers in C++, event-driven over packed spikes, on all cores.

Sources lie beside this file; docs/engine.md tells how they work. `build.py` says how they are
compiled, `binding.py` loads the library.
"""

from __future__ import annotations

import ctypes as c
import weakref
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.chain import chain, why_no_chain
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, StreamStep, Trace, checked_frame, checked_input
from asrc_core.cores import threads_of
from asrc_core.counts import plural
from asrc_core.errors import BackendFailed, BackendMissing
from asrc_core.native.instruction_sets import chosen
from asrc_export.engines.native import binding

_Element = TypeVar("_Element", c.c_uint8, c.c_int16, c.c_int32, c.c_int64)

MAX_FAN_IN = 2**24 - 1
"""Inputs and neurons of one layer together: places of their weights, 256 bytes apart at most, take 32 bits."""
OTHERWISE = "generated"


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """Run (B, T, channels) integer samples; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input, BackendMissing when the engine is not built,
    BackendFailed for a network that it does not run.
    """
    return NativeEngine(network).run(x, trace=trace)


def prepared(network: IntegerNetwork) -> NativeEngine:
    """The network packed once for many runs. Raises what `NativeEngine` does."""
    return NativeEngine(network)


def why_not(network: IntegerNetwork) -> str | None:
    """Why the engine does not run a network, as a sentence; None if it does."""
    why = _obstacle(network)
    return None if why is None else f"The native engine does not run this network: {why}."


def _obstacle(network: IntegerNetwork) -> str | None:
    unlike = why_no_chain(network)
    if unlike is not None:
        return f"it runs chains of LIF layers, and {unlike[0]} differs: {unlike[1]}"
    for layer in network.hidden:
        size = sum(each.inputs for each in layer.connections)
        if size > MAX_FAN_IN:
            return f"layer '{layer.name}' has {size} inputs and neurons, and it takes up to {MAX_FAN_IN}"
    return None


def unavailable() -> str | None:
    """Why the engine cannot be used here, as a sentence; None if it can."""
    try:
        binding.library()
    except BackendMissing as error:
        return str(error)
    return None


def instruction_sets() -> tuple[str, ...]:
    """Those that this machine has and the library was compiled for, best first. Raises BackendMissing."""
    return tuple(binding.library().asrc_instruction_sets().decode().split())


class NativeEngine:
    """A network packed for one instruction set; any number of threads may use it at once.

    Raises what `instruction_sets.chosen` does, at construction, and BackendFailed for a network that it does not run.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        why = _obstacle(network)
        if why is not None:
            raise BackendFailed("native", why, "the generated and the numpy engine run every network")
        self.instruction_set = chosen(instruction_sets())
        self._library = binding.library()
        handle = c.c_void_p()
        described = _Described(network)
        status = self._library.asrc_engine_new(described.network, self.instruction_set.encode(), handle)
        _check(status, "the network")
        self._handle = handle
        self._free = weakref.finalize(self, self._library.asrc_engine_free, handle)

    def run(self, x: NDArray[np.generic], *, trace: bool = False, threads: int | None = None) -> Result:
        """Run (B, T, channels) integer samples, on all usable cores unless told otherwise.

        Returns (B, C) int64 logits, the counts of every layer and, if asked, the trace. The GIL is released.
        Raises InvalidData when the samples do not fit the network's input, InvalidSetting for no threads.
        """
        samples = checked_input(self.network, x)
        threads = threads_of(threads)
        batch, steps, _ = samples.shape
        logits = np.zeros((batch, self.network.classes), np.int64)
        counts = (binding.Counts * len(self.network.layers))()
        traced = _TraceArrays(self.network, steps, batch) if trace else None
        status = self._library.asrc_engine_run(
            self._handle,
            _pointer(samples, c.c_int32),
            batch,
            steps,
            threads,
            _pointer(logits, c.c_int64),
            counts,
            traced.target if traced else None,
        )
        _check(status, "the samples")
        return Result(logits, _layer_counts(self.network, counts, batch * steps), traced.trace if traced else None)

    def stream(self) -> NativeStream:
        """One sample fed frame by frame, from its first step on."""
        return NativeStream(self)


class NativeStream:
    """One sample fed as it comes, its state kept; serves one thread at a time, in constant memory."""

    def __init__(self, engine: NativeEngine) -> None:
        network = engine.network
        self._engine = engine  # kept alive: the stream uses its weights
        self._library = binding.library()
        handle = c.c_void_p()
        _check(self._library.asrc_stream_new(engine._handle, handle), "a stream")
        self._handle = handle
        self._free = weakref.finalize(self, self._library.asrc_stream_free, handle)
        # One set of arrays, described to ctypes once: that would take longer than a step.
        self._frame = np.zeros(network.input.channels, np.int32)
        self._logits = np.zeros(network.classes, np.int64)
        self._spikes = [np.zeros(layer.neurons, np.uint8) for layer in network.hidden]
        self._counts = (binding.Counts * len(network.layers))()
        self._steps = 0
        self._arguments = (
            handle,
            _pointer(self._frame, c.c_int32),
            1,
            _pointer(self._logits, c.c_int64),
            self._counts,
            _pointers(self._spikes, c.c_uint8),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._engine.network!r}, after {plural(self._steps, 'step')})"

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame; the logits so far and the spikes of this step.

        Raises InvalidData for a frame that does not fit the network's input.
        """
        self._frame[:] = checked_frame(self._engine.network, frame)
        self._library.asrc_stream_feed(*self._arguments)
        self._steps += 1
        return StreamStep(self._logits.copy(), tuple(spikes.copy() for spikes in self._spikes))

    def reset(self) -> None:
        """Begin the next sample: membranes, spike histories, readout and counts return to zero."""
        self._library.asrc_stream_reset(self._handle)
        c.memset(self._counts, 0, c.sizeof(self._counts))
        self._steps = 0

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer and then the readout."""
        return _layer_counts(self._engine.network, self._counts, self._steps)


def _check(status: int, what: str) -> None:
    if status == binding.OUT_OF_MEMORY:
        raise MemoryError(f"the native engine found no memory for {what}")
    assert status == binding.OK, status


class _Described:
    """The network as abi.h wants it, and the arrays it points to for as long as this lives."""

    def __init__(self, network: IntegerNetwork) -> None:
        self._kept: list[NDArray[np.generic]] = []
        described = chain(network)
        layers = (binding.Layer * len(described.layers))()
        for to, layer, ranges in zip(layers, described.layers, network.ranges, strict=False):
            to.neurons, to.inputs = layer.neurons, layer.inputs
            to.feedforward = self._keep(layer.feedforward, np.int16, c.c_int16)
            to.recurrent = self._keep(layer.recurrent, np.int16, c.c_int16)
            to.bias = self._keep(layer.bias, np.int32, c.c_int32)
            to.feedforward_exponent, to.recurrent_exponent = layer.feedforward_exponent, layer.recurrent_exponent
            to.decay, to.threshold, to.span = layer.decay, layer.threshold, layer.span
            to.activation_shift = layer.activation_shift
            to.soft_reset = layer.reset == "soft"
            to.fires_above = layer.fires == "above"
            to.may_saturate = not ranges.state.fits_state
            to.tap_count = len(layer.taps)
            to.taps = self._keep(np.array(layer.taps), np.int32, c.c_int32)
        entry, end = network.input, described.readout
        readout = binding.Readout(
            end.classes,
            end.inputs,
            self._keep(end.weight, np.int16, c.c_int16),
            self._keep(end.bias, np.int32, c.c_int32),
            end.exponent,
        )
        self.network = binding.Network(entry.channels, entry.minimum, entry.maximum, len(layers), layers, readout)

    def _keep(
        self, values: NDArray[np.generic], dtype: type[np.generic], element: type[_Element]
    ) -> c._Pointer[_Element]:
        kept = np.ascontiguousarray(values, dtype)
        self._kept.append(kept)
        return _pointer(kept, element)


class _TraceArrays:
    """Arrays for a whole trace, and the pointers to them."""

    def __init__(self, network: IntegerNetwork, steps: int, batch: int) -> None:
        layers = tuple(
            LayerTrace(
                np.zeros((steps, batch, layer.neurons), np.uint8), np.zeros((steps, batch, layer.neurons), np.int32)
            )
            for layer in network.hidden
        )
        self.trace = Trace(layers, np.zeros((steps, batch, network.classes), np.int32))
        self._spikes = _pointers([layer.spikes for layer in layers], c.c_uint8)
        self._membranes = _pointers([layer.membrane for layer in layers], c.c_int32)
        self.target = binding.TraceTarget(self._spikes, self._membranes, _pointer(self.trace.readout, c.c_int32))


def _pointer(values: NDArray[np.generic], element: type[_Element]) -> c._Pointer[_Element]:
    return values.ctypes.data_as(c.POINTER(element))


def _pointers(arrays: Sequence[NDArray[np.generic]], element: type[_Element]) -> c.Array[c._Pointer[_Element]]:
    return (c.POINTER(element) * len(arrays))(*(_pointer(values, element) for values in arrays))


def _layer_counts(network: IntegerNetwork, counts: c.Array[binding.Counts], steps: int) -> tuple[LayerCounts, ...]:
    return tuple(
        LayerCounts(
            spikes=count.spikes,
            feedforward_operations=count.inputs * layer.neurons,
            recurrent_operations=count.delivered * layer.neurons,
            neuron_updates=steps * layer.neurons,
            saturations=count.saturations,
        )
        for count, layer in zip(counts, network.layers, strict=True)
    )
