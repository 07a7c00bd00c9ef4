"""Which of two inputs spikes first: 25 ms, a spike of each, 10 ms apart. Delays alone can tell the two classes.

Class 0 has input 0 at 0 ms and input 1 at 10 ms, class 1 the other way round (Meszaros, Knight and Nowotny, Nature
Communications 2025). With all weights 1 a delay of 10 ms on the synapses from input k to output k, and none on the
others, makes both spikes of a class meet at its output. There are these two samples only, the same ones in each split.
"""

from __future__ import annotations

import numpy as np

from asrc_train.data.dataset import Dataset, Shape
from asrc_train.data.sources.spike_times import at_steps, steps_of

DT = 1.0
DURATION = 25.0
APART = 10.0


def shape(dt: float | None = None) -> Shape:
    """25 ms in steps of dt. Raises InvalidSetting."""
    dt = DT if dt is None else dt
    return Shape(steps=steps_of(DURATION, dt), channels=2, classes=2, maximum=1, scale=1.0, dt=dt, of_place=2)


def load(dt: float | None = None) -> Dataset:
    """The two samples, to train, to validate and to test on. Raises InvalidSetting."""
    form = shape(dt)
    assert form.dt is not None
    x, y = at_steps(np.array([[0.0, APART], [APART, 0.0]]), form.dt, form.steps), np.arange(2)
    return Dataset("sequence", form, x, y, x, y, x, y)
