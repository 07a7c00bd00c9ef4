"""Arrays in .npy and .npz files that a stranger made: sizes known before anything is allocated, no pickles."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural

MAX_BYTES = 2**33
"""What the arrays of a file may take, together."""
MAX_ARRAYS = 1000


def header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array in a .npy file. Raises ValueError."""
    form: Any = np.lib.format  # has no types
    version = form.read_magic(file)
    read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file. Raises ValueError saying what is wrong, OSError."""
    with path.open("rb") as file:
        _require_plain(path.name, *header(file))
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by name. Raises ValueError saying what is wrong, OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
            if not 1 <= len(entries) <= MAX_ARRAYS:
                raise ValueError(f"it holds {plural(len(entries), 'array')}")
            total = 0
            for entry in entries:
                with archive.open(entry) as file:
                    total += _require_plain(entry.filename.removesuffix(".npy"), *header(file))
            if total > MAX_BYTES:
                raise ValueError(f"its arrays take {plural(total, 'byte')}, more than {MAX_BYTES:,}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    # An archive that is encrypted, or compressed in a way unknown to zipfile, is a RuntimeError or NotImplementedError.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError("it is not a whole .npz file") from error


def _require_plain(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes of an array that has neither objects nor an impossible size. Raises ValueError."""
    if dtype.hasobject:
        raise ValueError(
            f"'{name}' holds objects, which would be read by running a pickle; save one array of numbers, shorter "
            "samples padded and their numbers of steps in 'lengths'"
        )
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise ValueError(f"'{name}' takes {plural(size, 'byte')}, more than {MAX_BYTES:,}")
    return size
