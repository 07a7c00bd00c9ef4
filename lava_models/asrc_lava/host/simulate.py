"""A network on Lava, in this process: build, run, collect. Only the worker does this; `run` says why."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
from lava.magma.core.process.message_interface_enum import ActorType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import ProcessServer
from lava.magma.core.process.variable import VarServer
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.magma.runtime.runtime import Runtime
from numpy.typing import NDArray

from asrc_core.contract.interpreter import trace_arrays
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace
from asrc_lava.boards import on_board
from asrc_lava.boards.board import Access, Measured
from asrc_lava.graph import build
from asrc_lava.graph.process import SATURATIONS, SPIKES
from asrc_lava.graph.schedule import Schedule
from asrc_lava.host.watch import watching

CHANNEL_SLOTS = 2
"""Messages that a channel between processes holds. Lava steps all processes together, so that more (its default is 64)
buys no speed, and channels live in /dev/shm, which containers keep small."""
STREAM_SLOTS = 4


def simulate(
    network: IntegerNetwork,
    samples: NDArray[np.int32],
    lanes: int | None,
    *,
    trace: bool,
    board: Access | None,
    on_step: Callable[[], Any],
    on_death: Callable[[str], Any],
) -> tuple[Result, Measured | None]:
    """Run (B, T, channels) samples, one after the other or ``lanes`` side by side, of which B is then a multiple.

    With a result from a board comes what its probes measured.

    ``on_step`` is called after every Lava step; ``on_death``, which should not return, if an actor dies.
    """
    gc.collect()  # an earlier graph's destructors run here rather than in the forks of this one
    graph = build.single(network, samples) if lanes is None else build.batched(network, samples, lanes)
    kept = graph.schedule.steps if trace else 1
    streams = [_Stream(graph.neurons[-1].u_out, graph.schedule, kept, np.int32)]
    if trace:
        for layer, neurons in zip(network.hidden, graph.neurons, strict=False):
            sent = trace_arrays(layer, 0, 0).spikes.dtype.type
            streams.append(_Stream(neurons.s_out, graph.schedule, kept, sent))
            streams.append(_Stream(neurons.u_out, graph.schedule, kept, np.int32))
    total = max(graph.schedule.lava_steps(neurons.proc_params["lag"]) for neurons in graph.neurons)
    probes: on_board.Probes | None = None
    config: Loihi2SimCfg | Loihi2HwCfg
    if board is None:
        config = _simulation(graph)
    else:
        on_board.reach(board)
        probes = on_board.Probes(total)
        config = on_board.configuration(probes.callbacks)
        on_board.require_on_chip(graph, config)
    executable = graph.neurons[0].compile(config, {"pypy_channel_size": CHANNEL_SLOTS})
    runtime = Runtime(executable, ActorType.MultiProcessing)
    executable.assign_runtime_to_all_processes(runtime)
    with watching(runtime, executable, on_death):
        runtime.initialize()
        runtime.start(RunSteps(num_steps=total, blocking=False))
        for lava_step in range(1, total + 1):
            for stream in streams:
                stream.receive(lava_step)
            on_step()
        runtime.wait()
        counted = [neurons.counts.get().astype(np.int64) for neurons in graph.neurons]
    runtime.stop()
    ProcessServer().reset_server()  # both hold on to every process, hence to all samples, ever made
    VarServer().reset_server()
    recorded = [stream.by_step() for stream in streams]
    y = recorded[0]
    layers = tuple(LayerTrace(s, u) for s, u in zip(recorded[1::2], recorded[2::2], strict=True))
    result = Result(
        y[-1].astype(np.int64), _counts(network, samples, graph, counted), Trace(layers, y) if trace else None
    )
    return result, probes.read() if probes else None


def _simulation(graph: build.Wiring) -> Loihi2SimCfg | Loihi2HwCfg:
    # Models named outright: in search of them Lava would execute every module beside a process, for every process.
    models = {process: build.model(process) for process in graph.processes}
    return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)


class _Stream:
    """What a port sends, received outside of Lava as it runs: reading a Var costs Lava a message for each number.

    Of every sample the last ``kept`` steps are kept.
    """

    def __init__(self, port: OutPort, schedule: Schedule, kept: int, dtype: type[np.integer[Any]]) -> None:
        port.flag_external_pipe(buffer_size=STREAM_SLOTS)
        self._port = port
        self._schedule = schedule
        self._lag: int = port.process.proc_params["lag"]
        self._kept: NDArray[Any] = np.empty((kept, schedule.rounds, *port.shape), dtype)

    def receive(self, lava_step: int) -> None:
        """Wait for the port's message of this Lava step."""
        message = self._port.external_pipe_csp_recv_port.recv()
        at = self._schedule.at(lava_step, self._lag)
        if at is not None:
            round_, step = at
            slot = step - 1 - self._schedule.steps + len(self._kept)
            if slot >= 0:
                self._kept[slot, round_] = message

    def by_step(self) -> NDArray[Any]:
        """(kept, B, N): samples in the order in which they were given."""
        return self._kept.reshape(len(self._kept), -1, self._port.shape[-1])


def _counts(
    network: IntegerNetwork, samples: NDArray[np.int32], graph: build.Wiring, counted: list[NDArray[np.int64]]
) -> tuple[LayerCounts, ...]:
    """The contract's counts from those of the processes."""
    updates = samples.shape[0] * samples.shape[1]
    counts = [
        LayerCounts(int(own[SPIKES]), 0, 0, updates * layer.neurons, int(own[SATURATIONS]))
        for layer, own in zip(network.layers, counted, strict=True)
    ]
    for events in graph.events:
        operations, layer = events.operations(counted), events.route.layer
        counts[layer] += LayerCounts(0, *((0, operations) if events.route.recurrent else (operations, 0)))
    return tuple(counts)
