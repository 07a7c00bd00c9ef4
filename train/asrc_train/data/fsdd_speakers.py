"""Spoken digits as in `fsdd`, with speakers that training never heard: two for the test, one to choose the epoch on.

theo and yweweler are the test, nicolas the validation split, the other three train.
"""

from __future__ import annotations

from asrc_train.data.dataset import Dataset
from asrc_train.data.sources import spoken_digits
from asrc_train.data.sources.spoken_digits import SPEAKERS, Recording

SHAPE = spoken_digits.SHAPE


def load() -> Dataset:
    """The features in these splits. Raises UnreadableFile, InvalidData, ExtraMissing, UnwritableOutput."""
    return spoken_digits.load("fsdd-speakers", split_of)


def split_of(recording: Recording) -> str:
    """By the recording's speaker; one whom the published data do not have trains."""
    *_, validation, first, second = SPEAKERS
    by_speaker = {validation: "validation", first: "test", second: "test"}
    return by_speaker.get(recording.speaker, "train")
