"""From the floats of trained resonators to whole numbers, neuron by neuron: their time constants lie far apart.

Floats (N neurons, K modes): z[t] = pole z[t-1] + u[t], h[t] = sum_k Re(readout_k z_k[t]) + direct u[t] +
sum_i taps_i u[t-i], the current u = W x + bias, a spike where h reaches the threshold. With the layer's scale S,

* poles are rounded to `pole_bits` bits, and never out of the unit circle;
* f (``input_shift``) is the least with which no input drives a mode beyond 24 bits, by the L1 norm of its response;
  half a unit of what it cuts off goes into the bias, so that the floor is a rounding to the nearest;
* read-out, direct weight and taps share a factor P of their own for each neuron, the largest with which the read-out
  has 8 bits and the threshold a number of the target's format that is exact: h is in units of P S / 2^(f + r).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_core.contract.operations import linear
from asrc_core.contract.rounding.constants import Constants, Meant, Rounding, Unfit, numbers

Floats = NDArray[np.float64]

POLE_BITS = 16
"""With the sign; where the constants have no `pole_bits`."""
READOUT_MAX = 127
DIRECT_MAX = 32767
MOST_SHIFT, MOST_READOUT_SHIFT = 24, 40
ROOM = 0.97
"""Share of 24 bits that the proof by floats uses: the rest is for roundings, which the proof by integers counts."""
NEARLY = (1.0, 0.997, 0.99, 0.98, 0.96, 0.92, 0.85, 0.75, 0.6, 0.5)
"""Shares of the largest factor P that are tried until the threshold is no larger than asked for."""


def rounded(constants: Constants, at: Rounding) -> dict[str, Any]:
    """The parameters, the activation shift included. Raises Unfit where a format has no room for them."""
    pole, readout = np.asarray(constants["pole"]), np.asarray(constants["readout"])
    direct, taps = _real(constants["direct"]), _real(constants["taps"])
    n = int(constants.get("pole_bits", POLE_BITS)) - 1
    common = {"period": int(constants["period"]), "activation_shift": at.activation_shift, "pole_shift": n}
    if at.exact:
        return {
            **common,
            "bias": _real(constants["bias"]) * at.scale,
            "pole_real": pole.real * 2.0**n,
            "pole_imaginary": pole.imag * 2.0**n,
            "readout_real": readout.real,
            "readout_imaginary": readout.imag,
            "direct": direct,
            "taps": taps if taps.shape[1] else None,
            "threshold": constants["threshold"] * at.scale,
            "input_shift": 0,
            "readout_shift": 0,
        }
    c, d = poles(pole, n)
    bias = _real(constants["bias"]) * at.scale
    reach = np.abs(bias) + (0 if at.drive is None else np.maximum(-at.drive[0], at.drive[1]) * 2.0**at.activation_shift)
    of_real, of_imaginary = gains(c, d, n)
    f = _shift(np.maximum(of_real, of_imaginary).max(axis=1) * reach, MOST_SHIFT, "an input shift")
    centred = bias + np.where(f > 0, np.exp2(f - 1), 0)
    x = reach / np.exp2(f) + 1
    unit = at.scale / np.exp2(f)
    most = np.minimum(_largest(READOUT_MAX, readout.real, readout.imag), _largest(DIRECT_MAX, direct[:, None], taps))
    most = np.where(np.isfinite(most), most, 1.0)
    h = ((np.abs(readout.real) * of_real + np.abs(readout.imag) * of_imaginary).sum(axis=1)) * x * most
    h += (of_real + of_imaginary).sum(axis=1) * x  # what rounding the read-out may add
    h += (np.abs(direct) + np.abs(taps).sum(axis=1)) * x * most
    r = _shift(h, MOST_READOUT_SHIFT, "a read-out shift")
    per_factor = constants["threshold"] * unit / np.exp2(r)
    theta = _threshold(per_factor * most, at)
    factor = (theta / per_factor)[:, None]
    return {
        **common,
        "bias": numbers(centred, at.bias),
        "pole_real": c,
        "pole_imaginary": d,
        "readout_real": _whole(readout.real * factor, READOUT_MAX),
        "readout_imaginary": _whole(readout.imag * factor, READOUT_MAX),
        "direct": _whole(direct * factor[:, 0], DIRECT_MAX),
        "taps": _whole(taps * factor, DIRECT_MAX) if taps.shape[1] else None,
        "threshold": theta,
        "input_shift": f,
        "readout_shift": r,
    }


def meant(p: Any, scale: float, constants: Constants) -> Iterator[Meant]:
    """The floats that parameters stand for, those they were rounded from being known."""
    one, f = 1 << p["pole_shift"], np.asarray(p["input_shift"])
    half = np.where(f > 0, np.exp2(f - 1), 0)
    yield Meant("bias", p["bias"], constants["bias"], (p["bias"] - half) / scale)
    pole, readout = np.asarray(constants["pole"]), np.asarray(constants["readout"])
    yield Meant("pole, real part", p["pole_real"], pole.real, p["pole_real"] / one)
    yield Meant("pole, imaginary part", p["pole_imaginary"], pole.imag, p["pole_imaginary"] / one)
    factor = p["threshold"] * np.exp2(f + p["readout_shift"]) / (constants["threshold"] * scale)
    of_each = np.broadcast_to(factor, len(readout))[:, None]
    yield Meant("readout, real part", p["readout_real"], readout.real, p["readout_real"] / of_each)
    yield Meant("readout, imaginary part", p["readout_imaginary"], readout.imag, p["readout_imaginary"] / of_each)
    yield Meant("direct weight", p["direct"], constants["direct"], p["direct"] / of_each[:, 0])
    if p["taps"] is not None:
        yield Meant("tap", p["taps"], constants["taps"], p["taps"] / of_each)


def poles(pole: Any, n: int) -> tuple[Ints, Ints]:
    """The nearest poles with n fraction bits that lie inside the unit circle."""
    exact = pole * 2.0**n
    c, d = (np.rint(part).astype(np.int64) for part in (exact.real, exact.imag))
    outside = c * c + d * d >= 1 << 2 * n
    # Cut off instead of rounded, a part is no larger than before, and the pole was inside.
    c, d = (
        np.where(outside, np.trunc(part), near).astype(np.int64) for part, near in ((exact.real, c), (exact.imag, d))
    )
    return c, d


def gains(c: Ints, d: Ints, n: int) -> tuple[Floats, Floats]:
    """How far a mode's real and imaginary part get for inputs up to 1, (N, K) each."""
    neurons, modes = c.shape
    turns = np.stack([np.stack([c, -d], axis=-1), np.stack([d, c], axis=-1)], axis=-2) / 2.0**n
    rising, falling, _, _ = linear.response(turns.reshape(neurons * modes, 2, 2))
    both = (rising + falling)[:, :, 0].reshape(neurons, modes, 2)
    return both[..., 0], both[..., 1]


