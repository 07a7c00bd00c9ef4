"""The network as a circuit, simulated cycle by cycle: the files that an export writes, run on the machine at hand.

Slow, and exact: each update of each neuron comes from the circuit's own trace port. Synaptic operations are counted
from what the circuit sent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import recalled
from asrc_core.contract.interpreter import trace_arrays
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace, checked_input, run_in_parts
from asrc_core.contract.synapses.connection import Connection
from asrc_core.contract.tally import steps_not_zero
from asrc_export.rtl.simulation.circuit import Circuit, Simulated
from asrc_export.rtl.simulation.circuit import unavailable as unavailable

CELLS = 2**24
"""Samples are run in chunks of at most so many (step, sample, neuron) cells, to bound memory."""


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """Run (B, T, channels) integer samples; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input, BackendMissing without a simulator,
    BackendFailed with the last lines of a tool that fails.
    """
    samples = checked_input(network, x)
    circuit = Circuit(network)
    chunk = max(1, CELLS // (samples.shape[1] * circuit.plan.neurons))
    return run_in_parts(lambda part: result(network, part, circuit.run(part), trace=trace), samples, chunk)


def result(network: IntegerNetwork, x: NDArray[np.int32], done: Simulated, *, trace: bool) -> Result:
    """What a circuit did on samples (B, T, channels), as every engine says it."""
    batch, steps, _ = x.shape
    traces, counts = [], []
    sent: dict[int, NDArray[Any]] = {-1: x.transpose(1, 0, 2)}
    at = 0
    for place, layer in enumerate(network.layers):
        here = slice(at, at + layer.neurons)
        at += layer.neurons
        kept = trace_arrays(layer, steps, batch)
        kept.membrane[:] = done.shown[:, :, here].transpose(1, 0, 2)
        if layer.neuron.sends is not None:
            kept.spikes[:] = done.sent[:, :, here].transpose(1, 0, 2)
            sent[place] = kept.spikes
        traces.append(kept)
    for place, layer in enumerate(network.layers):
        operations = {False: 0, True: 0}
        for each, source in zip(layer.connections, network.sources(place), strict=True):
            operations[source != "before"] += _operations(each, sent[network.place(each.source)])
        spikes = int(np.count_nonzero(sent[place])) if place in sent else 0
        here = slice(
            sum(e.neurons for e in network.layers[:place]), sum(e.neurons for e in network.layers[: place + 1])
        )
        saturations = int(done.saturations[:, :, here].sum(dtype=np.int64))
        updates = batch * steps * layer.neurons
        counts.append(LayerCounts(spikes, operations[False], operations[True], updates, saturations))
    whole = Trace(tuple(LayerTrace(e.spikes, e.membrane) for e in traces[:-1]), traces[-1].membrane) if trace else None
    return Result(done.results.astype(np.int64), tuple(counts), whole)


def _operations(connection: Connection, sent: NDArray[np.generic]) -> int:
    """Synaptic operations of a connection whose source sent (T, B, I)."""
    if connection.delays is None:
        return int(np.count_nonzero(recalled(sent, connection.taps, np.int64))) * connection.neurons
    total = 0
    for lag in connection.lags:
        fan_out = np.count_nonzero(connection.delays == lag, axis=0)
        total += int(steps_not_zero(sent[: max(0, len(sent) - lag)]).sum(axis=0) @ fan_out)
    return total
