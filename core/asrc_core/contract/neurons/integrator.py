"""Integrator: the readout, which adds up and never fires.

y[t] = saturate(decay(y[t-1], d) + a[t] 2^h + b): with d = 0 the plain sum, else a leaky one. With a current decay below
4096, c[t] = decay(c[t-1], d_c) + a[t] 2^h + b_c takes the place of a 2^h. With weights over time k_1, ..., k_n it is
z[t] = saturate(z[t-1] + floor(k_t y[t] / 2^r)) that answers, the last weight holding for all later steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from asrc_core.contract.neurons.cuba_lif import current_bounds, drive, driven, lasting
from asrc_core.contract.neurons.kind import (
    ACTIVATION_SHIFT,
    BIAS,
    CURRENT_BIAS,
    Bounds,
    Kind,
    Number,
    Parameters,
    States,
    Step,
    Table,
)
from asrc_core.contract.neurons.lif import decay, settled
from asrc_core.contract.numbers import DECAY_ONE, MAX_TABLE, STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import Constant, Rounding, bias, kept

MAX_TIME_WEIGHT = 127
MAX_WEIGHT_SHIFT = 30


def states(p: Parameters) -> States:
    """Y; c where the current lasts; z and a step counter where steps are weighted."""
    weighted: States = {} if p["time_weights"] is None else {"z": 24, "step": MAX_TABLE.bit_length() + 1}
    return {**({"c": 24} if lasting(p) else {}), "y": 24, **weighted}


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step."""
    joins, after = drive(o, p, state, a)
    y = o.saturate(o.add(o.add(decay(o, state["y"], p["decay"]), joins), p["bias"]))
    after["y"] = y
    weights = p["time_weights"]
    if weights is None:
        return Step(after, None, y)
    weighted = o.floor(o.mul(o.table(state["step"], weights), y), p["weight_shift"])
    z = o.saturate(o.add(state["z"], weighted))
    return Step({**after, "z": z, "step": o.min(o.add(state["step"], 1), weights.size - 1)}, None, z)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """Each state comes to rest where it loses what it gains."""
    drive, found = _drive(p, low, high), {}
    if lasting(p):
        found["c"] = current_bounds(p, low, high)
    found["y"] = -settled(-drive[0], p["decay"], STATE_MAX), settled(drive[1], p["decay"], STATE_MAX)
    if p["time_weights"] is not None:
        last = np.full(low.shape, len(p["time_weights"]) - 1)
        found |= {"z": (np.full(low.shape, -STATE_MAX), np.full(low.shape, STATE_MAX)), "step": (0 * last, last)}
    return found


def registers(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """One step on top of a saturated accumulator."""
    least, greatest = _drive(p, low, high)
    return {"y + shift(W_o s, e_o) + b": (np.minimum(least, 0) - STATE_MAX, np.maximum(greatest, 0) + STATE_MAX)}


def unsaturated(p: Parameters, low: Ints, high: Ints, steps: int) -> Bounds:
    """The accumulator after so many steps; less where it leaks, more by the sum of the weights over time."""
    least, greatest = _drive(p, low, high)
    least, greatest = np.minimum(least, 0), np.maximum(greatest, 0)
    far = 2**61 // max(steps, 1)  # beyond anything that fits, and still no wrap when multiplied
    leak = settled(-least, p["decay"], far), settled(greatest, p["decay"], far)
    y = np.minimum(np.minimum(-least, far) * steps, leak[0]), np.minimum(np.minimum(greatest, far) * steps, leak[1])
    if p["time_weights"] is None:
        return -y[0], y[1]
    weights = p["time_weights"]
    counted = np.abs(weights[:steps]).sum() + max(0, steps - len(weights)) * abs(int(weights[-1]))
    reach = np.minimum(np.maximum(*y), STATE_MAX) * int(counted)
    shift = p["weight_shift"]
    reach = (reach >> shift) + (steps if shift else 0)  # the floor of each step is at most 1 below
    return -reach, reach


def _drive(p: Parameters, low: Ints, high: Ints) -> Bounds:
    """What is added to y in a step."""
    h = p["activation_shift"]
    least, greatest = current_bounds(p, low, high) if lasting(p) or driven(p) else (low << h, high << h)
    return least + p["bias"], greatest + p["bias"]


def _whole_weights(weights: Any, at: Rounding) -> Any:
    """In proportion, the greatest in magnitude becoming `MAX_TIME_WEIGHT`; 1 each where all are the same."""
    if at.exact:
        return weights
    shares = np.asarray(weights, np.float64) / np.abs(weights).max()
    return np.rint(shares if (shares == shares[0]).all() else shares * MAX_TIME_WEIGHT).astype(np.int64)


KIND = Kind(
    parameters={
        "bias": BIAS,
        "decay": Number(0, DECAY_ONE, default=0),
        "current_decay": Number(0, DECAY_ONE, default=DECAY_ONE),
        "activation_shift": Number(0, ACTIVATION_SHIFT.high, default=0),
        "time_weights": Table(-MAX_TIME_WEIGHT, MAX_TIME_WEIGHT, optional=True),
        "weight_shift": Number(0, MAX_WEIGHT_SHIFT, default=0, each=False),
        "current_bias": CURRENT_BIAS,
    },
    states=states,
    step=step,
    sends=None,
    invariant=invariant,
    registers=registers,
    unsaturated=unsaturated,
    constants={
        "bias": bias(),
        "decay_factor": kept("decay"),
        "current_decay_factor": kept("current_decay"),
        "current_bias": bias("current_bias"),
        "time_weights": Constant("time_weights", _whole_weights, lambda k, scale: k / max(1, np.abs(k).max())),
    },
)
