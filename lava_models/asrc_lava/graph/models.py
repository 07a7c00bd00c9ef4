"""How the processes run on a CPU: fixed point, in Loihi's phases; the neurons on the contract's own operations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from asrc_core.contract import arithmetic
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_lava.graph.axon import Axon
from asrc_lava.graph.process import BatchedDense, Neurons, Relay, outlet_port


@implements(proc=Neurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyNeurons(PyLoihiProcessModel):  # type: ignore[misc]  # Lava is untyped
    """One step of a layer of any kind: receive, step, send. Without outlets; `with_outlets` has them."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=8)
    u_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    counts: Ints = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._layer = proc_params["layer"]
        self._schedule = proc_params["schedule"]
        self._lag: int = proc_params["lag"]
        shape = proc_params["shape"]
        self._step = self._layer.neuron.of_kind.step
        self._operations = NumpyOperations()
        self._nothing = np.zeros(shape, np.int64)
        self._at_rest = dict.fromkeys(self._layer.neuron.states, self._nothing)
        self._states = self._at_rest
        self._axons = [Axon(outlet, shape) for outlet in proc_params["outlets"]]
        self._spikes = 0

    def run_spk(self) -> None:
        """Spiking phase: the kind's step, and what each connection is sent; after a sample's last step, a fresh start.

        In idle steps the sum is not looked at: it is what the sample before still had under way.
        """
        a = self.a_in.recv().astype(np.int64)
        at = self._schedule.at(self.time_step, self._lag)
        if at is None:
            self._send(self._nothing, self._nothing, [self._nothing] * len(self._axons))
            return
        left = self._schedule.steps - at[1]
        # The in-port has added the connections already.
        after = self._step(self._operations, self._layer.neuron.parameters, self._states, a)
        self._states = after.states if left else self._at_rest
        sent = self._nothing if after.sent is None else after.sent
        self._spikes += np.count_nonzero(sent)
        self._send(sent, after.shown, [axon.message(sent, left) for axon in self._axons])
        self.counts[:] = self._spikes, self._operations.saturations, *(axon.operations for axon in self._axons)

    def _send(self, sent: Ints, shown: Ints, messages: list[Ints]) -> None:
        self.s_out.send(sent)
        self.u_out.send(shown)
        for i, message in enumerate(messages):
            getattr(self, outlet_port(i)).send(message)


@cache
def with_outlets(count: int) -> type[PyNeurons]:
    """The model of neurons with so many outlets: Lava reads a model's ports from its class."""
    ports = {outlet_port(i): LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=8) for i in range(count)}
    return type(PyNeurons.__name__, (PyNeurons,), ports)


@implements(proc=BatchedDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyBatchedDense(PyLoihiProcessModel):  # type: ignore[misc]  # Lava is untyped
    """Lava's order of events: send what was due, then take in this step's input and queue its sums for later."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    a_buff: Ints = LavaPyType(np.ndarray, np.int64, precision=32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        weights, delays, largest = proc_params["weights"], proc_params["delays"], proc_params["largest_input"]
        # NumPy multiplies integer matrices without BLAS, many times slower. Floating point is as exact while its
        # mantissa holds every partial sum, whatever the order of summation: 24 bits in single precision, to be
        # proven from the weights; 53 in double, which weights of 9 bits and inputs of 24 fill only at a fan-in of 2^20.
        exact_in_single = np.abs(weights).sum(axis=1).max() * largest < 2**24
        number = np.float32 if exact_in_single else np.float64
        self._by_delay = [
            (delay, np.ascontiguousarray(np.where(delays == delay, weights, 0).T, number))
            for delay in np.unique(delays).tolist()
        ]
        self._number = number
        self._exponent: int = proc_params["weight_exp"]

    def run_spk(self) -> None:
        """Spiking phase: a_out is sent before s_in is received, so that recurrent graphs cannot wait in a circle."""
        slots = len(self.a_buff)
        due = self.time_step % slots
        self.a_out.send(self.a_buff[due])
        self.a_buff[due] = 0
        s = self.s_in.recv().astype(self._number)
        if not s.any():
            return
        for delay, weights in self._by_delay:
            # Each delay is shifted by itself, as Lava does: delays of their own come with exponents of 0 and more.
            a = arithmetic.shift((s @ weights).astype(np.int64), self._exponent)
            self.a_buff[(self.time_step + 1 + delay) % slots] += a


@implements(proc=Relay, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyRelay(PyLoihiProcessModel):  # type: ignore[misc]  # Lava is untyped
    """A queue as long as the way."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    under_way: Ints = LavaPyType(np.ndarray, np.int32, precision=24)

    def run_spk(self) -> None:
        """Spiking phase: what has arrived goes out, and what comes in takes its place."""
        slot = self.time_step % len(self.under_way)
        self.s_out.send(self.under_way[slot])
        self.under_way[slot] = self.s_in.recv()
