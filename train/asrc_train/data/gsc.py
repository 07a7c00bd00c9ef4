"""Google Speech Commands v0.01 in 12 classes as 101 steps of 40 mel features: 16 kHz, a step every 10 ms.

Classes and features are those of the ASRC-SNN authors' code, which follows TC-LIF: the other twenty words are
"unknown", and "silence" is the beginning of each recording of background noise, all of them in the training split.
Files as torchaudio leaves them: `SpeechCommands/speech_commands_v0.01/` in the data folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData, UnreadableFile
from asrc_core.files.data_folder import folder
from asrc_train.data.dataset import Dataset, Samples, Shape
from asrc_train.data.sources import archive, prepared, speech
from asrc_train.data.sources.archive import Archive

UNKNOWN, SILENCE = 0, 1
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""Classes 2 to 11."""
OTHER_WORDS = (
    *("bed", "bird", "cat", "dog", "eight", "five", "four", "happy", "house", "marvin"),
    *("nine", "one", "seven", "sheila", "six", "three", "tree", "two", "wow", "zero"),
)
NOISE = "_background_noise_"
CLASS_OF = {NOISE: SILENCE, **dict.fromkeys(OTHER_WORDS, UNKNOWN), **{word: i for i, word in enumerate(COMMANDS, 2)}}
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""The recordings of these splits, as published; all others are for training."""

SHAPE = Shape(speech.STEPS, speech.BANDS, 2 + len(COMMANDS), speech.TOP, 1 / speech.LEVELS, speech.ZERO)
ARCHIVES = (
    Archive(
        place="SpeechCommands/speech_commands_v0.01.tar.gz",
        address="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.01.tar.gz",
        page="https://research.google/blog/launching-the-speech-commands-dataset/",
        algorithm="sha256",
        checksum="743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",  # as torchaudio states it
        limit=4 << 30,
    ),
)
HOME = "SpeechCommands/speech_commands_v0.01"


@dataclass(frozen=True)
class Recording:
    """A WAV file, its class, and its split."""

    path: Path
    label: int
    split: str


def load() -> Dataset:
    """The features in the official splits. Raises UnreadableFile, InvalidData, ExtraMissing, UnwritableOutput."""
    home = folder() / HOME
    if not home.is_dir():
        (published,) = ARCHIVES
        packed = archive.verified(published)
        if packed is None:
            raise archive.missing(home, "gsc", ARCHIVES)
        archive.unpack_tar(published, packed, home)
    found = recordings(home)
    recipe = f"mel {speech.VERSION} {speech.FRONT_END} {SHAPE}"
    return prepared.prepared("gsc", SHAPE, recipe, [each.path for each in found], lambda into: _write(found, into))


def recordings(home: Path) -> list[Recording]:
    """All recordings below a folder with one folder for each word and the two lists.

    Raises InvalidData for a folder that is no word of version 0.01, for recordings that are listed and not there, and
    for a split without recordings; UnreadableFile for a list that is not there.
    """
    try:
        words = sorted(path for path in home.iterdir() if path.is_dir())
        files = {word.name: sorted(word.glob("*.wav")) for word in words}
    except OSError as error:
        raise UnreadableFile(home, "recordings", error.strerror or str(error), "check its permissions") from error
    strange = sorted(files.keys() - CLASS_OF.keys())
    if strange:
        why = f"its folder '{strange[0]}' is none of the 30 words of version 0.01"
        raise InvalidData(f"'{home}'", why, "put the original files there")
    split_of = {line: split for split, file in LISTS.items() for line in _lines(home / file)}
    found = [
        Recording(path, CLASS_OF[word], split_of.pop(f"{word}/{path.name}", "train"))
        for word, paths in files.items()
        for path in paths
    ]
    if split_of:
        why = (
            f"{plural(len(split_of), 'recording')} {agreeing(len(split_of), 'is', 'are')} listed and not there, "
            f"'{min(split_of)}' is the first"
        )
        raise InvalidData(f"'{home}'", why, "put the original files there")
    if {each.split for each in found} != {"train", *LISTS}:
        raise InvalidData(f"'{home}'", "one of its splits has no recordings", "put the original files there")
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UnreadableFile(path, "list of recordings", why, "put the original file there") from error


def _write(found: Sequence[Recording], into: Path) -> list[str]:
    from asrc_core.command import progress

    cut = done = 0

    def blocks(mine: Sequence[Recording]) -> Iterator[Samples]:
        nonlocal cut, done
        for each in mine:
            x, out_of_range = speech.features(speech.read(each.path))
            cut, done = cut + out_of_range, done + 1
            update(done, "")
            yield x[None]

    with progress.bar("mel features of Speech Commands", len(found)) as update:
        for split in ("train", *LISTS):
            mine = [each for each in found if each.split == split]
            prepared.write(into, split, np.array([each.label for each in mine], np.int64), SHAPE, blocks(mine))
    silent = sum(each.label == SILENCE for each in found)
    values = len(found) * SHAPE.steps * SHAPE.channels
    return [
        f"gsc: {cut:,} of {plural(values, 'feature')} {agreeing(cut, 'lies', 'lie')} outside -3 to 4.97 "
        f"standard deviations and {agreeing(cut, 'was', 'were')} cut to it",
        f"gsc: 'silence' has {plural(silent, 'recording')}, those of background noise, all in the training split",
    ]
