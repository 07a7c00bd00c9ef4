"""The files of the UCR and UEA archives: `NAME_TRAIN.ts` with `NAME_TEST.ts` beside it, or one .ts file alone.

Lines that begin with # or @ come first, `@data` last; then a line for each sample: its channels with `:` between
them, each the values of its steps with `,` between them, and behind the last `:` the class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_train.data.own.raw import ALL, Part, Raw, refuse

MAX_BYTES = 2**30
FORM = "give a .ts file of the UCR archive, of equally long channels, with class labels"
TRAIN, TEST = "_TRAIN", "_TEST"


def read(path: Path) -> Raw:
    """The samples of both files, or of the one. Raises InvalidData naming the line that does not fit, OSError."""
    other = partner(path)
    if other == path or not other.is_file():
        return Raw("series", {ALL: _part(path)})
    train, test = (path, other) if path.stem.endswith(TRAIN) else (other, path)
    return Raw("series", {"train": _part(train), "test": _part(test)})


def partner(path: Path) -> Path:
    """The test's file of the training's and the other way round; of any other, itself."""
    for suffix, other in ((TRAIN, TEST), (TEST, TRAIN)):
        if path.stem.endswith(suffix):
            return path.with_name(f"{path.stem.removesuffix(suffix)}{other}.ts")
    return path


def _part(path: Path) -> Part:
    if path.stat().st_size > MAX_BYTES:
        refuse(path, f"it exceeds {MAX_BYTES:,} bytes", "give an .npz file")
    samples: list[NDArray[np.float64]] = []
    labels: list[str] = []
    begun = False
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                text = line.strip()
                if not text or text[0] in "#@":
                    begun = begun or text.lower() == "@data"
                    if text.lower().split() == ["@classlabel", "false"]:
                        refuse(path, "the labels are missing: it says '@classLabel false'", FORM)
                    continue
                if not begun:
                    refuse(path, f"line {number} comes before '@data'", FORM)
                sample, label = _parsed(path, number, text)
                samples.append(sample)
                labels.append(label)
    except UnicodeDecodeError as error:
        refuse(path, f"it is no text ({error.reason})", FORM)
    if not samples:
        refuse(path, "it has no samples", FORM)
    return Part(samples, labels)


def _parsed(path: Path, number: int, text: str) -> tuple[NDArray[np.float64], str]:
    *channels, label = text.split(":")
    try:
        values = [
            [float("nan" if each.strip() == "?" else each) for each in channel.split(",")] for channel in channels
        ]
    except ValueError:
        refuse(path, f"line {number} has values that are no numbers", FORM)
    if not values or len({len(each) for each in values}) != 1:
        refuse(path, f"line {number} has channels of {sorted({len(each) for each in values})} steps", FORM)
    return np.array(values).T, label
