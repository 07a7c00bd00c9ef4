"""A network on Lava's own processes alone: `RingBuffer`, `Dense`, `DelayDense`, and `LIF` in fixed point.

Lava's LIF computes u = decay(u, du + 1) + (a << 6), v = decay(v, dv) + u, fires if v > vth << 6, then v = 0: that is
the kind `cuba-lif` with a hard reset, h = 6 and theta = 64 vth + 1 (or firing above 64 vth). Nothing clears them
between samples, so each sample is a run of its own. Where layers follow each other, each works one Lava step later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess, ProcessServer
from lava.magma.core.process.variable import VarServer
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.sink import PyReceiveModelFixed
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import PySendModelFixed
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.models import PyLifModelBitAcc
from lava.proc.lif.process import LIF
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.neurons.first_spike import LATEST
from asrc_core.contract.numbers import DECAY_ONE, Ints
from asrc_core.contract.ranges import BIT
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.counts import plural
from asrc_core.errors import InvalidNetwork
from asrc_lava.graph.synapses import lavas_own

SHIFT = 6
"""Bits by which Lava's LIF shifts what arrives, and its threshold."""
MOST_VTH = 2**17 - 1
MODELS = {
    Source: PySendModelFixed,
    Sink: PyReceiveModelFixed,
    Dense: PyDenseModelBitAcc,
    DelayDense: PyDelayDenseModelBitAcc,
    LIF: PyLifModelBitAcc,
}
"""Lava's fixed-point models."""


@dataclass(frozen=True, eq=False)
class Fired:
    """Spikes (T, N) of each layer and of the readout, on one sample, and what the readout answers, (C,)."""

    spikes: tuple[NDArray[np.uint8], ...]
    logits: Ints


def why_not(network: IntegerNetwork) -> str | None:
    """What of the network Lava's own processes do not compute; None if they compute all of it."""
    if network.readout.neuron.kind != "first-spike":
        return (
            f"its readout is of kind '{network.readout.neuron.kind}': only first spikes can be told from spikes alone"
        )
    if network.input.range != BIT:
        return f"its input is not made of spikes, but of {network.input.minimum} to {network.input.maximum}"
    for i, layer in enumerate(network.layers):
        why = _why_not_layer(layer)
        if why is not None:
            return f"layer '{layer.name}': {why}"
        before = INPUT if i == 0 else network.names[i - 1]
        if any(len(each.taps) > 1 for each in layer.connections):
            return f"layer '{layer.name}': a connection taps several spans at once"
        if not {each.source for each in layer.connections} <= {before, layer.name}:
            return f"layer '{layer.name}': it is not only connected to '{before}' and to itself"
        if i + 1 < len(network.layers) and layer.neuron.kind == "first-spike":
            return f"layer '{layer.name}': a readout stands before others"
    return None


def _why_not_layer(layer: Layer) -> str | None:
    p = layer.neuron.parameters
    if layer.neuron.kind not in ("cuba-lif", "first-spike"):
        return f"its neurons are of kind '{layer.neuron.kind}'"
    for name in ("decay", "current_decay", "threshold", "activation_shift"):
        if np.ndim(p[name]):
            return f"its neurons differ in {name.replace('_', ' ')}"
    if p["reset"] != "hard":
        return "it has a soft reset"
    if p["activation_shift"] != SHIFT:
        return f"what arrives is shifted by {plural(p['activation_shift'], 'bit')}, not by {SHIFT}"
    if np.any(p["bias"]) or np.any(p["current_bias"]):
        return "it has biases"
    if p["current_decay"] < 1 or p["decay"] >= DECAY_ONE:
        return "its current never decays, or its membrane at once"
    lowest = _vth(p["threshold"], p["fires"])
    if lowest is None or lowest > MOST_VTH:
        return f"no threshold of Lava's is the same as {p['threshold']} that fires {p['fires']} it"
    return None


def _vth(threshold: int, fires: str) -> int | None:
    """The vth with which Lava fires at the same membranes; None if there is none."""
    below = threshold - 1 if fires == "at" else threshold
    return below >> SHIFT if below % (1 << SHIFT) == 0 else None


def run(network: IntegerNetwork, samples: NDArray[np.integer[Any]]) -> list[Fired]:
    """What each of the samples (B, T, channels) makes fire, in Lava's simulation, in this process.

    Raises InvalidNetwork for a network of which `why_not` says something.
    """
    why = why_not(network)
    if why is not None:
        raise InvalidNetwork("the network", f"does not run on Lava's own LIF: {why}")
    return [_one(network, sample) for sample in samples]


def _one(network: IntegerNetwork, sample: NDArray[np.integer[Any]]) -> Fired:
    steps, total = len(sample), len(sample) + len(network.layers)
    data = np.zeros((network.input.channels, total), np.int32)
    data[:, :steps] = sample.T
    source = Source(data=data)
    neurons = [_neurons(layer) for layer in network.layers]
    sinks = [Sink(shape=(layer.neurons,), buffer=total) for layer in network.layers]
    processes: list[AbstractProcess] = [source, *neurons, *sinks]
    sends = {
        INPUT: source.s_out,
        **{layer.name: each.s_out for layer, each in zip(network.layers, neurons, strict=True)},
    }
    for layer, own, sink in zip(network.layers, neurons, sinks, strict=True):
        own.s_out.connect(sink.a_in)
        for connection_source, synapses in _synapses(layer):
            sends[connection_source].connect(synapses.s_in)
            synapses.a_out.connect(own.a_in)
            processes.append(synapses)
    models = {process: MODELS[type(process)] for process in processes}
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
    source.run(condition=RunSteps(num_steps=total), run_cfg=config)
    sent = [sink.data.get().astype(np.uint8).T for sink in sinks]
    source.stop()
    ProcessServer().reset_server()  # both hold on to every process ever made
    VarServer().reset_server()
    spikes = tuple(each[i + 1 : i + 1 + steps] for i, each in enumerate(sent))
    return Fired(spikes, _first(spikes[-1]))


def _neurons(layer: Layer) -> LIF:
    p = layer.neuron.parameters
    vth = _vth(p["threshold"], p["fires"])
    return LIF(shape=(layer.neurons,), du=p["current_decay"] - 1, dv=p["decay"], vth=vth, bias_mant=0, name=layer.name)


def _synapses(layer: Layer) -> Iterator[tuple[str, AbstractProcess]]:
    """Of each connection its source and Lava's synapses. They take a step, which a layer's own spikes need."""
    for each in layer.connections:
        own = each.source == layer.name
        delays = _delays(each) - 1 if own else _delays(each)
        for made in lavas_own(f"{layer.name}<-{each.source}", each, delays, BIT):
            assert made.later == 0, "what the contract holds, one process of synapses does"
            yield each.source, made.process


def _delays(connection: Connection) -> Ints:
    if connection.delays is not None:
        return connection.delays
    lags: Sequence[int] = connection.lags
    return np.full(connection.weights.shape, lags[0], np.int64)


def _first(spikes: NDArray[np.uint8]) -> Ints:
    """The kind `first-spike`'s answers, of spikes (T, C)."""
    first = spikes.argmax(axis=0)
    return np.where(spikes.any(axis=0), LATEST - first, 0).astype(np.int64)
