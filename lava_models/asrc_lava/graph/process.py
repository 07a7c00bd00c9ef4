"""The Lava processes that Lava does not bring along: neurons of any kind, batched synapses, relays.

Ports of shape (N,) carry one sample, the form that a chip has. Ports of shape (B, N) carry B samples side by side,
neurons last as in `asrc_core.contract.operations.numpy`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from asrc_core.contract.network import Layer
from asrc_core.contract.numbers import Ints
from asrc_lava.graph.axon import Outlet
from asrc_lava.graph.schedule import Schedule

SPIKES, SATURATIONS, OPERATIONS = range(3)
"""Entries of the counts of neurons; from the last on, the synaptic operations of each outlet."""


class Neurons(AbstractProcess):  # type: ignore[misc]  # Lava is untyped
    """The neurons of one layer, of whatever kind; the Dense of all its connections sum into ``a_in``.

    ``s_out`` is what they send, ``u_out`` what a trace shows of them (the membrane before reset, a readout's
    accumulator). Connections that are not sent just that have a port of their own, `outlet_port`, one for each entry
    of ``outlets``.

    counts: as `SPIKES`, `SATURATIONS` and `OPERATIONS` say; summed over the whole run.
    """

    def __init__(
        self, *, layer: Layer, outlets: Sequence[Outlet], shape: tuple[int, ...], schedule: Schedule, lag: int
    ) -> None:
        super().__init__(layer=layer, outlets=outlets, shape=shape, schedule=schedule, lag=lag, name=layer.name)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.u_out = OutPort(shape=shape)
        for i in range(len(outlets)):
            setattr(self, outlet_port(i), OutPort(shape=shape))
        self.counts = Var(shape=(OPERATIONS + len(outlets),), init=0)


def outlet_port(i: int) -> str:
    """Name of the port of an outlet."""
    return f"outlet{i}"


class BatchedDense(AbstractProcess):  # type: ignore[misc]  # Lava is untyped
    """Lava's Dense and DelayDense for B samples side by side: a_out(t) = sum_d shift(W_d s_in(t - 1 - d), weight_exp).

    weights: (N, I) integers; delays d: one number, or (N, I); ``largest_input`` bounds the magnitude of s_in.
    """

    def __init__(
        self, *, weights: Ints, weight_exp: int, delays: int | Ints, largest_input: int, lanes: int, name: str
    ) -> None:
        super().__init__(weights=weights, weight_exp=weight_exp, delays=delays, largest_input=largest_input, name=name)
        neurons, inputs = np.shape(weights)
        self.s_in = InPort(shape=(lanes, inputs))
        self.a_out = OutPort(shape=(lanes, neurons))
        self.a_buff = Var(shape=(int(np.max(delays)) + 1, lanes, neurons), init=0)


class Relay(AbstractProcess):  # type: ignore[misc]  # Lava is untyped
    """Passes on what it gets, ``steps`` >= 1 Lava steps later, to synapses whose own delays do not reach so far."""

    def __init__(self, *, steps: int, shape: tuple[int, ...], name: str) -> None:
        super().__init__(steps=steps, shape=shape, name=name)
        self.s_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.under_way = Var(shape=(steps, *shape), init=0)
