"""First spike: a readout of CUBA-LIF neurons, of which the one that fires first decides.

The neurons are those of `cuba_lif`. At its first spike, in step t (the first step is 1), a neuron answers with
z = 2^20 + 1 - t and keeps it; one that has not fired has z = 0. So the greatest answer is the earliest spike, and of
equals the first neuron decides, as everywhere. Spikes later than step 2^20 all count as that late.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asrc_core.contract.neurons import cuba_lif
from asrc_core.contract.neurons.kind import Bounds, Kind, Parameters, Step
from asrc_core.contract.neurons.lif import fire
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.operations import Operations, Value

LATEST = 2**20
"""Steps that are told apart."""


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step: CUBA-LIF's, and a note of when it fired first."""
    c = cuba_lif.current(o, p, state["c"], a)
    _, s, v = fire(o, p, state["v"], c)
    t = o.min(o.add(state["t"], 1), LATEST)
    first = o.and_(s, o.not_(o.ge(state["z"], 1)))
    z = o.saturate(o.select(first, o.sub(LATEST + 1, t), state["z"]))  # never does: it names what is shown
    return Step({"c": c, "v": v, "t": t, "z": z}, None, z)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """Current and membrane are CUBA-LIF's; both counters lie between 0 and the latest step."""
    counted = np.zeros(low.shape, np.int64), np.full(low.shape, LATEST)
    return {**cuba_lif.invariant(p, low, high), "t": counted, "z": counted}


KIND = Kind(
    parameters=cuba_lif.KIND.parameters,
    states={"c": 24, "v": 24, "t": 24, "z": 24},
    step=step,
    sends=None,
    invariant=invariant,
    constants=cuba_lif.KIND.constants,
    at_scale=cuba_lif.KIND.at_scale,
)
