"""The Free Spoken Digit Dataset: recordings `{digit}_{speaker}_{index}.wav`, 8 kHz, as normalised mel features.

The front end is that of Speech Commands at half the rate: windows of 240 samples = 30 ms, a step every 80 = 10 ms, 40
mel bands from 40 to 4,000 Hz, in decibels below the loudest value of the recording. Each band's mean and standard
deviation are those of the training split; a deviation is 32 integers, the mean is 128.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData, UnreadableFile
from asrc_core.files.data_folder import folder
from asrc_core.preprocessing import MelFrontEnd, Preprocessing, standardizing
from asrc_train.data.dataset import Dataset, Shape
from asrc_train.data.sources import prepared, speech, wav

HOME = "fsdd/recordings"
PAGE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
CLASSES = tuple("0123456789")
FRONT_END = MelFrontEnd(rate=8000, window=240, hop=80, bands=40, lowest=40.0, highest=4000.0, steps=80)
LEVELS, ZERO, TOP = 32, 128, 255
SHAPE = Shape(FRONT_END.steps, FRONT_END.bands, len(CLASSES), TOP, 1 / LEVELS, ZERO)
SPLITS = ("train", "validation", "test")
_NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]{1,4})\.wav")


@dataclass(frozen=True)
class Recording:
    """A WAV file and what its name says."""

    path: Path
    digit: int
    speaker: str
    index: int


def load(name: str, split_of: Callable[[Recording], str]) -> Dataset:
    """The features, with the splits that ``split_of`` says. Raises UnreadableFile, InvalidData, ExtraMissing."""
    found, splits = divided(folder() / HOME, split_of)
    recipe = f"mel {speech.VERSION} {FRONT_END} {SHAPE} {name} {splits}"

    def write(into: Path) -> list[str]:
        return _write(found, splits, into)

    return prepared.prepared(name, SHAPE, recipe, [each.path for each in found], write, CLASSES)


def divided(home: Path, split_of: Callable[[Recording], str]) -> tuple[list[Recording], list[str]]:
    """All recordings of a folder, and each one's split. Raises InvalidData for a split without a digit, and what
    `recordings` does.
    """
    found = recordings(home)
    splits = [split_of(each) for each in found]
    for split in SPLITS:
        here = {each.digit for each, its in zip(found, splits, strict=True) if its == split}
        absent = set(range(len(CLASSES))) - here
        if absent:
            why = f"its {split} split has no recording of '{min(absent)}'"
            raise InvalidData(f"'{home}'", why, "put all recordings there")
    return found, splits


def recordings(home: Path) -> list[Recording]:
    """All recordings of a folder, by name. Raises UnreadableFile for none, InvalidData for a name of another form."""
    try:
        paths = sorted(home.glob("*.wav"))
    except OSError as error:
        raise UnreadableFile(home, "recordings", error.strerror or str(error), "check its permissions") from error
    if not paths:
        why = "it is empty" if home.is_dir() else "it is not there"
        way_out = f"put the folder 'recordings' of {PAGE} there"
        raise UnreadableFile(home, "recordings", why, way_out)
    found = []
    for path in paths:
        named = _NAME.fullmatch(path.name)
        if named is None:
            why = f"'{path.name}' is not named DIGIT_SPEAKER_INDEX.wav"
            raise InvalidData(f"'{home}'", why, "leave only the recordings there")
        found.append(Recording(path, int(named[1]), named[2], int(named[3])))
    return found


def _write(found: Sequence[Recording], splits: Sequence[str], into: Path) -> list[str]:
    from asrc_core.command import progress

    decibels = np.empty((len(found), SHAPE.steps, SHAPE.channels))
    longer = 0
    with progress.bar("mel features of spoken digits", len(found)) as update:
        for i, each in enumerate(found):
            sound = wav.read(each.path, FRONT_END.rate)
            decibels[i] = speech.decibels(sound, FRONT_END)
            longer += speech.lasts(sound, FRONT_END) > FRONT_END.steps
            update(i + 1, "")
    labels = np.array([each.digit for each in found], np.int64)
    members = {split: np.array([its == split for its in splits]) for split in SPLITS}
    learned = _learned(decibels[members["train"]])
    cut = 0
    for split, mine in members.items():
        x, out_of_range = learned.integers(decibels[mine])
        prepared.write(into, split, labels[mine], SHAPE, [x])
        cut += out_of_range
    prepared.write_preprocessing(into, learned)
    seconds = FRONT_END.steps * FRONT_END.hop / FRONT_END.rate
    return [
        f"fsdd: {longer:,} of {plural(len(found), 'recording')} {agreeing(longer, 'is', 'are')} longer than "
        f"{seconds:g} s, what comes after was left out",
        f"fsdd: {cut:,} of {plural(decibels.size, 'feature')} {agreeing(cut, 'lies', 'lie')} outside -4 to "
        f"3.97 standard deviations and {agreeing(cut, 'was', 'were')} cut to it",
    ]


def _learned(decibels: NDArray[np.float64]) -> Preprocessing:
    mean, deviation = decibels.mean((0, 1)), decibels.std((0, 1))
    made = standardizing(mean, deviation, LEVELS, ZERO)
    return made.model_copy(update={"front_end": FRONT_END, "pad": ()})
