"""A folder with one folder for each class, one file for each sample: .wav, .npy or .csv; or such folders by split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from asrc_core.files import numpy_file
from asrc_train.data.own import events, tables
from asrc_train.data.own.raw import ALL, PARTS, Kind, Part, Raw, refuse

SUFFIXES = (".wav", ".npy", ".csv")
FORM = "make a folder for each class with .wav, .npy or .csv files in it, or such folders in 'train' and 'test'"
MOST_FILES = 1_000_000


def read(folder: Path) -> Raw:
    """The samples below a folder, labelled by their own. Raises InvalidData, ValueError, OSError."""
    inside = _folders(folder)
    by_split = [each for each in inside if each.name in PARTS]
    if by_split and len(by_split) != len(inside):
        strange = next(each.name for each in inside if each.name not in PARTS)
        refuse(folder, f"it has the folder '{strange}' beside '{by_split[0].name}'", FORM)
    parts = {each.name: _files(each) for each in by_split} or {ALL: _files(folder)}
    if by_split and not {"train", "test"} <= parts.keys():
        refuse(folder, "it has no folders 'train' and 'test'", FORM)
    suffixes = sorted({path.suffix.lower() for files in parts.values() for path, _ in files})
    if len(suffixes) > 1:
        refuse(folder, f"it has {' and '.join(suffixes)} files", "give samples in one format")
    if suffixes == [".wav"]:
        return Raw("recordings", {name: Part(*zip(*files, strict=True)) for name, files in parts.items()})
    read_parts = {name: [(*one(path), label) for path, label in files] for name, files in parts.items()}
    kinds = {of_events for found in read_parts.values() for _, of_events, _ in found}
    if len(kinds) > 1:
        refuse(folder, "some of its files are events and some are not", "give samples in one form")
    kind: Kind = "events" if kinds == {True} else "series"
    return Raw(kind, {name: Part([x for x, _, _ in f], [y for _, _, y in f]) for name, f in read_parts.items()})


def one(path: Path) -> tuple[NDArray[Any], bool]:
    """A sample of a .npy or .csv file of its own, and whether it is of events.

    Raises InvalidData, ValueError, OSError.
    """
    if path.suffix.lower() == ".csv":
        return tables.one(path)
    array = numpy_file.read_npy(path)
    if array.dtype.names and events.is_form(array.dtype.names):
        return array, True
    if array.dtype.kind not in "iufb" or array.ndim not in (1, 2) or not array.size:
        refuse(path, f"it is {array.dtype} of shape {array.shape}", "give one sample (steps, channels)")
    return (array if array.ndim == 2 else array[:, None]), False


def _folders(folder: Path) -> list[Path]:
    inside = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not inside:
        refuse(folder, "it is empty" if not any(folder.iterdir()) else "it has no folders", FORM)
    return inside


def _files(folder: Path) -> list[tuple[Path, str]]:
    """Files and their class, by name."""
    found: list[tuple[Path, str]] = []
    for each in _folders(folder):
        files = sorted(path for path in each.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
        if not files:
            refuse(each, "it has no .wav, .npy or .csv file", "put its samples there, or remove the folder")
        found += [(path, each.name) for path in files]
        if len(found) > MOST_FILES:
            refuse(folder, f"it has more than {MOST_FILES:,} files", "give an .npz file")
    return found
