"""From an integer network to Lava processes, wired: source -> Dense -> neurons -> Dense -> neurons and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import PySendModelFixed
from lava.proc.io.source import RingBuffer as Source
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_lava.graph.axon import Axon, Outlet
from asrc_lava.graph.models import PyBatchedDense, PyRelay, with_outlets
from asrc_lava.graph.process import OPERATIONS, SPIKES, BatchedDense, Neurons, Relay, outlet_port
from asrc_lava.graph.routes import Route, apart, routes
from asrc_lava.graph.schedule import Schedule, timing
from asrc_lava.graph.synapses import MakesSynapses, Synapses, for_batches, lavas_own

MODELS = {
    Source: PySendModelFixed,
    Dense: PyDenseModelBitAcc,
    DelayDense: PyDelayDenseModelBitAcc,
    BatchedDense: PyBatchedDense,
    Relay: PyRelay,
}
"""The fixed-point CPU model of every process in a graph but the neurons."""


@dataclass(frozen=True)
class Events:
    """Where the synaptic operations of one connection are counted: by its source, in an entry of the counts, of which
    each stands for ``times`` operations; for a connection from the input they are ``known`` from the start.
    """

    route: Route
    entry: int = 0
    times: int = 1
    known: int = 0

    def operations(self, counts: Sequence[Ints]) -> int:
        """How many, given the counts of every layer."""
        return self.known if self.route.source < 0 else self.times * int(counts[self.route.source][self.entry])


@dataclass(frozen=True)
class Wiring:
    """A network as connected Lava processes, for one run over the samples that its sources hold."""

    neurons: tuple[Neurons, ...]
    processes: tuple[AbstractProcess, ...]
    schedule: Schedule
    events: tuple[Events, ...]
    """Of every connection."""


def model(process: AbstractProcess) -> type:
    """The CPU model of a process in a graph."""
    return with_outlets(len(process.proc_params["outlets"])) if isinstance(process, Neurons) else MODELS[type(process)]


def single(network: IntegerNetwork, samples: NDArray[np.int32]) -> Wiring:
    """The graph that maps to a chip: one sample after the other through ports of shape (N,) and Lava's own synapses.

    samples: (B, T, channels).
    """
    return _wire(network, samples, (), lavas_own)


def batched(network: IntegerNetwork, samples: NDArray[np.int32], lanes: int) -> Wiring:
    """``lanes`` samples side by side through ports of shape (lanes, N); same integers, our own synapses.

    samples: (rounds * lanes, T, channels).
    """
    total, steps, channels = samples.shape
    assert total % lanes == 0, "every round fills all lanes"
    by_step = samples.reshape(total // lanes, lanes, steps, channels).swapaxes(1, 2)
    return _wire(network, by_step, (lanes,), partial(for_batches, lanes))


def _wire(
    network: IntegerNetwork, samples: NDArray[np.int32], lanes: tuple[int, ...], synapses: MakesSynapses
) -> Wiring:
    """The graph for samples (rounds, T, *lanes, channels)."""
    graph = _Graph(network, samples, lanes, synapses)
    events = tuple(graph.add(route) for route in graph.routes)
    for layer in apart(graph.routes):
        graph.tie(layer)
    return Wiring(tuple(graph.neurons), tuple(graph.processes), graph.schedule, events)


class _Graph:
    """A graph in the making: neurons, to which `add` adds connections."""

    def __init__(
        self, network: IntegerNetwork, samples: NDArray[np.int32], lanes: tuple[int, ...], synapses: MakesSynapses
    ) -> None:
        when = timing(network)
        self.schedule = when.schedule(samples.shape[1], samples.shape[0])
        self.routes = routes(network, when)
        self.neurons = [
            Neurons(
                layer=layer,
                outlets=[route.outlet for route in self._with_outlets(place) if route.outlet is not None],
                shape=(*lanes, layer.neurons),
                schedule=self.schedule,
                lag=when.lags[place],
            )
            for place, layer in enumerate(network.layers)
        ]
        self.processes: list[AbstractProcess] = [*self.neurons]
        self._network, self._samples, self._synapses = network, samples, synapses

    def add(self, route: Route) -> Events:
        """Wire a connection, and say where its events are counted."""
        if route.source < 0:
            out, events = self._from_input(route)
        else:
            out, events = self._from_layer(route)
        self._connect(out, route.layer, self._synapses(route.name, route.connection, route.delays, route.message))
        return events

    def tie(self, layer: int) -> None:
        """Synapses without weight from the input: Lava runs what is connected, and this part of the network is not."""
        weights = np.zeros((self._network.layers[layer].neurons, self._network.input.channels), np.int64)
        name = f"tie of {self._network.names[layer]}"
        made = self._synapses(name, Connection(INPUT, weights, 0, 8), 0, self._network.input.range)
        self._connect(self._input, layer, made)

    @cached_property
    def _input(self) -> OutPort:
        """Sends the samples as they are."""
        return self._sent(self._samples)

    def _sent(self, messages: NDArray[np.int32]) -> OutPort:
        """A source of messages (rounds, T, *lanes, channels), laid out over Lava's steps."""
        rounds, steps, *shape = messages.shape
        data = np.zeros((rounds, steps + self.schedule.idle, self.schedule.pace, *shape), np.int32)
        data[:, :steps, 0] = messages
        over_time = np.moveaxis(data.reshape(self.schedule.source_steps, *shape), 0, -1)
        source = Source(data=np.ascontiguousarray(over_time))
        self.processes.append(source)
        return source.s_out

    def _with_outlets(self, source: int) -> list[Route]:
        return [route for route in self.routes if route.source == source and route.outlet is not None]

    def _from_layer(self, route: Route) -> tuple[OutPort, Events]:
        sender = self.neurons[route.source]
        if route.outlet is None:
            return sender.s_out, Events(route, SPIKES, route.connection.neurons)
        i = self._with_outlets(route.source).index(route)
        return getattr(sender, outlet_port(i)), Events(route, OPERATIONS + i)

    def _from_input(self, route: Route) -> tuple[OutPort, Events]:
        if route.outlet is None:
            fed = int(np.count_nonzero(self._samples))
            return self._input, Events(route, known=fed * route.connection.neurons)
        messages, operations = _sent_by_input(route.outlet, self._samples)
        return self._sent(messages), Events(route, known=operations)

    def _connect(self, out: OutPort, layer: int, made: list[Synapses]) -> None:
        for each in made:
            sent = out
            if each.later:
                relay = Relay(steps=each.later, shape=out.shape, name=f"relay of {each.process.name}")
                out.connect(relay.s_in)
                sent = relay.s_out
                self.processes.append(relay)
            sent.connect(each.process.s_in)
            each.process.a_out.connect(self.neurons[layer].a_in)
            self.processes.append(each.process)


def _sent_by_input(outlet: Outlet, samples: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """What an outlet of the input sends, shaped as the samples, and the synaptic operations that it costs."""
    rounds, steps, *shape = samples.shape
    axon, messages = Axon(outlet, tuple(shape)), np.zeros_like(samples)
    for round_ in range(rounds):
        for step in range(steps):
            messages[round_, step] = axon.message(samples[round_, step].astype(np.int64), steps - 1 - step)
    return messages, axon.operations
