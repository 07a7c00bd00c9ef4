"""Any integer network, step by step, on any implementation of the operations: one loop, with hooks.

The NumPy engine, streams, the report's rounding ablation, NeuroBench's stepping, faulty links and fine-tuning are this
loop with other arithmetic or other hooks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import arithmetic
from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.operations import Operations, Value
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
from asrc_core.contract.wiring import Wired, WiredConnection, WiredLayer

CHUNK_CELLS = 2**25
"""Samples are run in chunks whose widest layer has at most this many (step, sample, neuron) cells, to bound memory."""


class Arithmetic(Protocol):
    """An implementation of the operations, and what else a batch needs: arrays (B, N) and products with weights."""

    def operations(self) -> Operations:
        """The operations for one layer's neurons."""

    def zeros(self, batch: int, width: int) -> Value:
        """(B, N) zeros."""

    def weights(self, layer: int, connection: int, lag: int, weights: NDArray[Any]) -> Any:
        """The weights (N, I) of what was sent ``lag`` steps ago, as `product` takes them."""

    def product(self, x: Value, weights: Any) -> Value:
        """W x for a batch: (B, I) to (B, N)."""

    def shift(self, a: Value, exponent: int) -> Value:
        """`a 2^e`, rounded down."""


class NumpyArithmetic:
    """The reference: int64 arrays."""

    def operations(self) -> NumpyOperations:
        """Fresh ones, which count their own saturations."""
        return NumpyOperations()

    def zeros(self, batch: int, width: int) -> Ints:
        """(B, N) zeros."""
        return np.zeros((batch, width), np.int64)

    def weights(self, layer: int, connection: int, lag: int, weights: NDArray[Any]) -> Any:
        """Transposed, in double precision: it holds every partial sum of a valid network exactly, and has a BLAS."""
        return np.ascontiguousarray(weights.T, np.float64)

    def product(self, x: Value, weights: Any) -> Value:
        """`W x`."""
        return arithmetic.product(x, weights)

    def shift(self, a: Value, exponent: int) -> Value:
        """`a 2^e`, rounded down."""
        return arithmetic.shift(a, exponent)


@dataclass(frozen=True)
class Hooks:
    """What else is to happen in each step; each hook returns what takes the place of what it is given, as a new array.

    on_message(layer, connection, t, x): what the source of a connection sends at step t (B, I), on its way into it.
    on_spikes(layer, t, sent): what a layer sends at step t.
    on_states(layer, t, states): the states after step t, once it is known what the layer sends.
    """

    on_message: Callable[[int, int, int, Value], Value] | None = None
    on_spikes: Callable[[int, int, Value], Value] | None = None
    on_states: Callable[[int, int, Mapping[str, Value]], Mapping[str, Value]] | None = None


