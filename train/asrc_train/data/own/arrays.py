"""Arrays: an .npz file with `x` and `y`, or `train_x`, `train_y`, `test_x`, ...; or .npy files of these names.

x is (n, T, channels), or (n, T) of one channel; `lengths` (n,), or `train_lengths`, ..., says how many steps of a
padded sample are its own. In place of x there may be `events`, the events of all samples one after the other, and
`counts` (n,), how many belong to each. What looks like one of these and is none is refused; other arrays are not read,
and told.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import agreeing, plural
from asrc_core.files import numpy_file
from asrc_train.data.own import columns
from asrc_train.data.own.raw import ALL, PARTS, Part, Raw, refuse

FORM = "give x (samples, steps, channels) and y (samples,), or train_x, train_y, test_x, test_y"
SERIES, EVENTS = ("x", "y", "lengths"), ("events", "y", "counts")
NAMES = tuple(dict.fromkeys((*SERIES, *EVENTS)))
OF_PARTS = tuple(f"{part}_{name}" for part in PARTS for name in NAMES)
OTHERWISE = {
    **{part: part for part in PARTS},
    **dict.fromkeys(("tr", "training"), "train"),
    **dict.fromkeys(("val", "valid", "dev", "eval"), "validation"),
    **dict.fromkeys(("te", "testing"), "test"),
}
"""What parts are called, too."""
MANY = {"length": "lengths", "count": "counts", "event": "events"}
ALIKE = 0.9
"""Share of their letters from which on two names are taken for one misspelt."""
Arrays = Mapping[str, NDArray[Any]]


def read_npz(path: Path) -> Raw:
    """The samples of an .npz file. Raises InvalidData, ValueError, OSError."""
    return _raw(path, numpy_file.read_npz(path))


def read_npy(path: Path) -> Raw:
    """The samples of `x.npy` and the labels of `y.npy` beside it, or of `NAME_x.npy` and `NAME_y.npy`.

    Raises InvalidData, ValueError, OSError.
    """
    stem = path.stem
    if stem != "x" and not stem.endswith("_x"):
        refuse(path, "its name does not end in x", "name samples NAME_x.npy and labels NAME_y.npy, or use an .npz file")
    labels = path.with_name(f"{stem[:-1]}y.npy")
    if not labels.is_file():
        refuse(path, f"there are no labels: '{labels.name}' is not beside it", FORM)
    beside = {name: path.with_name(f"{stem[:-1]}{name}.npy") for name in ("x", "y", "lengths")}
    return _raw(path, {name: numpy_file.read_npy(each) for name, each in beside.items() if each.is_file()})


def read_npy_folder(folder: Path) -> Raw:
    """The .npy files of a folder, named as the arrays of an .npz file. Raises InvalidData, ValueError, OSError."""
    return _raw(folder, {each.stem: numpy_file.read_npy(each) for each in sorted(folder.glob("*.npy"))})


def is_npy_folder(folder: Path) -> bool:
    """Whether a folder has such files."""
    return any((folder / f"{name}.npy").is_file() for name in ("x", "train_x", "events", "train_events"))


def _raw(path: Path, arrays: Arrays) -> Raw:
    _require_one_form(path, arrays)
    _require_spelling(path, arrays)
    split = any(f"train_{name}" in arrays for name in ("x", "events"))
    named = [(part, f"{part}_") for part in PARTS] if split else [(ALL, "")]
    parts = {part: _part(path, arrays, prefix) for part, prefix in named if _has(arrays, prefix)}
    if not parts:
        refuse(path, f"it holds {', '.join(sorted(arrays)[:5])} and neither x nor train_x", FORM)
    if split and "test" not in parts:
        refuse(path, "it has train_x and no test_x", f"{FORM}, or x and y without splits: they are drawn by class")
    kinds = {f"{prefix}x" in arrays for part, prefix in named if part in parts}
    if len(kinds) > 1:
        refuse(path, "some of its parts are arrays and some are events", FORM)
    read = SERIES if kinds == {True} else EVENTS
    unread = sorted(arrays.keys() - {f"{prefix}{name}" for part, prefix in named if part in parts for name in read})
    lonely = next((name for name in unread if name in OF_PARTS and name.split("_")[0] not in parts), None)
    if lonely:
        samples = f"{lonely.split('_')[0]}_x"
        refuse(path, f"it has '{lonely}' and no '{samples}'", f"give '{samples}', or leave '{lonely}' out")
    notes = (f"arrays that were not read: {columns.listed(unread)}",) if unread else ()
    return Raw("series" if kinds == {True} else "events", parts, notes)


def _require_one_form(path: Path, arrays: Arrays) -> None:
    """So that no part is left out: a test part beside x would be, since x is all there is."""
    whole = next((name for name in NAMES if name in arrays), None)
    of_part = next((name for name in OF_PARTS if name in arrays), None)
    if whole and of_part:
        refuse(path, f"it has '{whole}' beside '{of_part}'", f"name it 'train_{whole}', or leave one of them out")


def _require_spelling(path: Path, arrays: Arrays) -> None:
    """So that no part and no lengths are left out because they have another name."""
    for name in sorted(arrays.keys() - {*NAMES, *OF_PARTS}):
        near = _meant(name)
        if near is not None:
            refuse(path, f"it has '{name}', which is not read", f"name it '{near}', or leave it out")


def _meant(name: str) -> str | None:
    """What an array's name was meant for, written otherwise or misspelt; None for one that looks like none of ours."""
    low = name.lower()
    if low in (*NAMES, *OF_PARTS):
        return low
    first, _, last = low.partition("_")
    for part, what in ((first, last), (last, first)):
        if part in OTHERWISE and MANY.get(what, what) in NAMES:
            return f"{OTHERWISE[part]}_{MANY.get(what, what)}"
    return MANY.get(low) or next(iter(get_close_matches(low, OF_PARTS, 1, ALIKE)), None)


