"""Arrays in .npy and .npz files that a stranger made: sizes known before anything is allocated, no pickles.

What is checked is what is read: an .npz may hold an `x` beside the `x.npy`, and NumPy would prefer it.
"""

from __future__ import annotations

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural

MAX_BYTES = 2**33
"""What the arrays of a file may take, together."""
MAX_ARRAYS = 1000
Check = Callable[[str, tuple[int, ...], "np.dtype[Any]"], None]
"""Refuses an array by its name, shape and type, before it is read."""
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # raised by zipfile for a compression that it cannot undo
    RuntimeError,  # and for what is encrypted
    OverflowError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,
)
"""What Python and NumPy raise, beside ValueError, for files that are not whole or not what they say."""


def anything(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Let any array of numbers or text be read."""


def read_npy(path: Path, check: Check = anything) -> NDArray[Any]:
    """The array of a .npy file. Raises ValueError saying what is wrong, OSError, and what ``check`` does."""
    with path.open("rb") as file, _whole(".npy"):
        _require_plain(path.name, *_header(file), check)
        file.seek(0)
        return _array(file)


def read_npz(path: Path, only: Collection[str] | None = None, check: Check = anything) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file by name, or ``only`` those that are there of some.

    Raises ValueError saying what is wrong, OSError, and what ``check`` does.
    """
    with _whole(".npz"), zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
        if not 1 <= len(entries) <= MAX_ARRAYS:
            raise ValueError(f"it holds {plural(len(entries), 'array')}")
        named = {entry.filename.removesuffix(".npy"): entry for entry in entries}
        if len(named) != len(entries):
            raise ValueError("it holds two arrays of one name")
        wanted = {name: entry for name, entry in named.items() if only is None or name in only}
        total = 0
        for name, entry in wanted.items():
            with archive.open(entry) as file:
                total += _require_plain(name, *_header(file), check)
        if total > MAX_BYTES:
            raise ValueError(f"its arrays take {plural(total, 'byte')}, more than {MAX_BYTES:,}")
        found = {}
        for name, entry in wanted.items():
            with archive.open(entry) as file:
                found[name] = _array(file)
        return found


@contextmanager
def _whole(kind: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise ValueError(f"it is not a whole {kind} file") from error


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array in a .npy file. Raises ValueError."""
    form: Any = np.lib.format  # has no types
    version = form.read_magic(file)
    read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    try:
        shape, _, dtype = read(file)
    except MemoryError as error:  # Python's parser, of brackets within brackets
        raise ValueError("its header is no header") from error
    if not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError(f"its shape is {shape}")  # a size of -1 would be whatever the file goes on for
    return shape, dtype


def _array(file: IO[bytes]) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
    return array


def _require_plain(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], check: Check) -> int:
    """Bytes of an array that has neither objects nor an impossible size. Raises ValueError, and what ``check`` does."""
    check(name, shape, dtype)
    if dtype.hasobject:
        raise ValueError(
            f"'{name}' holds objects, which would be read by running a pickle; save one array of numbers, shorter "
            "samples padded and their numbers of steps in 'lengths'"
        )
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise ValueError(f"'{name}' takes {plural(size, 'byte')}, more than {MAX_BYTES:,}")
    return size
