"""Spoken digits (3,000 recordings of six speakers, 8 kHz) as 80 steps of 40 mel features, a step every 10 ms.

The recordings' own split: of each speaker and digit, indices 0 to 4 are the test; we choose the best epoch on 5 to 9.
Files: `fsdd/recordings/` in the data folder. Free Spoken Digit Dataset, Zohar Jackson and others, CC BY-SA 4.0.
"""

from __future__ import annotations

from asrc_train.data.dataset import Dataset
from asrc_train.data.sources import spoken_digits
from asrc_train.data.sources.spoken_digits import Recording

SHAPE = spoken_digits.SHAPE


def load() -> Dataset:
    """The features in these splits. Raises UnreadableFile, InvalidData, ExtraMissing, UnwritableOutput."""
    return spoken_digits.load("fsdd", split_of)


def split_of(recording: Recording) -> str:
    """By the recording's index."""
    return "test" if recording.index < 5 else "validation" if recording.index < 10 else "train"
