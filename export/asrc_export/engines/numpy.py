"""The reference engine: the contract in NumPy, vectorised over the batch, one step after the other.

A layer only feeds forward within a step, so each layer runs over all steps before the next one starts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import Ints, accumulate, fire, message, product, push, shift, tap
from asrc_core.contract.network import IntegerNetwork, Readout, SkipLayer
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace, checked_input, joined

CHUNK_CELLS = 2**25
"""Samples are run in chunks whose widest layer has at most this many (step, sample, neuron) cells, to bound memory."""


def run(network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """Run (B, T, channels) integer samples; (B, C) logits, counts and, if asked, the trace.

    Raises InvalidData when the samples do not fit the network's input.
    """
    samples = checked_input(network, x)
    widest = max(network.input.channels, *(layer.neurons for layer in network.layers))
    chunk = max(1, CHUNK_CELLS // (samples.shape[1] * widest))
    return joined([_run(network, samples[i : i + chunk], trace) for i in range(0, len(samples), chunk)])


def _run(network: IntegerNetwork, samples: NDArray[np.int32], trace: bool) -> Result:
    fed: NDArray[np.generic] = samples.transpose(1, 0, 2)
    counts, traces = [], []
    for layer in network.layers:
        spikes, membrane, count = _run_layer(layer, fed, trace)
        counts.append(count)
        if membrane is not None:
            traces.append(LayerTrace(spikes, membrane))
        fed = spikes
    y, over_time, count = _run_readout(network.readout, fed, trace)
    whole = None if over_time is None else Trace(tuple(traces), over_time)
    return Result(y, (*counts, count), whole)


def _run_layer(
    layer: SkipLayer, x: NDArray[np.generic], trace: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None, LayerCounts]:
    steps, batch, _ = x.shape
    spikes = np.zeros((steps, batch, layer.neurons), np.uint8)
    membrane = np.zeros(spikes.shape, np.int32) if trace else None
    w, u_t = layer.feedforward.T.astype(np.float64), layer.recurrent.T.astype(np.float64)
    v = np.zeros((batch, layer.neurons), np.int64)
    history = _History(layer, v.shape)
    delivered = saturations = 0
    for t in range(steps):
        recalled = history.recall()
        fired = fire(
            v,
            shift(product(x[t], w), layer.feedforward_exponent),
            shift(product(recalled, u_t), layer.recurrent_exponent),
            bias=layer.bias,
            decay_constant=layer.decay,
            activation_shift=layer.activation_shift,
            threshold=layer.threshold,
            reset=layer.reset,
        )
        v = fired.v
        history.remember(fired.s)
        spikes[t] = fired.s
        if membrane is not None:
            membrane[t] = fired.u
        delivered += int(np.count_nonzero(recalled))
        saturations += fired.saturations
    counts = LayerCounts(
        spikes=int(spikes.sum(dtype=np.int64)),
        feedforward_operations=int(np.count_nonzero(x)) * layer.neurons,
        recurrent_operations=delivered * layer.neurons,
        neuron_updates=spikes.size,
        saturations=saturations,
    )
    return spikes, membrane, counts


def _run_readout(
    readout: Readout, x: NDArray[np.generic], trace: bool
) -> tuple[Ints, NDArray[np.int32] | None, LayerCounts]:
    steps, batch, _ = x.shape
    y = np.zeros((batch, readout.classes), np.int64)
    over_time = np.zeros((steps, batch, readout.classes), np.int32) if trace else None
    w = readout.weight.T.astype(np.float64)
    saturations = 0
    for t in range(steps):
        y, saturated = accumulate(y, shift(product(x[t], w), readout.exponent), readout.bias)
        saturations += saturated
        if over_time is not None:
            over_time[t] = y
    operations = int(np.count_nonzero(x)) * readout.classes
    return y, over_time, LayerCounts(0, operations, 0, steps * y.size, saturations)


class _History:
    """Spike memory of one layer: 32-bit delay lines, or the synapses' own delays beyond what those hold."""

    def __init__(self, layer: SkipLayer, shape: tuple[int, ...]) -> None:
        self._span, self._taps = layer.span, layer.taps
        self._line = np.zeros(shape, np.uint32)
        self._synapses = [np.zeros(shape, np.int64)] * (layer.span if layer.span > 32 else 0)

    def recall(self) -> Ints:
        """s[t - span], or what all taps together give, before the spikes of step t are remembered."""
        if self._taps:
            return message(self._line, self._taps)
        return self._synapses[0] if self._synapses else tap(self._line, self._span)

    def remember(self, s: Ints) -> None:
        """Take in s[t]."""
        if self._synapses:
            self._synapses = [*self._synapses[1:], s]
        else:
            self._line = push(self._line, s)
