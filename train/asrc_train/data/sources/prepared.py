"""Samples that take minutes to compute: worked out once, kept beside their sources, and mapped into memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.errors import UnreadableFile, UnwritableOutput
from asrc_core.files.data_folder import for_results, whole_folder
from asrc_core.preprocessing import Preprocessing
from asrc_train.data.dataset import Dataset, Labels, Samples, Shape

NOTES = "notes.json"
PREPROCESSING = "preprocessing.json"
"""What made the integers, where that was learned from samples."""
Make = Callable[[Path], Sequence[str]]


def prepared(
    name: str, shape: Shape, recipe: str, sources: Iterable[Path], make: Make, class_names: tuple[str, ...] = ()
) -> Dataset:
    """The data set that ``make`` writes into a folder with `write`, made anew when sources or recipe change.

    ``recipe`` says how samples come from sources, with the version of what computes them; ``make`` returns the notes.
    Sources are told apart by path, size and time of change. Raises UnreadableFile, UnwritableOutput and whatever
    ``make`` raises.
    """
    home = for_results() / "prepared" / f"{name}-{_fingerprint(recipe, sources)}"
    if not home.is_dir():
        with whole_folder(home) as temporary:
            notes = make(temporary)
            (temporary / NOTES).write_text(json.dumps(list(notes)), encoding="utf-8")
    return _opened(name, shape, home, class_names)


def write(home: Path, split: str, labels: Labels, shape: Shape, blocks: Iterable[Samples]) -> None:
    """Write a split's samples as they come, (n, T, channels) at a time. Raises UnwritableOutput."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(labels), shape.steps, shape.channels)}
    try:
        with (home / f"{split}_x.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
            for block in blocks:
                file.write(np.ascontiguousarray(block).data)
        np.save(home / f"{split}_y.npy", labels)
    except OSError as error:
        raise UnwritableOutput(home, error.strerror or str(error)) from error


def write_preprocessing(home: Path, preprocessing: Preprocessing) -> None:
    """Write what made the integers. Raises UnwritableOutput."""
    try:
        (home / PREPROCESSING).write_text(preprocessing.model_dump_json(), encoding="utf-8")
    except OSError as error:
        raise UnwritableOutput(home, error.strerror or str(error)) from error


def _fingerprint(recipe: str, sources: Iterable[Path]) -> str:
    digest = hashlib.sha256(recipe.encode())
    for path in sources:
        try:
            facts = path.stat()
        except OSError as error:
            why = error.strerror or str(error)
            raise UnreadableFile(path, "source of samples", why, "leave data alone while they are read") from error
        digest.update(f"\n{path} {facts.st_size} {facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _opened(name: str, shape: Shape, home: Path, class_names: tuple[str, ...]) -> Dataset:
    parts: dict[str, NDArray[Any]] = {}
    try:
        for split in ("train", "validation", "test"):
            if not (home / f"{split}_x.npy").exists():
                continue
            x, y = _mapped(home / f"{split}_x.npy"), _mapped(home / f"{split}_y.npy")
            if x.dtype != np.uint8 or x.shape != (len(y), shape.steps, shape.channels):
                raise ValueError(f"{split}: {x.dtype} of shape {x.shape}")
            parts |= {f"{split}_x": x, f"{split}_y": y}
        notes = json.loads((home / NOTES).read_text(encoding="utf-8"))
        made = home / PREPROCESSING
        learned = Preprocessing.model_validate_json(made.read_bytes()) if made.exists() else None
        return Dataset(name, shape, notes=tuple(notes), class_names=class_names, preprocessing=learned, **parts)
    except (OSError, ValueError, TypeError, EOFError) as error:
        why = f"its arrays are not whole ({error or type(error).__name__})"
        raise UnreadableFile(home, "prepared samples", why, "remove that folder, they are made again") from error


def _mapped(path: Path) -> NDArray[Any]:
    """An array backed by its file; what is written to it stays in memory."""
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
