"""The Lava processes that Lava does not bring along: a skip-recurrent layer's neurons, the readout, batched synapses.

Ports of shape (N,) carry one sample, the form that a chip has. Ports of shape (B, N) carry B samples side by side,
neurons last as in `asrc_core.contract.arithmetic`.
"""

from __future__ import annotations

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from asrc_core.contract.chain import Readout, SkipLayer
from asrc_core.contract.numbers import Ints
from asrc_lava.graph.schedule import Schedule


class SkipNeurons(AbstractProcess):  # type: ignore[misc]  # Lava is untyped
    """The neurons of one layer; a pair of Dense, feed-forward and recurrent, sums into ``a_in``.

    ``s_out`` are the spikes for the next layer. ``tap_out`` feeds the recurrent Dense: what it sends arrives ``reach``
    steps later, of which the delay line has to supply span - reach. With several taps it is one graded spike a neuron,
    the sum of what they give. ``u_out`` is the membrane before reset.

    counts: spikes, messages sent through the tap, saturations; summed over the whole run.
    """

    def __init__(
        self, *, layer: SkipLayer, shape: tuple[int, ...], schedule: Schedule, lag: int, reach: int, name: str
    ) -> None:
        super().__init__(layer=layer, shape=shape, schedule=schedule, lag=lag, reach=reach, name=name)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.tap_out = OutPort(shape=shape)
        self.u_out = OutPort(shape=shape)
        self.v = Var(shape=shape, init=0)
        self.line = Var(shape=shape, init=0)
        self.counts = Var(shape=(3,), init=0)


class Accumulator(AbstractProcess):  # type: ignore[misc]  # Lava is untyped
    """The readout: ``y_out`` is the accumulator after each step, at a sample's last step its logits.

    counts: saturations, summed over the whole run.
    """

    def __init__(self, *, readout: Readout, shape: tuple[int, ...], schedule: Schedule, lag: int, name: str) -> None:
        super().__init__(readout=readout, shape=shape, schedule=schedule, lag=lag, name=name)
        self.a_in = InPort(shape=shape)
        self.y_out = OutPort(shape=shape)
        self.y = Var(shape=shape, init=0)
        self.counts = Var(shape=(1,), init=0)


class BatchedDense(AbstractProcess):  # type: ignore[misc]  # Lava is untyped
    """Lava's Dense and DelayDense for B samples side by side: a_out(t) = shift(W s_in(t - 1 - delay), weight_exp).

    weights: (N, I) integers; ``largest_input`` bounds the magnitude of s_in.
    """

    def __init__(
        self, *, weights: Ints, weight_exp: int, delay: int, largest_input: int, lanes: int, name: str
    ) -> None:
        super().__init__(weights=weights, weight_exp=weight_exp, largest_input=largest_input, name=name)
        neurons, inputs = np.shape(weights)
        self.s_in = InPort(shape=(lanes, inputs))
        self.a_out = OutPort(shape=(lanes, neurons))
        self.a_buff = Var(shape=(delay + 1, lanes, neurons), init=0)