def _shift(reach: Floats, most: int, what: str) -> Ints:
    """The least shift by which what gets so far stays within 24 bits. Raises Unfit, naming the neuron."""
    shift = np.maximum(0, np.ceil(np.log2(np.maximum(reach, 1) / (ROOM * STATE_MAX))))
    if shift.max() > most:
        neuron, bits = int(shift.argmax()), int(shift.max())
        why = (
            f"neuron {neuron} would need {what} of {bits} bits so that its state provably stays in 24, there are {most}"
        )
        raise Unfit(f"{why}: its poles are too slow or its weights too large")
    return np.asarray(shift, np.int64)


def _threshold(largest: Floats, at: Rounding) -> Ints:
    """The largest threshold of the format that is no larger, as near as the shares of `NEARLY` come."""
    found = np.asarray(numbers(largest * NEARLY[-1], at.threshold))
    for share in reversed(NEARLY[:-1]):
        tried = np.asarray(numbers(largest * share, at.threshold))
        found = np.where(tried <= largest, tried, found)
    return np.asarray(found, np.int64)


def _largest(most: int, *values: Floats) -> Floats:
    """By how much a neuron's values can be multiplied, infinite where all are 0."""
    reach = np.max(np.concatenate([np.abs(each) for each in values], axis=1), axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(most / reach)


def _whole(values: Floats, most: int) -> Ints:
    return np.clip(np.rint(values), -most, most).astype(np.int64)


def _real(values: Any) -> Floats:
    return np.asarray(values, np.float64)