@dataclass(frozen=True)
class LayerStep:
    """What one layer did in one step: arrays (B, N)."""

    sums: tuple[Value, ...]
    """Of each connection, after its exponent."""
    sent: Value | None
    shown: Value
    operations: tuple[int, ...] | None
    """Synaptic operations of each connection; None where the arithmetic's values cannot be counted."""


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False, hooks: Hooks | None = None) -> Result:
    """Run (B, T, channels) integer samples in NumPy; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input.
    """
    samples = checked_input(network, x)
    widest = max(network.input.channels, *(layer.neurons for layer in network.layers))
    chunk = max(1, CHUNK_CELLS // (samples.shape[1] * widest))
    return run_in_parts(lambda part: _run(network, part, trace, hooks), samples, chunk)


def _run(network: IntegerNetwork, samples: NDArray[np.int32], trace: bool, hooks: Hooks | None) -> Result:
    batch, steps, _ = samples.shape
    session = Session(network, batch, hooks=hooks)
    counts = [LayerCounts()] * len(network.layers)
    traces = [trace_arrays(layer, steps, batch) for layer in network.layers] if trace else []
    for t in range(steps):
        done = session.step(samples[:, t])
        counts = [before + session.counted(i, each) for i, (before, each) in enumerate(zip(counts, done, strict=True))]
        for kept, each in zip(traces, done, strict=False):
            kept.membrane[t] = each.shown
            if each.sent is not None:
                kept.spikes[t] = each.sent
    counts = [replace(each, saturations=n) for each, n in zip(counts, session.saturations, strict=True)]
    whole = Trace(tuple(traces[:-1]), traces[-1].membrane) if traces else None
    return Result(done[-1].shown, tuple(counts), whole)


def trace_arrays(layer: Layer, steps: int, batch: int) -> LayerTrace:
    """Zeros for a layer's whole trace: spikes as bytes, graded messages as 32-bit numbers."""
    shape, sends = (steps, batch, layer.neurons), layer.neuron.sends
    graded = sends is not None and not sends.is_bit
    spikes: NDArray[Any] = np.zeros(shape if sends is not None else (0,), np.int32 if graded else np.uint8)
    return LayerTrace(spikes, np.zeros(shape, np.int32))


class NumpyStream:
    """One sample fed frame by frame, its state kept."""

    def __init__(self, network: IntegerNetwork) -> None:
        self._network, self._session = network, Session(network, 1)
        self.reset()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._network!r})"

    def reset(self) -> None:
        """Begin the next sample: all state and all counts return to zero."""
        self._session.reset()
        self._before = self._session.saturations
        self._counts = [LayerCounts()] * len(self._network.layers)

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer, the readout last."""
        saturations = (now - then for now, then in zip(self._session.saturations, self._before, strict=True))
        return tuple(replace(each, saturations=n) for each, n in zip(self._counts, saturations, strict=True))

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame. Raises InvalidData if it does not fit the network's input."""
        x = checked_frame(self._network, frame)[np.newaxis].copy()  # it is kept for lags; the caller may refill it
        done = self._session.step(x)
        self._counts = [
            before + self._session.counted(i, each)
            for i, (before, each) in enumerate(zip(self._counts, done, strict=True))
        ]
        sent = (
            each.sent[0].astype(trace_arrays(layer, 0, 0).spikes.dtype)
            for layer, each in zip(self._network.hidden, done, strict=False)
            if each.sent is not None
        )
        return StreamStep(done[-1].shown[0].copy(), tuple(sent))


class Session:
    """A batch of samples between two steps: what was sent, and every layer's states. Step t counts from 0."""

    def __init__(
        self, network: Wired, batch: int, arithmetic: Arithmetic | None = None, hooks: Hooks | None = None
    ) -> None:
        self.network = network
        self._arithmetic: Arithmetic = NumpyArithmetic() if arithmetic is None else arithmetic
        self._hooks = hooks or Hooks()
        self._batch = batch
        self._paths = [
            [self._path(i, j, each) for j, each in enumerate(layer.connections)]
            for i, layer in enumerate(network.layers)
        ]
        self._operations = [self._arithmetic.operations() for _ in network.layers]
        self.reset()

    def reset(self) -> None:
        """Before a sample's first step: all states are 0, and nothing has been sent. Saturations are counted on."""
        self.t = 0
        self.states: list[Mapping[str, Value]] = [
            {name: self._arithmetic.zeros(self._batch, layer.neurons) for name in layer.neuron.states}
            for layer in self.network.layers
        ]
        for paths in self._paths:
            for path in paths:
                path.clear()

    @property
    def saturations(self) -> list[int]:
        """Entries that saturation changed so far, of each layer."""
        return [getattr(each, "saturations", 0) for each in self._operations]

    def step(self, x: Value) -> list[LayerStep]:
        """One step of all layers on input (B, channels); the readout's ``shown`` are the logits so far."""
        done: list[LayerStep] = []
        for i, layer in enumerate(self.network.layers):
            for path in self._paths[i]:
                if path.before:
                    path.push(self._on_its_way(path, x if path.source < 0 else done[path.source].sent))
            sums, operations = zip(*(path.sum() for path in self._paths[i]), strict=True)
            done.append(self._fire(i, layer, sums, operations))
        for path in (path for paths in self._paths for path in paths if not path.before):
            path.push(self._on_its_way(path, done[path.source].sent))
        self.t += 1
        return done

    def counted(self, i: int, done: LayerStep) -> LayerCounts:
        """The events of one layer in one step, without saturations, which `saturations` has for all steps."""
        assert done.operations is not None, "the values can be counted"
        back = sum(n for n, path in zip(done.operations, self._paths[i], strict=True) if not path.before)
        spikes = 0 if done.sent is None else int(np.count_nonzero(done.sent))
        updates = self._batch * self.network.layers[i].neurons
        return LayerCounts(spikes, sum(done.operations) - back, back, updates)

    def _fire(self, i: int, layer: WiredLayer, sums: Sequence[Value], counted: Sequence[int | None]) -> LayerStep:
        operations, total = self._operations[i], sums[0]
        for each in sums[1:]:
            total = operations.add(total, each)
        after = layer.neuron.of_kind.step(operations, layer.neuron.parameters, self.states[i], total)
        states, sent = after.states, after.sent
        if self._hooks.on_spikes is not None and sent is not None:
            sent = self._hooks.on_spikes(i, self.t, sent)
        if self._hooks.on_states is not None:
            states = self._hooks.on_states(i, self.t, states)
        self.states[i] = states
        known = tuple(each for each in counted if each is not None)
        return LayerStep(tuple(sums), sent, after.shown, known if len(known) == len(counted) else None)

    def _on_its_way(self, path: _Path, x: Value) -> Value:
        if self._hooks.on_message is None:
            return x
        return self._hooks.on_message(path.layer, path.connection, self.t, x)

    def _path(self, i: int, j: int, connection: WiredConnection) -> _Path:
        return _Path(self.network, self._arithmetic, self._batch, i, j, connection)


