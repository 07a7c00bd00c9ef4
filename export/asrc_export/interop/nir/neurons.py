"""Neuron nodes in steps: the equations of `reader`, for one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.numbers import Fires
from asrc_core.counts import plural
from asrc_export.interop.nir.frameworks.readings import Reset
from asrc_export.interop.nir.nir_graph import LEAKY
from asrc_export.interop.nir.numbers import broken, numbers, plain
from asrc_export.interop.nir.reading import TOLERANCE, Reading
from asrc_train.trained.frozen import Floats


@dataclass(frozen=True, eq=False)
class Neurons:
    """A neuron node in steps: alpha, theta, what its input is multiplied by and what joins its bias.

    ``decay``, ``threshold`` and ``current_decay`` are one number, or one for each neuron. The latter is None where no
    current outlives a step, ``fires`` is None of a readout, which has no threshold.
    """

    decay: float | Floats
    threshold: float | Floats
    gain: Floats
    offset: Floats
    reset: Reset
    fires: Fires | None
    current_decay: float | Floats | None = None


def discretised(name: str, node: Any, width: int, reading: Reading) -> Neurons:
    """The equations of `reader`'s docstring for one node. Raises InvalidSetting for what they do not cover."""
    kind = type(node).__name__

    def each(parameter: str) -> Floats:
        values = numbers(name, parameter, getattr(node, parameter))
        if values.size not in (1, width):
            raise broken(name, f"its {parameter} has shape {values.shape} and it has {plural(width, 'neuron')}")
        return np.broadcast_to(values.reshape(-1), (width,)).astype(np.float64)

    leaky = kind in LEAKY
    rest = np.zeros(width) if leaky else each("v_reset")  # u' = u - v_reset is a neuron that resets to 0
    thresholds = np.ones(width) if leaky else each("v_threshold") - rest
    leak = np.zeros(width) if kind == "IF" else each("v_leak") - rest
    if np.ptp(thresholds) <= TOLERANCE * np.abs(thresholds).max():
        thresholds = np.full(width, thresholds[0])  # in their last bits
    if (thresholds <= 0).any():
        above = "v_reset" if rest.any() else "0"
        raise broken(name, f"a v_threshold is not positive (above {above}), so neurons would fire without input")
    if kind == "IF":
        gain = plain(each("r") * (reading.dt if reading.steps_if else 1))
        kept, offset = np.ones(width), np.zeros(width)
    else:
        parameter = "tau" if kind in ("LIF", "LI") else "tau_mem"
        x = _steps(name, parameter, each(parameter), reading)
        kept, gain = plain(reading.rule.kept(x)), plain(reading.rule.gain(x, each("r")))
        offset = leak * (1 - kept)
    lasts = None
    if kind.startswith("Cuba"):
        current = plain(reading.rule.kept(_steps(name, "tau_syn", each("tau_syn"), reading)))
        gain = gain * plain(reading.jump(current, each("w_in")))
        lasts = _one_if_alike(current) if current.max() > TOLERANCE else None
    fires, reset = None if leaky else reading.fires, reading.reset_of(kind)
    octaves = np.log2(thresholds / thresholds[0])
    if reading.ours or (octaves != np.rint(octaves)).any():
        return Neurons(_one_if_alike(kept), thresholds, gain, offset, reset, fires, lasts)
    common = float(thresholds[0])
    ratio = common / thresholds  # a membrane in other units fires just the same, and powers of 2 are exact
    return Neurons(_one_if_alike(kept), common, gain * ratio, offset * ratio, reset, fires, lasts)


def _one_if_alike(kept: Floats) -> float | Floats:
    """Constants that differ in their last bits are one."""
    return float(kept[0]) if np.ptp(kept) <= TOLERANCE * (1 - kept.min()) else kept


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
