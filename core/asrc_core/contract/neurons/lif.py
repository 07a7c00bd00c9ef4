"""LIF: the leaky integrate-and-fire neuron.

u[t] = saturate(decay(v[t-1]) + a[t] 2^h + b);  s[t] = u[t] >= theta (fires at the threshold), or u[t] > theta (above);
v[t] = u[t] - theta where it fired (soft reset), or 0 (hard reset), else u[t];
decay(v) = v (4096 - d) / 4096, rounded toward zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asrc_core.contract.neurons.kind import (
    ACTIVATION_SHIFT,
    BIAS,
    DECAY,
    Bounds,
    Choice,
    Kind,
    Number,
    Parameters,
    Step,
    shifted,
)
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import bias, kept, named, threshold

ROOM = 32
"""Steps of the worst input that a membrane without a leak holds; further inputs saturate it, which is counted."""
THRESHOLD = Number(1, STATE_MAX)
RESET = Choice(("soft", "hard"))
FIRES = Choice(("at", "above"), default="at")


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step, with the current a 2^h."""
    u, s, v = fire(o, p, state["v"], o.shl(a, p["activation_shift"]))
    return Step({"v": v}, s, u)


def fire(o: Operations, p: Parameters, v: Value, current: Value) -> tuple[Value, Value, Value]:
    """Membrane before reset, spike, and membrane after reset, for a current of any origin."""
    u = before_reset(o, p, v, current)
    s = fires(o, p, u)
    return u, s, after_reset(o, p, u, s)


def before_reset(o: Operations, p: Parameters, v: Value, current: Value) -> Value:
    """Membrane u before reset."""
    return o.saturate(o.add(o.add(decay(o, v, p["decay"]), current), p["bias"]))


def fires(o: Operations, p: Parameters, u: Value) -> Value:
    """Spike of a membrane u."""
    return o.ge(u, p["threshold"]) if at_threshold(p) else o.not_(o.ge(p["threshold"], u))


def after_reset(o: Operations, p: Parameters, u: Value, s: Value) -> Value:
    """Membrane v after the reset of those that spiked."""
    return o.select(s, o.sub(u, p["threshold"]) if p["reset"] == "soft" else 0, u)


def at_threshold(p: Parameters) -> bool:
    """Whether a membrane that equals the threshold fires, as it does where nothing is said."""
    return bool(p.get("fires", "at") == "at")


def decay(o: Operations, v: Value, d: int | Ints) -> Value:
    """`v (4096 - d) / 4096`, rounded toward zero: the chip's 12-bit decay. Where d is 0, no product is made."""
    if isinstance(d, int) and d == 0:
        return o.toward_zero(v, 0)
    return o.toward_zero(o.mul(v, DECAY_ONE - d), 12)


def invariant(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """Bounds of v, in closed form."""
    h = p["activation_shift"]
    return {"v": membrane(p, (low << h) + p["bias"], (high << h) + p["bias"])}


def membrane(p: Parameters, low: Ints, high: Ints) -> Bounds:
    """Bounds of v after reset if decay(v) is added to a drive within the bounds, over inputs of any length.

    With k = (4096 - d) / 4096: the most negative v that can be carried solves v = low + k v. A neuron that did not fire
    carries at most theta - 1, or theta if it fires above; one that fired carries 0 (hard reset) or u - theta (soft), of
    which the greatest solves v = high - theta + k v. The saturated state caps both.
    """
    theta = p["threshold"]
    sunk = settled(-low, p["decay"], STATE_MAX)
    risen = np.broadcast_to(np.asarray(theta - at_threshold(p)), high.shape)
    if p["reset"] == "soft":
        risen = np.maximum(risen, settled(high - theta, p["decay"], STATE_MAX - theta))
    return -sunk, risen


def settled(push: Ints, d: int | Ints, cap: int | Ints) -> Ints:
    """Where v = push + k v comes to rest (0 if push is not positive), rounded up, at most ``cap``."""
    rest = -(np.maximum(push, 0) * -DECAY_ONE // np.maximum(d, 1))
    unbounded = np.where(push > 0, cap, 0)
    return np.asarray(np.where(np.asarray(d) == 0, unbounded, np.minimum(rest, cap)), np.int64)


def room(p: Parameters) -> int | None:
    """Nothing keeps the membrane of a neuron without a leak from sinking: `ROOM` steps of the worst input fit."""
    return ROOM if np.any(np.asarray(p["decay"]) == 0) else None


def registers(p: Parameters, low: Ints, high: Ints) -> Mapping[str, Bounds]:
    """The sum before saturation, in whatever order an engine adds."""
    h = p["activation_shift"]
    return {"decay(v) + ((a_ff + a_rec) << h) + b": ((low << h) - 2 * STATE_MAX, (high << h) + 2 * STATE_MAX)}


KIND = Kind(
    parameters={
        "bias": BIAS,
        "decay": DECAY,
        "threshold": THRESHOLD,
        "activation_shift": ACTIVATION_SHIFT,
        "reset": RESET,
        "fires": FIRES,
    },
    states={"v": 24},
    step=step,
    invariant=invariant,
    registers=registers,
    room=room,
    constants={
        "bias": bias(),
        "threshold": threshold(),
        "decay_factor": kept("decay"),
        "reset": named("reset"),
        "fires": named("fires"),
    },
    at_scale=shifted,
)
