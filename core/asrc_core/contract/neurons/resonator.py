"""Resonator: K damped oscillations that are never reset, a weighted read-out of them, and a refractory period.

x[t] = saturate(floor((a[t] 2^h + b) / 2^f)); for each mode, with its pole (c, d) / 2^n inside the unit circle,
re[t] = saturate(toward_zero((c re[t-1] - d im[t-1]) / 2^n) + x[t]), im[t] = saturate(toward_zero((d re[t-1] +
c im[t-1]) / 2^n)); u[t] = saturate(floor((sum (p re[t] - q im[t]) + g x[t] + sum_j taps_j x[t-j]) / 2^r));
s[t] = u[t] >= theta, and no spike in the last R steps.

It is the state-space layer with diagonal poles (S4D), a spike in place of what such layers send, and a fixed refractory
period in place of a reset; our reconstruction of SpikingFRssm and SpikingPssm (arXiv:2504.17751, whose equations
we could not reach), the window of the latter being folded into the read-out and ``taps``. One mode with p = 1,
q = g = 0 is the resonate-and-fire neuron PRF (arXiv:2410.03530). The sum of both products is rounded once, toward zero:
so a state left alone only ever shrinks, |z[t]| <= |pole| |z[t-1]|, and reaches 0. The period reads the word of spikes
that a delay line keeps anyway. The past inputs x[t-j] are states, not connections with delays: those would take a copy
of all weights each.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asrc_core.contract.neurons.kind import (
    ACTIVATION_SHIFT,
    BIAS,
    Columns,
    Kind,
    Number,
    Parameters,
    States,
    Step,
    columns,
)
from asrc_core.contract.neurons.lif import THRESHOLD
from asrc_core.contract.numbers import WORD
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.resonators import (
    DIRECT_MAX,
    LEAST_POLE_BITS,
    MOST_POLE_BITS,
    MOST_READOUT_SHIFT,
    MOST_SHIFT,
    POLE_BITS,
    READOUT_MAX,
    meant,
    rounded,
)
from asrc_core.errors import InvalidNetwork

POLE_SHIFT = Number(LEAST_POLE_BITS - 1, MOST_POLE_BITS - 1, default=POLE_BITS - 1, each=False)
"""Fraction bits of the poles; a pole of 16 bits has 15."""
PERIOD = Number(0, 31, default=0)
"""Steps without a spike after one; the word of spikes reaches 32 back."""
MODE, TAP = "mode", "tap"
READOUT = Columns(-READOUT_MAX, READOUT_MAX, of=MODE)
DIRECT = Number(-DIRECT_MAX, DIRECT_MAX, default=0)
"""What x[t] weighs in the read-out; like the taps of the same scale as p and q, but of 16 bits."""
TAPS = Columns(DIRECT.low, DIRECT.high, of=TAP, optional=True, most=7)
"""Of x[t-1], x[t-2], ...: with x[t], the window."""
WINDOW = 1 + TAPS.most
"""Steps of the longest window."""


def rests(p: Parameters) -> bool:
    """Whether a refractory period is asked for anywhere."""
    return bool(np.any(np.asarray(p["period"]) != 0))


def states(p: Parameters) -> States:
    """Re and im of each mode; past inputs where the read-out has taps; the word of spikes where neurons rest."""
    found: dict[str, int | str] = {}
    for k in range(len(columns(p["pole_real"]))):
        found |= {f"re{k}": 24, f"im{k}": 24}
    found |= {f"x{j}": 24 for j in range(1, 1 + len(columns(p["taps"])))}
    return found | ({"line": WORD} if rests(p) else {})


def step(o: Operations, p: Parameters, state: Mapping[str, Value], a: Value) -> Step:
    """One step: the modes turn and take in x, then they are read."""
    n = p["pole_shift"]
    x = o.saturate(o.floor(o.add(o.shl(a, p["activation_shift"]), p["bias"]), p["input_shift"]))
    after: dict[str, Value] = {}
    read = o.mul(x, p["direct"])
    poles = zip(columns(p["pole_real"]), columns(p["pole_imaginary"]), strict=True)
    weights = zip(columns(p["readout_real"]), columns(p["readout_imaginary"]), strict=True)
    for k, ((c, d), (weight, quadrature)) in enumerate(zip(poles, weights, strict=True)):
        re, im = state[f"re{k}"], state[f"im{k}"]
        turned = o.toward_zero(o.sub(o.mul(re, c), o.mul(im, d)), n)
        after[f"re{k}"] = real = o.saturate(o.add(turned, x))
        after[f"im{k}"] = imaginary = o.saturate(o.toward_zero(o.add(o.mul(re, d), o.mul(im, c)), n))
        read = o.add(read, o.sub(o.mul(real, weight), o.mul(imaginary, quadrature)))
    before = x
    for j, tap in enumerate(columns(p["taps"]), start=1):
        after[f"x{j}"], before = before, state[f"x{j}"]
        read = o.add(read, o.mul(before, tap))
    u = o.saturate(o.floor(read, p["readout_shift"]))
    s = o.ge(u, p["threshold"])
    if rests(p):
        s = o.and_(s, o.not_(o.ge(o.mask(state["line"], p["period"]), 1)))
        after["line"] = o.push(state["line"], s)
    return Step(after, s, u)


def consistent(at: str, p: Parameters) -> None:
    """Poles lie inside the unit circle, exactly: c^2 + d^2 < 2^(2 n)."""
    n = p["pole_shift"]
    outside = p["pole_real"] ** 2 + p["pole_imaginary"] ** 2 >= 1 << 2 * n
    if outside.any():
        neuron, mode = (int(each[0]) for each in np.nonzero(outside))
        pole = f"({p['pole_real'][neuron, mode]}, {p['pole_imaginary'][neuron, mode]}) / 2^{n}"
        why = f"the pole {pole} of mode {mode} of neuron {neuron} lies on or outside the unit circle"
        raise InvalidNetwork(at, f"{why}, where a state need not die away; shrink it")


KIND = Kind(
    parameters={
        "bias": BIAS,
        "pole_real": Columns(-(1 << POLE_SHIFT.high), 1 << POLE_SHIFT.high, of=MODE),
        "pole_imaginary": Columns(-(1 << POLE_SHIFT.high), 1 << POLE_SHIFT.high, of=MODE),
        "readout_real": READOUT,
        "readout_imaginary": READOUT,
        "direct": DIRECT,
        "taps": TAPS,
        "threshold": THRESHOLD,
        "period": PERIOD,
        "activation_shift": ACTIVATION_SHIFT,
        "input_shift": Number(0, MOST_SHIFT, default=0),
        "readout_shift": Number(0, MOST_READOUT_SHIFT, default=0),
        "pole_shift": POLE_SHIFT,
    },
    states=states,
    step=step,
    consistent=consistent,
    at_scale=rounded,
    meant=meant,
)
