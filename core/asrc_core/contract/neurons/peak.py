"""Peak: a readout of leaky integrators that answers with the greatest value each of them has reached, from 0 on.

c[t] = decay(c[t-1], d_c) + a[t] 2^h;  y[t] = saturate(decay(y[t-1], d) + c[t] + b);  z[t] = max(z[t-1], y[t]).
"""

from __future__ import annotations

from collections.abc import Mapping

from asrc_core.contract.neurons.cuba_lif import current, current_bounds
from asrc_core.contract.neurons.kind import (
    ACTIVATION_SHIFT,
    BIAS,
    CURRENT_BIAS,
    DECAY,
    Bounds,
    Kind,
    Number,
    Parameters,
    Step,
)
from asrc_core.contract.neurons.lif import decay, settled
from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import bias, kept


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step."""
    c = current(o, p, state["c"], a)
    y = o.saturate(o.add(o.add(decay(o, state["y"], p["decay"]), c), p["bias"]))
    z = o.saturate(o.max(state["z"], y))  # never does once y has: it names what is shown
    return Step({"c": c, "y": y, "z": z}, None, z)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """Current and integrator come to rest where they lose what they gain; the peak is no higher."""
    least, greatest = current_bounds(p, low, high)
    risen = settled(greatest + p["bias"], p["decay"], STATE_MAX)
    sunk = settled(-least - p["bias"], p["decay"], STATE_MAX)
    return {"c": (least, greatest), "y": (-sunk, risen), "z": (0 * low, risen)}


KIND = Kind(
    parameters={
        "bias": BIAS,
        "current_decay": DECAY,
        "decay": DECAY,
        "activation_shift": Number(0, ACTIVATION_SHIFT.high, default=0),
        "current_bias": CURRENT_BIAS,
    },
    states={"c": 24, "y": 24, "z": 24},
    step=step,
    sends=None,
    invariant=invariant,
    constants={
        "bias": bias(),
        "decay_factor": kept("decay"),
        "current_decay_factor": kept("current_decay"),
        "current_bias": bias("current_bias"),
    },
)
