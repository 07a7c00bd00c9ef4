"""LIF whose reset comes a step late: what a spike takes from the membrane is missing one step later, undecayed.

c[t] = decay(c[t-1], d_c) + a[t] 2^h, or a 2^h itself with d_c = 4096, the default;
u[t] = saturate(decay(u[t-1], d) + c[t] + b - theta s[t-1]);  s[t] = u[t] >= theta, or u[t] > theta.
The membrane is kept as it fired, so s[t-1] is asked of it again. snnTorch's default and spyx compute this.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asrc_core.contract.neurons.cuba_lif import current_bounds, drive, lasting
from asrc_core.contract.neurons.kind import (
    ACTIVATION_SHIFT,
    BIAS,
    DECAY,
    Bounds,
    Kind,
    Number,
    Parameters,
    States,
    Step,
    shifted,
)
from asrc_core.contract.neurons.lif import FIRES, THRESHOLD, decay, fires, room, settled
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import bias, kept, named, threshold


def states(p: Parameters) -> States:
    """U; c where the current lasts."""
    return {**({"c": 24} if lasting(p) else {}), "u": 24}


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step."""
    joins, after = drive(o, p, state, a)
    before, theta = state["u"], p["threshold"]
    decayed = decay(o, before, p["decay"])
    left = o.select(fires(o, p, before), o.sub(decayed, theta), decayed)
    u = o.saturate(o.add(o.add(left, joins), p["bias"]))
    return Step({**after, "u": u}, fires(o, p, u), u)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """Bounds of c as cuba-lif has them, and of u in closed form.

    With k = (4096 - d) / 4096: one that did not fire keeps at most k theta, one that did k u - theta, of which the
    greatest solves u = high - theta + k u. The least is where u = low + k u, or what is left of one that just fired.
    """
    h, theta, d = p["activation_shift"], p["threshold"], p["decay"]
    least, greatest = current_bounds(p, low, high) if lasting(p) else (low << h, high << h)
    found = {"c": (least, greatest)} if lasting(p) else {}
    push, pull = greatest + p["bias"], least + p["bias"]
    unfired = (theta * (DECAY_ONE - d) >> 12) + push
    fired = settled(push - theta, d, STATE_MAX)
    sunk = np.minimum(-settled(-pull, d, STATE_MAX), (theta * (DECAY_ONE - d) >> 12) - theta + pull)
    top = np.minimum(np.maximum(np.maximum(unfired, fired), 0), STATE_MAX)
    found["u"] = (np.maximum(np.minimum(sunk, 0), -STATE_MAX), top)
    return found


KIND = Kind(
    parameters={
        "bias": BIAS,
        "current_decay": Number(0, DECAY_ONE, default=DECAY_ONE),
        "decay": DECAY,
        "threshold": THRESHOLD,
        "activation_shift": ACTIVATION_SHIFT,
        "fires": FIRES,
    },
    states=states,
    step=step,
    invariant=invariant,
    room=room,
    constants={
        "bias": bias(),
        "threshold": threshold(),
        "decay_factor": kept("decay"),
        "current_decay_factor": kept("current_decay"),
        "fires": named("fires"),
    },
    at_scale=shifted,
)
