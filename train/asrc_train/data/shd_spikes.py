"""Spiking Heidelberg Digits (20 spoken digits) as spikes of all 700 units, in steps of dt.

The first second, at most one spike of a unit in a step; the same files as `shd`.
"""

from __future__ import annotations

from asrc_train.data.dataset import Dataset, Shape
from asrc_train.data.shd import ARCHIVES
from asrc_train.data.sources import heidelberg
from asrc_train.data.sources.events import Binning
from asrc_train.data.sources.spike_times import steps_of

DT = 1.0
DURATION = 1000.0
UNITS = 700


def shape(dt: float | None = None) -> Shape:
    """One second in steps of dt. Raises InvalidSetting."""
    dt = DT if dt is None else dt
    return Shape(steps=steps_of(DURATION, dt), channels=UNITS, classes=20, maximum=1, scale=1.0, dt=dt)


def load(dt: float | None = None) -> Dataset:
    """The spikes in the official splits.

    Raises InvalidSetting, UnreadableFile, InvalidData, ExtraMissing, UnwritableOutput.
    """
    form = shape(dt)
    assert form.dt is not None
    binning = Binning(units=UNITS, together=1, steps=form.steps, width=form.dt / 1000)
    return heidelberg.load("shd-spikes", form, dict(zip(("train", "test"), ARCHIVES, strict=True)), binning)
