"""A folder with one folder for each class, one file for each sample: .wav, .npy or .csv; or such folders by split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.files import numpy_file
from asrc_train.data.own import columns, events, tables
from asrc_train.data.own.raw import ALL, PARTS, Part, Raw, Single, refuse

SUFFIXES = (".wav", ".npy", ".csv")
FORM = "make a folder for each class with .wav, .npy or .csv files in it, or such folders in 'train' and 'test'"
MOST_FILES = 1_000_000


def read(folder: Path) -> Raw:
    """The samples below a folder, labelled by their own. Raises InvalidData, ValueError, OSError."""
    inside = _folders(folder)
    _require_lower_case(folder, [each.name for each in inside])
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
    classes = frozenset(label for files in parts.values() for _, label in files)
    if suffixes == [".wav"]:
        recorded = {name: Part(*zip(*files, strict=True)) for name, files in parts.items()}
        return Raw("recordings", recorded, class_names=classes)
    read_parts = {name: [one(path) for path, _ in files] for name, files in parts.items()}
    every = [single for found in read_parts.values() for single in found]
    if len({single.of_events for single in every}) > 1:
        refuse(folder, "some of its files are events and some are not", "give samples in one form")
    first = [*read_parts.get("train", ()), *every]  # others are put into the order of what is trained on
    named = next((single.columns for single in first if single.columns is not None), None)
    made = {
        name: Part(
            [_in_order(path, single, named) for (path, _), single in zip(files, read_parts[name], strict=True)],
            [label for _, label in files],
        )
        for name, files in parts.items()
    }
    return Raw("events" if every[0].of_events else "series", made, _said(every, named), named, classes)


def one(path: Path, wanted: columns.Names = None) -> Single:
    """A sample of a .npy or .csv file of its own, for a network that takes the channels ``wanted``, if it names them.

    Raises InvalidData, ValueError, OSError.
    """
    if path.suffix.lower() == ".csv":
        return tables.one(path, wanted)
    array = numpy_file.read_npy(path)
    if array.dtype.names and events.is_form(array.dtype.names):
        return Single(array, of_events=True)
    if array.dtype.kind not in "iufb" or array.ndim not in (1, 2) or not array.size:
        refuse(path, f"it is {array.dtype} of shape {array.shape}", "give one sample (steps, channels)")
    return Single(array if array.ndim == 2 else array[:, None])


def left_out_of(one: Single) -> str:
    """Which columns of a file were not read, as a clause; empty if none."""
    return f"columns that are no channels were left out: {columns.listed(one.left_out)}" if one.left_out else ""


def _in_order(path: Path, single: Single, named: columns.Names) -> NDArray[Any]:
    order = columns.order(single.columns, named, f"'{path}'", "those of the folder's first file are")
    return single.values if order is None else single.values[:, order]


def _said(every: Sequence[Single], named: columns.Names) -> tuple[str, ...]:
    left_out = Counter(clause for clause in map(left_out_of, every) if clause)
    notes = [f"{clause} (of {plural(count, 'file')})" for clause, count in sorted(left_out.items())]
    if named is None:
        return tuple(notes)
    moved = sum(single.columns not in (None, named) for single in every)
    in_order = f"the columns of {plural(moved, 'file')} were brought into this order"
    return (tables.said_of(named), *([in_order] if moved else []), *notes)


def _require_lower_case(folder: Path, names: Iterable[str]) -> None:
    """Raise InvalidData for parts named Train and Test: classes may well be named Train and Bus."""
    strange = sorted(set(names) - set(PARTS))
    if strange and {"train", "test"} <= {name.lower() for name in names} <= set(PARTS):
        refuse(folder, f"it has the folder '{strange[0]}'", f"name it '{strange[0].lower()}', in lower case")


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
