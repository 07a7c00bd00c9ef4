"""Neuron nodes in steps: the equations of `reader`, for one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.numbers import Fires, Reset
from asrc_core.counts import plural
from asrc_export.interop.nir.nir_graph import broken, numbers
from asrc_export.interop.nir.reading import TOLERANCE, Reading
from asrc_train.trained.frozen import Floats


@dataclass(frozen=True, eq=False)
class Neurons:
    """A neuron node in steps: alpha, theta, what its input is multiplied by and what joins its bias."""

    decay: float
    threshold: float
    gain: Floats
    offset: Floats
    reset: Reset
    fires: Fires


def discretised(name: str, node: Any, width: int, reading: Reading) -> Neurons:
    """The equations of the module's docstring for one node. Raises InvalidSetting for what they do not cover."""
    kind = type(node).__name__

    def each(parameter: str) -> Floats:
        values = numbers(name, parameter, getattr(node, parameter))
        if values.shape not in ((), (1,), (width,)):
            raise broken(name, f"its {parameter} has shape {values.shape} and it has {plural(width, 'neuron')}")
        return np.broadcast_to(values, (width,)).astype(np.float64)

    rest = each("v_reset")  # from which all potentials are measured: u' = u - v_reset is a neuron that resets to 0
    thresholds = each("v_threshold") - rest
    leak = np.zeros(width) if kind == "IF" else each("v_leak") - rest
    if (thresholds <= 0).any():
        above = "v_reset" if rest.any() else "0"
        raise broken(name, f"a v_threshold is not positive (above {above}), so neurons would fire without input")
    if kind == "IF":
        kept, gain, offset = np.ones(width), each("r") * (reading.dt if reading.steps_if else 1), np.zeros(width)
    else:
        parameter = "tau" if kind == "LIF" else "tau_mem"
        x = _steps(name, parameter, each(parameter), reading)
        kept, gain = reading.rule.kept(x), reading.rule.gain(x, each("r"))
        offset = leak * (1 - kept)
    if kind == "CubaLIF":
        gain = gain * each("w_in") * _jump(name, each("tau_syn"), reading)
    if np.ptp(kept) > TOLERANCE * (1 - kept.min()):  # constants that differ in their last bits are one
        raise broken(
            name,
            f"its time constants differ from neuron to neuron (decay factors {kept.min():.4g} to {kept.max():.4g}) "
            "and a layer of ours has one; the closest is a layer for each constant",
        )
    common = float(thresholds[0])
    ratio = common / thresholds  # a membrane in other units fires just the same
    return Neurons(float(kept[0]), common, gain * ratio, offset * ratio, reading.reset, reading.fires)


def _steps(name: str, parameter: str, tau: Floats, reading: Reading) -> Floats:
    """The step in units of each neuron's time constant."""
    if (tau <= 0).any():
        raise broken(name, f"its {parameter} is not positive")
    x = reading.dt / tau
    if reading.rule.any_step:
        return x
    if (x > 1 + TOLERANCE).any():
        raise broken(
            name,
            f"its {parameter} of {tau.min():g} does not fit the step of {reading.dt:g}: Euler's decay factor would be "
            "negative; give a smaller `dt`, or `integration='exact'`",
        )
    return np.minimum(x, 1.0)


def _jump(name: str, tau: Floats, reading: Reading) -> Floats:
    """By how much a spike raises the synaptic current, if all of it is gone by the next step."""
    each = reading.rule.kept(_steps(name, "tau_syn", tau, reading))
    kept = float(each.max())
    if kept > TOLERANCE:
        raise broken(
            name,
            f"its synaptic current lasts (it keeps {kept:.3g} of itself from step to step) and our neurons have none; "
            "the closest is LIF, or tau_syn equal to the step",
        )
    return 1 - each
