"""Recordings of any rate as mel features: the front end of Speech Commands, a step every 10 ms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidData
from asrc_core.preprocessing import MelFrontEnd
from asrc_train.data.sources import speech, wav

COVERED = 0.99
"""Share of the recordings that end within the steps."""
MOST_STEPS = 500
SLOWEST, FASTEST = 4000, 96_000


def learned(paths: Sequence[Path]) -> MelFrontEnd:
    """A front end for recordings of the rate of the first: windows of 30 ms, 40 bands from 40 to 4,000 Hz at most.

    Raises InvalidData for a rate that no front end is made for, UnreadableFile.
    """
    rate = wav.rate_of(paths[0])
    if not SLOWEST <= rate <= FASTEST:
        why = f"it has {plural(rate, 'sample')} a second, and {SLOWEST:,} to {FASTEST:,} are read"
        raise InvalidData(
            f"'{paths[0]}'", why, "convert the recordings, for example with: ffmpeg -i IN.wav -ar 16000 OUT.wav"
        )
    made = MelFrontEnd(
        rate=rate,
        window=rate * 3 // 100,
        hop=rate // 100,
        bands=40,
        lowest=40.0,
        highest=min(4000.0, rate / 2),
        steps=1,
    )
    lasting = np.sort([speech.lasts(wav.read(path, rate), made) for path in paths])
    steps = int(lasting[min(int(COVERED * len(lasting)), len(lasting) - 1)])
    return made.model_copy(update={"steps": min(steps, MOST_STEPS)})


def features(paths: Sequence[Path], front_end: MelFrontEnd) -> tuple[list[NDArray[np.float32]], int]:
    """Mel features (steps, bands) in dB of each recording, and how many are longer. Raises UnreadableFile."""
    from asrc_core.command import progress

    made, longer = [], 0
    with progress.bar("mel features", len(paths)) as update:
        for i, path in enumerate(paths):
            sound = wav.read(path, front_end.rate)
            longer += speech.lasts(sound, front_end) > front_end.steps
            made.append(speech.decibels(sound, front_end).astype(np.float32))
            update(i + 1, "")
    return made, longer