def _has(arrays: Arrays, prefix: str) -> bool:
    return f"{prefix}x" in arrays or f"{prefix}events" in arrays


def _part(path: Path, arrays: Arrays, prefix: str) -> Part:
    if f"{prefix}y" not in arrays:
        refuse(path, f"the labels are missing: it has no '{prefix}y'", FORM)
    labels = arrays[f"{prefix}y"]
    if labels.ndim != 1:
        refuse(path, f"'{prefix}y' has the shape {labels.shape}", "give one label for each sample, (samples,)")
    of_events = f"{prefix}events" in arrays
    if of_events and f"{prefix}x" in arrays:
        refuse(path, f"it has '{prefix}x' beside '{prefix}events'", "leave one of them out")
    samples = _events(path, arrays, prefix) if of_events else _series(path, arrays, prefix)
    if len(samples) != len(labels):
        why = (
            f"it has {plural(len(samples), 'sample')} in '{prefix}x' and {plural(len(labels), 'label')} in '{prefix}y'"
        )
        refuse(path, why, "give one label for each sample")
    return Part(samples, list(labels))


def _series(path: Path, arrays: Arrays, prefix: str) -> list[NDArray[Any]]:
    x = arrays[f"{prefix}x"]
    if x.dtype.kind not in "iufb" or x.ndim not in (2, 3) or 0 in x.shape:
        refuse(path, f"'{prefix}x' is {x.dtype} of shape {x.shape}", FORM)
    whole = x if x.ndim == 3 else x[:, :, None]
    lengths = arrays.get(f"{prefix}lengths")
    if lengths is None:
        return list(whole)
    if (
        lengths.shape != (len(x),)
        or lengths.dtype.kind not in "iu"
        or not 1 <= lengths.min() <= lengths.max() <= x.shape[1]
    ):
        why = (
            f"'{prefix}lengths' is not a number of steps from 1 to {x.shape[1]} for each of {plural(len(x), 'sample')}"
        )
        refuse(path, why, "give (samples,) whole numbers")
    return [each[:length] for each, length in zip(whole, lengths, strict=True)]


def _events(path: Path, arrays: Arrays, prefix: str) -> list[NDArray[Any]]:
    found, counts = arrays[f"{prefix}events"], arrays.get(f"{prefix}counts")
    if counts is None or counts.ndim != 1 or counts.dtype.kind not in "iu" or (counts < 0).any():
        refuse(path, f"'{prefix}counts' does not say how many events each sample has", "give (samples,) whole numbers")
    if int(counts.sum(dtype=np.int64)) != len(found):
        why = (
            f"'{prefix}counts' adds up to {int(counts.sum(dtype=np.int64)):,} and there "
            f"{agreeing(len(found), 'is', 'are')} {plural(len(found), 'event')}"
        )
        refuse(path, why, "give (samples,) whole numbers that add up")
    return np.split(found, np.cumsum(counts)[:-1])
