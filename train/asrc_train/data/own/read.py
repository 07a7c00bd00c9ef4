"""Which reader a path is for."""

from __future__ import annotations

import os
from pathlib import Path

from asrc_core.errors import UnreadableFile
from asrc_train.data.own import arrays, folders, tables, ts
from asrc_train.data.own.raw import Raw

SUFFIXES = {".npz": arrays.read_npz, ".npy": arrays.read_npy, ".csv": tables.read, ".ts": ts.read}
WAY_OUT = "give .npz, NAME_x.npy with NAME_y.npy, .csv, .ts, or a folder with one folder for each class"


def is_path(name: str) -> bool:
    """Whether the name of a data set is that of a file or a folder."""
    return bool(name) and (Path(name).suffix.lower() in SUFFIXES or os.sep in name or Path(name).is_dir())


def read(path: Path) -> Raw:
    """The samples at a path. Raises UnreadableFile, InvalidData."""
    try:
        if path.is_dir():
            return arrays.read_npy_folder(path) if arrays.is_npy_folder(path) else folders.read(path)
        reader = SUFFIXES.get(path.suffix.lower())
        if not path.exists():
            raise UnreadableFile(path, "samples", "it is not there", f"{WAY_OUT}; if it was moved, name its new place")
        if not path.is_file():
            raise UnreadableFile(path, "samples", "it is no file", WAY_OUT)
        if reader is None:
            raise UnreadableFile(path, "samples", f"files '{path.suffix}' are not known", WAY_OUT)
        return reader(path)
    except OSError as error:
        raise UnreadableFile(path, "samples", error.strerror or str(error), WAY_OUT) from error
    except (ValueError, EOFError, MemoryError) as error:
        raise UnreadableFile(path, "samples", str(error) or "it ends too early", WAY_OUT) from error
