"""Spoken digits (3,000 recordings of six speakers) as spikes of 20 mel bands, with speakers that training never heard.

The front end is `sources.cochlea`: bands from 100 to 4,000 Hz, windows of 16 ms every ms, six levels 8 dB apart: 240
channels, 12 of each band. A sample is the first 800 ms in steps of dt. theo and yweweler are the test, nicolas the
validation split, the other three train, as in `fsdd-speakers`.
Files: `fsdd/recordings/` in the data folder. Free Spoken Digit Dataset, Zohar Jackson and others, CC BY-SA 4.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asrc_core.counts import agreeing, plural
from asrc_core.files.data_folder import folder
from asrc_train.data.dataset import Dataset, Samples, Shape
from asrc_train.data.fsdd_speakers import split_of
from asrc_train.data.sources import cochlea, prepared, spoken_digits, wav
from asrc_train.data.sources.cochlea import Cochlea
from asrc_train.data.sources.spike_times import steps_of
from asrc_train.data.sources.spoken_digits import CLASSES, HOME, SPLITS, Recording

DT = 2.5
DURATION = 800.0
FRONT_END = Cochlea(rate=8000, window=128, hop=8, bands=20, lowest=100.0, highest=4000.0, delta=8.0, levels=6)


@dataclass
class Tally:
    """Spikes seen, and those that found no place."""

    spikes: int = 0
    late: int = 0
    crowded: int = 0


def shape(dt: float | None = None) -> Shape:
    """800 ms in steps of dt. Raises InvalidSetting."""
    dt = DT if dt is None else dt
    steps = steps_of(DURATION, dt)
    return Shape(steps, FRONT_END.channels, len(CLASSES), 1, 1.0, dt=dt, of_place=FRONT_END.of_band)


def load(dt: float | None = None) -> Dataset:
    """The spikes, worked out once. Raises InvalidSetting, UnreadableFile, InvalidData, ExtraMissing."""
    form = shape(dt)
    found, splits = spoken_digits.divided(folder() / HOME, split_of)
    recipe = f"crossings {cochlea.VERSION} {FRONT_END} {form} {splits}"

    def write(into: Path) -> list[str]:
        return _write(found, splits, form, into)

    return prepared.prepared("fsdd-spikes", form, recipe, [each.path for each in found], write, CLASSES)


def _write(found: Sequence[Recording], splits: Sequence[str], form: Shape, into: Path) -> list[str]:
    from asrc_core.command import progress

    tally = Tally()
    with progress.bar("spikes of spoken digits", len(found)) as update:
        done = 0
        for split in SPLITS:
            mine = [each for each, its in zip(found, splits, strict=True) if its == split]
            labels = np.array([each.digit for each in mine], np.int64)

            def samples(mine: Sequence[Recording] = mine, before: int = done) -> Iterator[Samples]:
                for i, each in enumerate(mine):
                    yield _sample(each, form, tally)[None]
                    update(before + i + 1, "")

            prepared.write(into, split, labels, form, samples())
            done += len(mine)
    return [
        f"fsdd-spikes: {tally.late:,} of {plural(tally.spikes, 'spike')} "
        f"{agreeing(tally.late, 'comes', 'come')} after {DURATION:g} ms and "
        f"{agreeing(tally.late, 'was', 'were')} left out, "
        f"{tally.crowded:,} fell into a step in which their channel had spiked already"
    ]


def _sample(recording: Recording, form: Shape, tally: Tally) -> Samples:
    assert form.dt is not None
    spikes = cochlea.spikes(wav.read(recording.path, FRONT_END.rate), FRONT_END)
    x, late, crowded = cochlea.binned(spikes, form.channels, form.dt, form.steps)
    tally.spikes += len(spikes.times)
    tally.late += late
    tally.crowded += crowded
    return x
