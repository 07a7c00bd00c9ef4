"""CUBA-LIF: LIF on a current that lasts, with a 12-bit decay of its own.

c[t] = decay(c[t-1], d_c) + a[t] 2^h + b_c;  u[t] = saturate(decay(v[t-1], d) + c[t] + b), then as LIF. The current is
never saturated: it is proven to stay within 24 bits. With d_c = 4096 it lasts for one step, and the neuron is a LIF.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asrc_core.contract.neurons.kind import (
    ACTIVATION_SHIFT,
    BIAS,
    CURRENT_BIAS,
    DECAY,
    Bounds,
    Kind,
    Parameters,
    Step,
    shifted,
)
from asrc_core.contract.neurons.lif import FIRES, RESET, THRESHOLD, decay, fire, membrane, room, settled
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import bias, kept, named, threshold


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step: the new current drives the membrane at once."""
    c = current(o, p, state["c"], a)
    u, s, v = fire(o, p, state["v"], c)
    return Step({"c": c, "v": v}, s, u)


def current(o: Operations, p: Parameters, c: Value, a: Value) -> Value:
    """decay(c, d_c) + a 2^h + b_c."""
    after = o.add(decay(o, c, p["current_decay"]), o.shl(a, p["activation_shift"]))
    return o.add(after, p["current_bias"]) if driven(p) else after


def lasting(p: Parameters) -> bool:
    """Whether the current lasts for more than a step."""
    return bool(np.any(np.asarray(p["current_decay"]) != DECAY_ONE))


def drive(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> tuple[Value, dict[str, Value]]:
    """What joins the membrane, and the state after: the current where it lasts, else what arrives and no state."""
    if lasting(p):
        c = current(o, p, state["c"], a)
        return c, {"c": c}
    arrived = o.shl(a, p["activation_shift"])
    return o.add(arrived, p["current_bias"]) if driven(p) else arrived, {}


def driven(p: Parameters) -> bool:
    """Whether something joins the current in every step."""
    return bool(np.any(np.asarray(p.get("current_bias", 0))))


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """The current comes to rest where it loses what it gains; the membrane is LIF's, driven by it."""
    least, greatest = current_bounds(p, low, high)
    return {"c": (least, greatest), "v": membrane(p, least + p["bias"], greatest + p["bias"])}


def current_bounds(p: Parameters, low: Ints, high: Ints) -> Bounds:
    """Bounds of c over inputs of any length; beyond 24 bits where they are not kept to it."""
    h, beyond, more = p["activation_shift"], 2 * STATE_MAX, p.get("current_bias", 0)
    least, greatest = np.minimum(low << h, (low << h) + more), np.maximum(high << h, (high << h) + more)
    return -settled(-least, p["current_decay"], beyond), settled(greatest, p["current_decay"], beyond)


KIND = Kind(
    parameters={
        "bias": BIAS,
        "current_decay": DECAY,
        "decay": DECAY,
        "threshold": THRESHOLD,
        "activation_shift": ACTIVATION_SHIFT,
        "reset": RESET,
        "fires": FIRES,
        "current_bias": CURRENT_BIAS,
    },
    states={"c": 24, "v": 24},
    step=step,
    invariant=invariant,
    room=room,
    constants={
        "bias": bias(),
        "threshold": threshold(),
        "decay_factor": kept("decay"),
        "current_decay_factor": kept("current_decay"),
        "current_bias": bias("current_bias"),
        "reset": named("reset"),
        "fires": named("fires"),
    },
    at_scale=shifted,
)
