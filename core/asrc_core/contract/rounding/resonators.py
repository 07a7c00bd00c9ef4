"""From the floats of trained resonators to whole numbers, neuron by neuron: their time constants lie far apart.

Floats (N neurons, K modes): z[t] = pole z[t-1] + u[t], h[t] = sum_k Re(readout_k z_k[t]) + direct u[t] +
sum_i taps_i u[t-i], the current u = W x + bias, a spike where h reaches the threshold. With the layer's scale S,

* poles are rounded to `pole_bits` bits, and never out of the unit circle;
* f (``input_shift``) is the least with which no input drives a mode beyond 24 bits, by the L1 norm of its response;
  half a unit of what it cuts off goes into the bias, so that the floor is a rounding to the nearest;
* read-out, direct weight and taps share a factor P of their own for each neuron, the largest with which the read-out
  has 8 bits (`mode_bits`) and the threshold 24, and is a number of the target's format: h is in units of
  P S / 2^(f + r).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_core.contract.operations import linear
from asrc_core.contract.rounding.constants import Constants, Meant, Rounding, Unfit, numbers

Floats = NDArray[np.float64]

LEAST_POLE_BITS, POLE_BITS, MOST_POLE_BITS = 12, 16, 20
"""With the sign; the second where the constants have no `pole_bits`."""
LEAST_MODE_BITS, READOUT_BITS = 3, 8
"""With the sign; where the constants have no `mode_bits`."""
READOUT_MAX = 127
DIRECT_MAX = 32767
MOST_SHIFT, MOST_READOUT_SHIFT = 24, 40
ROOM = 0.99
"""Share of 24 bits that is used: the rest is for biases and thresholds, which come to lie on the target's grids."""
NEARLY = (1.0, 0.997, 0.99, 0.98, 0.96, 0.92, 0.85, 0.75, 0.6, 0.5)
"""Shares of the largest factor P that are tried until the threshold is no larger than asked for."""


def rounded(constants: Constants, at: Rounding) -> dict[str, Any]:
    """The parameters, the activation shift included. Raises Unfit where a format has no room for them."""
    pole, readout = np.asarray(constants["pole"]), np.asarray(constants["readout"])
    direct, taps = _real(constants["direct"]), _real(constants["taps"])
    n = int(constants.get("pole_bits", POLE_BITS)) - 1
    most_readout = (1 << int(constants.get("mode_bits", READOUT_BITS)) - 1) - 1
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
    reach = reaches(c, d, n, _ends(at), bias)
    f = _shift(reach.of_input.max(axis=(1, 2)), reach.of_roundings.max(axis=(1, 2)), MOST_SHIFT, "an input shift")
    centred = bias + np.where(f > 0, np.exp2(f - 1), 0)
    unit = at.scale / np.exp2(f)
    most = np.minimum(_largest(most_readout, readout.real, readout.imag), _largest(DIRECT_MAX, direct[:, None], taps))
    most = np.where(np.isfinite(most), most, 1.0)
    x = (np.maximum(*np.abs(_ends(at))) + np.abs(bias)) / np.exp2(f) + 1
    z = reach.of_input / np.exp2(f)[:, None, None] + reach.of_roundings
    read = np.stack([np.abs(readout.real), np.abs(readout.imag)], axis=-1) * most[:, None, None] + 1
    h = (read * z).sum(axis=(1, 2)) + ((np.abs(direct) + np.abs(taps).sum(axis=1)) * most + 1 + taps.shape[1]) * x
    r = _shift(h, np.zeros_like(h), MOST_READOUT_SHIFT, "a read-out shift")
    per_factor = constants["threshold"] * unit / np.exp2(r)
    theta = _threshold(np.minimum(per_factor * most, ROOM * STATE_MAX), at)  # beyond 24 bits nothing reaches it
    factor = (theta / per_factor)[:, None]
    return {
        **common,
        "bias": numbers(centred, at.bias),
        "pole_real": c,
        "pole_imaginary": d,
        "readout_real": _whole(readout.real * factor, most_readout),
        "readout_imaginary": _whole(readout.imag * factor, most_readout),
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


class Reaches(NamedTuple):
    """How far real and imaginary part of each mode get, (N, K, 2), before the input shift: by the input and the bias,
    and on top of that by what is rounded in each step.
    """

    of_input: Floats
    of_roundings: Floats


def reaches(c: Ints, d: Ints, n: int, drive: tuple[Floats, Floats], bias: Floats) -> Reaches:
    """For sums of connections within the drive, (N,) each, and a constant bias (N,)."""
    neurons, modes = c.shape
    turns = np.stack([np.stack([c, -d], axis=-1), np.stack([d, c], axis=-1)], axis=-2) / 2.0**n
    found = linear.response(turns.reshape(neurons * modes, 2, 2))
    rising, falling, least, most = (each.reshape(neurons, modes, 2, 2) for each in found)
    low, high, b = (each[:, None, None] for each in (*drive, bias))
    up, down, first, last = (each[..., 0] for each in (rising, falling, least, most))
    highest = up * high - down * low + np.maximum(first * b, last * b)
    lowest = up * low - down * high + np.minimum(first * b, last * b)
    once = rising + falling
    return Reaches(np.maximum(highest, -lowest), 2.5 * once[..., 0] + once[..., 1])  # with the half of the bias


def _ends(at: Rounding) -> tuple[Floats, Floats]:
    """Bounds of the sum of connections, shifted as it arrives."""
    low, high = (np.zeros(1), np.zeros(1)) if at.drive is None else at.drive
    return np.minimum(low, 0) * 2.0**at.activation_shift, np.maximum(high, 0) * 2.0**at.activation_shift


def _shift(reach: Floats, rest: Floats, most: int, what: str) -> Ints:
    """The least shift by which what gets so far stays within 24 bits, with the rest, which is not shifted.

    Raises Unfit, naming the neuron.
    """
    left = ROOM * STATE_MAX - rest
    shift = np.where(left > 0, np.ceil(np.log2(np.maximum(reach, 1) / np.maximum(left, 1))), most + 1.0)
    if shift.max() > most:
        neuron = int(shift.argmax())
        why = f"neuron {neuron} would need {what} of more than {most} bits so that its state provably stays in 24"
        raise Unfit(f"{why}: its poles are too slow or its weights too large")
    return np.maximum(shift, 0).astype(np.int64)


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
