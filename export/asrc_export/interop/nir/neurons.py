"""Neuron nodes in steps: the equations of `reader`, for one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_export.interop.nir.nir_graph import broken, numbers
from asrc_export.interop.nir.reading import TOLERANCE, Reading, Reset
from asrc_train.trained.freeze import Floats


@dataclass(frozen=True, eq=False)
class Neurons:
    """A neuron node in steps: alpha, theta, what its input is multiplied by and what joins its bias."""

    decay: float
    threshold: float
    gain: Floats
    offset: Floats
    reset: Reset


def discretised(name: str, node: Any, width: int, reading: Reading) -> Neurons:
    """The equations of the module's docstring for one node. Raises InvalidSetting for what they do not cover."""
    kind = type(node).__name__

    def each(parameter: str) -> Floats:
        values = numbers(name, parameter, getattr(node, parameter))
        if values.shape not in ((), (1,), (width,)):
            raise broken(name, f"its {parameter} has shape {values.shape} and it has {width} neurons")
        return np.broadcast_to(values, (width,)).astype(np.float64)

    thresholds, rest = each("v_threshold"), each("v_reset")
    leak = np.zeros(width) if kind == "IF" else each("v_leak")
    if reading.reset == "hard" and rest.any() and (rest == leak).all():  # measured from there, all of it is ours
        thresholds, leak = thresholds - leak, np.zeros(width)
    elif rest.any():
        raise broken(name, "v_reset is neither 0 nor v_leak; our membranes are reset to where they rest, or by theta")
    if (thresholds <= 0).any():
        raise broken(name, "a v_threshold is not positive, so neurons would fire without input")
    if kind == "IF":
        kept, gain, offset = np.ones(width), each("r") * reading.dt, np.zeros(width)
    else:
        step = _step(name, "tau" if kind == "LIF" else "tau_mem", each("tau" if kind == "LIF" else "tau_mem"), reading)
        kept, gain, offset = 1 - step, each("r") * step, leak * step
    if kind == "CubaLIF":
        gain = gain * each("w_in") * _jump(name, each("tau_syn"), reading)
    if np.ptp(kept) > 0:
        raise broken(
            name,
            f"its time constants differ from neuron to neuron (decay factors {kept.min():.4g} to {kept.max():.4g}) "
            "and a layer of ours has one; the closest is a layer for each constant",
        )
    common = float(thresholds[0])
    ratio = common / thresholds  # a membrane in other units fires just the same
    theta = common if reading.reset == "soft" else float(np.nextafter(np.float32(common), np.float32(np.inf)))
    return Neurons(float(kept[0]), theta, gain * ratio, offset * ratio, reading.reset)


def _step(name: str, parameter: str, tau: Floats, reading: Reading) -> Floats:
    """The share k of each neuron that a step replaces."""
    if (tau <= 0).any():
        raise broken(name, f"its {parameter} is not positive")
    if reading.integration == "exact":
        forgotten: Floats = -np.expm1(-reading.dt / tau)
        return forgotten
    k = reading.dt / tau
    if (k > 1 + TOLERANCE).any():
        raise broken(
            name,
            f"its {parameter} of {tau.min():g} does not fit the step of {reading.dt:g}: Euler's decay factor would be "
            "negative; give a smaller `dt`, or `integration='exact'`",
        )
    return np.minimum(k, 1.0)


def _jump(name: str, tau: Floats, reading: Reading) -> Floats:
    """By how much a spike raises the synaptic current, if all of it is gone by the next step."""
    k = _step(name, "tau_syn", tau, reading)
    kept = float((1 - k).max())
    if kept > TOLERANCE:
        raise broken(
            name,
            f"its synaptic current lasts (it keeps {kept:.3g} of itself from step to step) and our neurons have none; "
            "the closest is LIF, or tau_syn equal to the step",
        )
    return k
