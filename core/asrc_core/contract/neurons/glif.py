"""GLIF: gates between two kinds each of leak, of input and of reset, one of each for every neuron.

u[t] = saturate(v[t-1] + (a[t] 2^h + b) hearing / 65,536 - leak);  s[t] = u[t] >= theta;
v[t] = u[t] kept_fired / 65,536 - drop where it fired, else u[t] kept / 65,536.

With floats u and v in the layer's scale these are the equations of training, its constants put together: with the
gates alpha, beta, gamma there, kept = 1 - alpha (1 - tau), kept_fired = kept (1 - gamma), leak = (1 - alpha) leak,
hearing = 1 - beta (1 - c) and drop = (1 - gamma) drop. Rounded are: these products, once, the shares to 1/65,536, the
potentials to whole units; what a step keeps and hears toward zero, in every step. The conductance c is one for all
steps: one for each step and neuron is no number of a kind, and tables are one for a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from asrc_core.contract.neurons.kind import ACTIVATION_SHIFT, BIAS, Bounds, Kind, Number, Parameters, Step, shifted
from asrc_core.contract.neurons.lif import THRESHOLD
from asrc_core.contract.numbers import FACTOR_BITS, FACTOR_ONE, STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import bias, share, threshold

SHARE = Number(0, FACTOR_ONE)
"""In 1/65,536."""
POTENTIAL = Number(0, STATE_MAX)


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step; what the next one keeps is computed in this one, where it is known whether the neuron fired."""
    heard = _part(o, o.add(o.shl(a, p["activation_shift"]), p["bias"]), p["hearing"])
    u = o.saturate(o.sub(o.add(state["v"], heard), p["leak"]))
    s = o.ge(u, p["threshold"])
    v = o.select(s, o.sub(_part(o, u, p["kept_fired"]), p["drop"]), _part(o, u, p["kept"]))
    return Step({"v": v}, s, u)


def _part(o: Operations, a: Value, share: Value) -> Value:
    return o.toward_zero(o.mul(a, share), FACTOR_BITS)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """Where v comes to rest, if it is pushed down for ever and never fires, or up and always does."""
    h, kept, fired, drop = (p[name] for name in ("activation_shift", "kept", "kept_fired", "drop"))
    least, greatest = (_heard((end << h) + p["bias"], p["hearing"]) - p["leak"] for end in (low, high))
    sunk = np.maximum(_settled(-least * kept, kept, STATE_MAX), drop)
    risen = np.maximum(p["threshold"] - 1, _settled(greatest * fired - drop * FACTOR_ONE, fired, STATE_MAX))
    return {"v": (-sunk, risen)}


def _heard(drive: Ints, hearing: Any) -> Ints:
    """The share of it that is heard, rounded toward zero."""
    return np.asarray(np.sign(drive) * (np.abs(drive) * hearing >> FACTOR_BITS), np.int64)


def _settled(push: Ints, kept: Any, cap: int) -> Ints:
    """Where 65,536 v = push + kept v comes to rest, 0 if push is not positive, rounded up, at most ``cap``."""
    lost = FACTOR_ONE - np.asarray(kept)
    rest = -(np.maximum(push, 0) // -np.maximum(lost, 1))
    return np.asarray(np.where(lost == 0, np.where(push > 0, cap, 0), np.minimum(rest, cap)), np.int64)


KIND = Kind(
    parameters={
        "bias": BIAS,
        "hearing": SHARE,
        "leak": POTENTIAL,
        "kept": SHARE,
        "kept_fired": SHARE,
        "drop": POTENTIAL,
        "threshold": THRESHOLD,
        "activation_shift": ACTIVATION_SHIFT,
    },
    states={"v": 24},
    step=step,
    invariant=invariant,
    constants={
        "bias": bias(),
        "threshold": threshold(),
        "hearing": share("hearing"),
        "leak": bias("leak"),
        "kept": share("kept"),
        "kept_fired": share("kept_fired"),
        "drop": bias("drop"),
    },
    at_scale=shifted,
)