class _Path:
    """One connection with what was sent into it during the last steps."""

    def __init__(
        self,
        network: Wired,
        arithmetic: Arithmetic,
        batch: int,
        layer: int,
        place: int,
        connection: WiredConnection,
    ) -> None:
        self.layer, self.connection, self.source = layer, place, network.place(connection.source)
        self.before = self.source < layer
        self._arithmetic, self._exponent, self._neurons = arithmetic, connection.exponent, connection.neurons
        self._shared = connection.delays is None
        self._empty = arithmetic.zeros(batch, connection.inputs)
        # What was sent in this step is there already if it comes from before; what comes back is a step older.
        self._offset = 0 if self.before else 1
        self._taps = connection.taps
        if self._shared:
            whole = arithmetic.weights(layer, place, connection.longest_lag, connection.weights)
            self._parts = [(connection.longest_lag, whole, None)]
        else:
            delays = connection.delays
            self._parts = [
                (lag, arithmetic.weights(layer, place, lag, weights), np.count_nonzero(delays == lag, axis=0))
                for lag, weights in connection.by_lag()
            ]
        self._past: deque[Value] = deque(maxlen=connection.longest_lag - self._offset + 1)

    def clear(self) -> None:
        """Nothing has been sent."""
        self._past.extend([self._empty] * (self._past.maxlen or 0))

    def push(self, x: Value) -> None:
        """Take in what the source sends in this step."""
        self._past.appendleft(x)

    def sum(self) -> tuple[Value, int | None]:
        """shift(sum_lag W_lag x[t - lag], e), (B, N), and how many synaptic operations that took."""
        arithmetic = self._arithmetic
        if self._shared:
            message = self._message()
            count = int(np.count_nonzero(message)) * self._neurons if isinstance(message, np.ndarray) else None
            return arithmetic.shift(arithmetic.product(message, self._parts[0][1]), self._exponent), count
        parts, operations = [], 0
        for lag, weights, fan_out in self._parts:
            x = self._past[lag - self._offset]
            parts.append(arithmetic.product(x, weights))
            if isinstance(x, np.ndarray):
                operations += int(np.count_nonzero(x, axis=0) @ fan_out)
        a = sum(parts[1:], parts[0])
        return arithmetic.shift(a, self._exponent), operations if isinstance(parts[0], np.ndarray) else None

    def _message(self) -> Value:
        """sum_j m_j x[t - span_j]."""
        if len(self._taps) == 1:
            return self._past[self._taps[0].span - self._offset]
        parts = [tap.weight * self._past[tap.span - self._offset] for tap in self._taps]
        return sum(parts[1:], parts[0])
