"""Spikes of known times as steps of dt: what data sets of events in time share."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_train.data.dataset import Samples

MOST_STEPS = 20_000
LARGEST_COUNT = 255


def steps_of(duration: float, dt: float) -> int:
    """Steps of dt that a sample of ``duration`` takes, both in milliseconds, the last one begun counted whole.

    Raises InvalidSetting for a dt that is no positive number, for more than `MOST_STEPS`, or for fewer than two.
    """
    if not (math.isfinite(dt) and dt > 0):
        raise InvalidSetting("dt", f"{dt} is not a positive number of milliseconds")
    steps = math.ceil(round(duration / dt, 9))
    if not 2 <= steps <= MOST_STEPS:
        why = (
            f"a sample of {duration:g} ms would have {plural(steps, 'step')} of {dt:g} ms; choose 2 to "
            f"{MOST_STEPS:,} steps"
        )
        raise InvalidSetting("dt", why)
    return steps


def at_steps(times: NDArray[np.float64], dt: float, steps: int) -> Samples:
    """One spike of each channel of each sample: times (n, channels) in ms become counts (n, steps, channels).

    x[i, t, c] = 1 at the step nearest to its time, t = rint(time / dt), half to even. Raises ValueError for a time that
    falls outside the steps.
    """
    step = np.rint(times / dt)
    if not (np.isfinite(step).all() and (step >= 0).all() and (step < steps).all()):
        raise ValueError(f"not all times are within {plural(steps, 'step')} of {dt:g} ms")
    x = np.zeros((len(times), steps, times.shape[1]), np.uint8)
    sample, channel = np.indices(times.shape)
    x[sample, step.astype(np.int64), channel] = 1
    return x
