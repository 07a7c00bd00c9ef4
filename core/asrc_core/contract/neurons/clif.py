"""CLIF: LIF with a second potential that counts recent spikes and deepens the reset.

u[t] = saturate(decay(v[t-1]) + a[t] 2^h + b);  s[t] = u[t] >= theta;
m[t] = min(m[t-1] keeping[u[t] slope / 2^k + middle] / 65,536 + 4,096 s[t], 2^22);
v[t] = u[t] - theta - deepening[m[t] / 64] where it fired, else u[t].

With floats v and u in the layer's scale and m in 1/4,096 these are the equations of training: `keeping` holds
65,536 sigmoid(z) for z = (1 - alpha) u, `deepening` the scale times sigmoid(m). Both have 1,024 entries, in steps of
1/64, the first for z from -8 to 8, the second for m from 0 to 16; beyond, the last entry holds, which is off by at most
1/2,981 there. An entry is the sigmoid in the middle of its step: off by at most 1/512 (where the slope is 1/4), and the
rounding to a whole number. The decay is LIF's, m is rounded down in every step, and it counts no more than 1,024
spikes: the sigmoid is 1 by then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from asrc_core.contract.neurons.kind import ACTIVATION_SHIFT, BIAS, DECAY, Bounds, Kind, Number, Parameters, Step, Table
from asrc_core.contract.neurons.lif import THRESHOLD, decay, settled
from asrc_core.contract.numbers import FACTOR_BITS, FACTOR_ONE, MAX_TABLE, STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import Constants, Rounding, bias, kept, numbers, threshold

SPIKE = 4096
"""What m counts for a spike."""
MOST_COUNTED = 2**22
PER_ENTRY = 6
"""An entry of `deepening` is for 2^6 of m."""
ENTRIES_OF_ONE = SPIKE >> PER_ENTRY


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step."""
    keeping, deepening = p["keeping"], p["deepening"]
    u = o.saturate(o.add(o.add(decay(o, state["v"], p["decay"]), o.shl(a, p["activation_shift"])), p["bias"]))
    s = o.ge(u, p["threshold"])
    z = o.add(o.floor(o.mul(u, p["slope"]), p["slope_shift"]), p["middle"])
    share = o.table(o.min(o.max(z, 0), keeping.size - 1), keeping)
    remembered = o.floor(o.mul(state["m"], share), FACTOR_BITS)
    m = o.min(o.add(remembered, o.select(s, SPIKE, 0)), MOST_COUNTED)
    deeper = o.table(o.min(o.max(o.floor(m, PER_ENTRY), 0), deepening.size - 1), deepening)
    return Step({"v": o.select(s, o.sub(u, o.add(deeper, p["threshold"])), u), "m": m}, s, u)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """The membrane is LIF's with a threshold that is deeper by what the table holds, and sinks that much below 0."""
    h, theta, table = p["activation_shift"], p["threshold"], p["deepening"]
    least, most = int(table.min()), int(table.max())
    sunk = np.maximum(settled(-((low << h) + p["bias"]), p["decay"], STATE_MAX), most)
    push = (high << h) + p["bias"] - theta - least
    risen = np.maximum(theta - 1, settled(push, p["decay"], STATE_MAX - theta - least))
    return {"v": (-sunk, risen), "m": (np.zeros_like(low), np.full_like(low, MOST_COUNTED))}


def at_scale(constants: Constants, at: Rounding) -> Mapping[str, Any]:
    """The sigmoids as tables, and where the membrane reads them. Floats that are not rounded are read at whole steps
    and in between; where indices are rounded down, an entry stands for the middle of its step.
    """
    inside = 0 if at.exact else 0.5
    places = np.arange(MAX_TABLE) + inside
    entries = (1 - np.asarray(constants["decay_factor"])) * (ENTRIES_OF_ONE / at.scale)
    most = float(np.max(entries))
    # The largest shift with which the slope has no more than 16 bits.
    shift = int(np.clip(math.floor(math.log2((FACTOR_ONE - 1) / most)), 0, SLOPE_SHIFT.high)) if most > 0 else 0
    return {
        "slope": numbers(entries * 2.0**shift, at.whole),
        "slope_shift": shift,
        "middle": MAX_TABLE // 2,
        "keeping": numbers(FACTOR_ONE * _sigmoid((places - MAX_TABLE // 2) / ENTRIES_OF_ONE), at.whole),
        "deepening": numbers(at.scale * _sigmoid(places / ENTRIES_OF_ONE), at.whole),
        "activation_shift": at.activation_shift,
    }


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


SLOPE_SHIFT = Number(0, 62, each=False)

KIND = Kind(
    parameters={
        "bias": BIAS,
        "decay": DECAY,
        "threshold": THRESHOLD,
        "slope": Number(0, FACTOR_ONE - 1),
        "slope_shift": SLOPE_SHIFT,
        "middle": Number(0, MAX_TABLE - 1, each=False),
        "keeping": Table(0, FACTOR_ONE),
        "deepening": Table(0, STATE_MAX),
        "activation_shift": ACTIVATION_SHIFT,
    },
    states={"v": 24, "m": 24},
    step=step,
    invariant=invariant,
    constants={"bias": bias(), "threshold": threshold(), "decay_factor": kept("decay")},
    at_scale=at_scale,
)
