"""TC-LIF: a dendrite that does not leak feeds a soma, which holds it back.

d[t] = saturate(D[t-1] - S[t-1] k_in / 65,536 + a[t] 2^h + b);  u[t] = saturate(S[t-1] + d[t] k_on / 65,536);
s[t] = u[t] >= theta;  D[t] = saturate(d[t] - drop), S[t] = u[t] - theta where it fired, else d[t] and u[t].

With floats D, S and d in the layer's scale these are the equations of training (beta_1 = -k_in / 65,536, beta_2 =
k_on / 65,536, gamma = drop). Rounded are: both couplings to 1/65,536, once; both products toward zero, in every step;
bias, threshold and drop to whole units, once. Two compartments that hold each other exchange what they have without
losing any, so inputs exist that drive them on for ever: they saturate at 24 bits, and `ROOM` keeps that far away.
"""

from __future__ import annotations

from collections.abc import Mapping

from asrc_core.contract.neurons.kind import ACTIVATION_SHIFT, BIAS, Kind, Number, Parameters, Step, shifted
from asrc_core.contract.neurons.lif import THRESHOLD
from asrc_core.contract.numbers import FACTOR_BITS, FACTOR_ONE, STATE_MAX
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import bias, share, threshold

COUPLING = Number(0, FACTOR_ONE)
"""In 1/65,536."""
ROOM = 16
"""A constant input drives the soma to two to four times what a step adds; random ones wander further."""


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step: the dendrite first, then the soma, which reads it at once."""
    held = o.sub(state["dendrite"], o.toward_zero(o.mul(state["soma"], p["inward"]), FACTOR_BITS))
    dendrite = o.saturate(o.add(o.add(held, o.shl(a, p["activation_shift"])), p["bias"]))
    u = o.saturate(o.add(state["soma"], o.toward_zero(o.mul(dendrite, p["onward"]), FACTOR_BITS)))
    s = o.ge(u, p["threshold"])
    dropped = o.saturate(o.select(s, o.sub(dendrite, p["drop"]), dendrite))  # of those that fired: others are held
    after = {"dendrite": dropped, "soma": o.select(s, o.sub(u, p["threshold"]), u)}
    return Step(after, s, u)


KIND = Kind(
    parameters={
        "bias": BIAS,
        "inward": COUPLING,
        "onward": COUPLING,
        "drop": Number(0, STATE_MAX),
        "threshold": THRESHOLD,
        "activation_shift": ACTIVATION_SHIFT,
    },
    states={"dendrite": 24, "soma": 24},
    step=step,
    room=ROOM,
    constants={
        "bias": bias(),
        "threshold": threshold(),
        "inward": share("inward"),
        "onward": share("onward"),
        "drop": bias("drop"),
    },
    at_scale=shifted,
)
