"""Yin-Yang: in which of three regions of a disc a point lies, told by the times of four spikes (Kriener and others,
"The Yin-Yang dataset", arXiv 2102.08211).

A point (x, y) of the unit square within 0.5 of its middle; dl and dr are its distances from (0.25, 0.5) and
(0.75, 0.5), r = 0.1 the radius of the dots:

    2 (dots)   dr < r or dl < r
    1 (yin)    dr <= r, or r < dl <= 0.25, or y > 0.5 and dr > 0.25
    0 (yang)   else

The class is drawn first, each alike, then points until one lies in it. The inputs x, y, 1 - x, 1 - y spike once each,
at 1.5 + 18.5 times their value in ms. A sample has 40 ms: twice 10 ms for delays after the last input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_train.data.dataset import Dataset, Labels, Samples, Shape
from asrc_train.data.sources.spike_times import at_steps, steps_of

DT = 0.2
DURATION = 40.0
EARLIEST, LATEST = 1.5, 20.0
DISC, DOT = 0.5, 0.1
SPLITS = {"train": (5000, 42), "validation": (1000, 41), "test": (1000, 40)}
"""How many samples, and the seed they are drawn with."""


def shape(dt: float | None = None) -> Shape:
    """40 ms in steps of dt. Raises InvalidSetting."""
    dt = DT if dt is None else dt
    return Shape(steps=steps_of(DURATION, dt), channels=4, classes=3, maximum=1, scale=1.0, dt=dt, of_place=4)


def load(dt: float | None = None) -> Dataset:
    """5,000 samples to train on, 1,000 to validate and 1,000 to test, always the same. Raises InvalidSetting."""
    form = shape(dt)
    parts: dict[str, Samples | Labels] = {}
    for split, (count, seed) in SPLITS.items():
        points, y = drawn(count, seed)
        assert form.dt is not None
        parts |= {f"{split}_x": at_steps(times(points), form.dt, form.steps), f"{split}_y": y}
    return Dataset("yin-yang", form, **parts)  # type: ignore[arg-type] # of the two types, each where it belongs


def drawn(count: int, seed: int) -> tuple[NDArray[np.float64], Labels]:
    """Points (count, 2), and their classes (count,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    points = np.empty((count, 2))
    missing = np.arange(count)
    while missing.size:
        tried = rng.random((missing.size, 2))
        good = (np.hypot(*(tried - DISC).T) <= DISC) & (regions(tried) == y[missing])
        points[missing[good]] = tried[good]
        missing = missing[~good]
    return points, y


def regions(points: NDArray[np.float64]) -> Labels:
    """The class of each point (n, 2) of the disc."""
    left, right = (np.hypot(points[:, 0] - x, points[:, 1] - DISC) for x in (DISC / 2, 1.5 * DISC))
    upper = points[:, 1] > DISC
    yin = (right <= DOT) | ((left > DOT) & (left <= DISC / 2)) | (upper & (right > DISC / 2))
    return np.where((right < DOT) | (left < DOT), 2, np.where(yin, 1, 0))


def times(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """When x, y, 1 - x and 1 - y spike, (n, 4), in milliseconds."""
    when: NDArray[np.float64] = EARLIEST + (LATEST - EARLIEST) * np.concatenate([points, 1 - points], axis=1)
    return when
