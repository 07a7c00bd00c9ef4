"""From an integer network to Lava processes, wired: source -> (Dense -> neurons <-> Dense) ... -> Dense -> readout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import PySendModelFixed
from lava.proc.io.source import RingBuffer as Source
from lava.utils.weightutils import SignMode
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_lava.graph.models import PyAccumulator, PyBatchedDense, PySkipNeurons
from asrc_lava.graph.process import Accumulator, BatchedDense, SkipNeurons
from asrc_lava.graph.schedule import Schedule

MODELS = {
    Source: PySendModelFixed,
    Dense: PyDenseModelBitAcc,
    DelayDense: PyDelayDenseModelBitAcc,
    BatchedDense: PyBatchedDense,
    SkipNeurons: PySkipNeurons,
    Accumulator: PyAccumulator,
}
"""The fixed-point CPU model of every process in a graph."""


@dataclass(frozen=True)
class Wiring:
    """A network as connected Lava processes, for one run over the samples that its source holds."""

    source: AbstractProcess
    layers: tuple[SkipNeurons, ...]
    readout: Accumulator
    processes: tuple[AbstractProcess, ...]
    schedule: Schedule


def single(network: IntegerNetwork, samples: NDArray[np.int32]) -> Wiring:
    """The graph that maps to a chip: one sample after the other through ports of shape (N,) and Lava's own synapses.

    samples: (B, T, channels). Raises InvalidNetwork or SpanTooLong: Lava clips and truncates what its formats do not
    hold without a word, so nothing that breaks the contract gets this far.
    """
    rounds, steps, channels = samples.shape
    source = Source(data=np.ascontiguousarray(samples.reshape(rounds * steps, channels).T))
    return _wire(network, source, Schedule(steps, rounds), (), _lava_dense)


def batched(network: IntegerNetwork, samples: NDArray[np.int32], lanes: int) -> Wiring:
    """``lanes`` samples side by side through ports of shape (lanes, N); same integers, our own synapses.

    samples: (rounds * lanes, T, channels). Raises InvalidNetwork or SpanTooLong.
    """
    total, steps, channels = samples.shape
    assert total % lanes == 0, "every round fills all lanes"
    rounds = total // lanes
    over_time = samples.reshape(rounds, lanes, steps, channels).transpose(1, 3, 0, 2)
    source = Source(data=over_time.reshape(lanes, channels, rounds * steps))
    return _wire(network, source, Schedule(steps, rounds), (lanes,), partial(_batched_dense, lanes))


class _Connection(NamedTuple):
    """What a process of synapses is made from: a = shift(W x[t - 1 - delay], exponent)."""

    name: str
    weights: Ints
    exponent: int
    weight_bits: int
    lowest_input: int = 0
    highest_input: int = 1
    delay: int = 0


def _lava_dense(connection: _Connection) -> AbstractProcess:
    settings: dict[str, Any] = {
        "name": connection.name,
        "weights": connection.weights,
        "weight_exp": connection.exponent,
        "num_weight_bits": connection.weight_bits,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": _message_bits(connection.lowest_input, connection.highest_input),
    }
    return DelayDense(delays=connection.delay, **settings) if connection.delay else Dense(**settings)


def _message_bits(low: int, high: int) -> int:
    """Bits of a graded spike, two's complement if it can be negative; 0 for a plain one."""
    if low >= 0:
        return high.bit_length() if high > 1 else 0
    return 1 + max((-1 - low).bit_length(), high.bit_length())


def _batched_dense(lanes: int, connection: _Connection) -> AbstractProcess:
    return BatchedDense(
        name=connection.name,
        weights=connection.weights,
        weight_exp=connection.exponent,
        delay=connection.delay,
        largest_input=max(abs(connection.lowest_input), abs(connection.highest_input)),
        lanes=lanes,
    )


def _wire(
    network: IntegerNetwork,
    source: AbstractProcess,
    schedule: Schedule,
    lanes: tuple[int, ...],
    synapses: Callable[[_Connection], AbstractProcess],
) -> Wiring:
    processes: list[AbstractProcess] = [source]

    def connect(out: OutPort, into: InPort, connection: _Connection) -> None:
        between = synapses(connection)
        out.connect(between.s_in)
        between.a_out.connect(into)
        processes.append(between)

    layers: list[SkipNeurons] = []
    out, low, high = source.s_out, network.input.minimum, network.input.maximum
    for lag, layer in enumerate(network.layers, start=1):
        # The one place where a span becomes a delay: every connection takes one step, these synapses take more.
        delay = layer.span - 1 if network.mapping == "synaptic-delay" else 0
        neurons = SkipNeurons(
            layer=layer, shape=(*lanes, layer.neurons), schedule=schedule, lag=lag, reach=1 + delay, name=layer.name
        )
        bits = layer.weight_bits
        forward = _Connection(
            f"{layer.name} feedforward", layer.feedforward, layer.feedforward_exponent, bits, low, high
        )
        back = _Connection(
            f"{layer.name} recurrent",
            layer.recurrent,
            layer.recurrent_exponent,
            bits,
            highest_input=layer.largest_message,
            delay=delay,
        )
        connect(out, neurons.a_in, forward)
        connect(neurons.tap_out, neurons.a_in, back)
        processes.append(neurons)
        layers.append(neurons)
        out, low, high = neurons.s_out, 0, 1
    last = network.readout
    shape = (*lanes, last.classes)
    readout = Accumulator(readout=last, shape=shape, schedule=schedule, lag=len(layers) + 1, name=last.name)
    connect(out, readout.a_in, _Connection(f"{last.name} feedforward", last.weight, last.exponent, last.weight_bits))
    processes.append(readout)
    return Wiring(source, tuple(layers), readout, tuple(processes), schedule)
