"""How the processes run on a CPU: fixed point, in Loihi's phases, thin shells over `asrc_core.contract.arithmetic`."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from numpy.typing import NDArray

from asrc_core.contract import arithmetic
from asrc_core.contract.numbers import Ints
from asrc_lava.graph.process import Accumulator, BatchedDense, SkipNeurons


@implements(proc=SkipNeurons, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PySkipNeurons(PyLoihiProcessModel):  # type: ignore[misc]  # Lava is untyped
    """One step of a layer: receive, fire, remember, send."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    tap_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    u_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    v: Ints = LavaPyType(np.ndarray, np.int64, precision=24)
    line: NDArray[np.uint32] = LavaPyType(np.ndarray, np.uint32, precision=32)
    counts: Ints = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._layer = proc_params["layer"]
        self._schedule = proc_params["schedule"]
        self._lag: int = proc_params["lag"]
        self._reach: int = proc_params["reach"]
        self._taps = [tap._replace(span=tap.span - self._reach + 1) for tap in self._layer.heard]
        self._silence = np.zeros(proc_params["shape"], np.int64)

    def run_spk(self) -> None:
        """Spiking phase: u and s of this step, and the tap for the step that it reaches."""
        a = self.a_in.recv().astype(np.int64)
        at = self._schedule.at(self.time_step, self._lag)
        if at is None:
            self._send(self._silence, self._silence, self._silence)
            return
        _, step = at
        layer = self._layer
        fired = arithmetic.fire(
            self.v,
            a,  # the in-port has added the two connections already
            self._silence,
            bias=layer.bias,
            decay_constant=layer.decay,
            activation_shift=layer.activation_shift,
            threshold=layer.threshold,
            reset=layer.reset,
        )
        self.v = fired.v
        self.line = arithmetic.push(self.line, fired.s)
        # What the taps send is delivered `reach` steps from now: not at all if the sample is over by then.
        delivered = step + self._reach <= self._schedule.steps
        tapped = arithmetic.message(self.line, self._taps) if delivered else self._silence
        self.counts += (fired.s.sum(), np.count_nonzero(tapped), fired.saturations)
        if step == self._schedule.steps:
            self.v = np.zeros_like(self.v)
            self.line = np.zeros_like(self.line)
        self._send(fired.s, tapped, fired.u)

    def _send(self, s: Ints, tapped: Ints, u: Ints) -> None:
        self.s_out.send(s)
        self.tap_out.send(tapped)
        self.u_out.send(u)


@implements(proc=Accumulator, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyAccumulator(PyLoihiProcessModel):  # type: ignore[misc]  # Lava is untyped
    """One step of the readout."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=32)
    y_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    y: Ints = LavaPyType(np.ndarray, np.int64, precision=24)
    counts: Ints = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._readout = proc_params["readout"]
        self._schedule = proc_params["schedule"]
        self._lag: int = proc_params["lag"]

    def run_spk(self) -> None:
        """Spiking phase: accumulate, send, and start afresh after a sample's last step."""
        a = self.a_in.recv().astype(np.int64)
        at = self._schedule.at(self.time_step, self._lag)
        if at is None:
            self.y_out.send(self.y)
            return
        _, step = at
        self.y, saturations = arithmetic.accumulate(self.y, a, self._readout.bias)
        self.counts += saturations
        self.y_out.send(self.y)
        if step == self._schedule.steps:
            self.y = np.zeros_like(self.y)


@implements(proc=BatchedDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class PyBatchedDense(PyLoihiProcessModel):  # type: ignore[misc]  # Lava is untyped
    """Lava's order of events: send what was due, then take in this step's input and put its sum in the queue."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    a_buff: Ints = LavaPyType(np.ndarray, np.int64, precision=32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        weights, largest = proc_params["weights"], proc_params["largest_input"]
        # NumPy multiplies integer matrices without BLAS, many times slower. Floating point is as exact while its
        # mantissa holds every partial sum, whatever the order of summation: 24 bits in single precision, to be
        # proven from the weights; 53 in double, which weights of 9 bits and inputs of 24 fill only at a fan-in of 2^20.
        exact_in_single = np.abs(weights).sum(axis=1).max() * largest < 2**24
        self._weights = np.ascontiguousarray(weights.T, np.float32 if exact_in_single else np.float64)
        self._exponent: int = proc_params["weight_exp"]

    def run_spk(self) -> None:
        """Spiking phase: a_out is sent before s_in is received, so that recurrent graphs cannot wait in a circle."""
        slot = self.time_step % len(self.a_buff)
        self.a_out.send(self.a_buff[slot])
        product = self.s_in.recv().astype(self._weights.dtype) @ self._weights
        self.a_buff[slot] = arithmetic.shift(product.astype(np.int64), self._exponent)
