"""IDX, the format of MNIST: a magic number, the sizes, and bytes; packed with gzip or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import UnreadableFile

MOST = 1_000_000
"""Items that are read at most, so that a header alone cannot ask for memory."""


def read(path: Path, item: tuple[int, ...]) -> NDArray[np.uint8]:
    """The items (n, *item) of unsigned bytes in an IDX file. Raises UnreadableFile saying what does not fit."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            sizes = _sizes(path, file.read(4 + 4 * (1 + len(item))), item)
            count = math.prod(sizes)
            content = file.read(count + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, getattr(error, "strerror", None) or str(error)) from error
    if len(content) != count:
        raise _wrong(
            path,
            f"it holds {'more' if len(content) > count else 'fewer'} than the {plural(count, 'byte')} it announces",
        )
    return np.frombuffer(content, np.uint8).reshape(sizes).copy()  # PyTorch wants to be able to write


def _sizes(path: Path, header: bytes, item: tuple[int, ...]) -> tuple[int, ...]:
    magic = bytes([0, 0, 8, 1 + len(item)])  # 8: unsigned bytes
    if header[:4] != magic:
        raise _wrong(path, f"it begins with {header[:4].hex() or 'nothing'} in place of {magic.hex()}")
    if len(header) != 4 + 4 * (1 + len(item)):
        raise _wrong(path, "it ends within its header")
    count, *rest = struct.unpack(f">{1 + len(item)}I", header[4:])
    if tuple(rest) != item:
        raise _wrong(path, f"its items are of size {tuple(rest)} in place of {item}")
    if not 1 <= count <= MOST:
        raise _wrong(path, f"it announces {plural(count, 'item')}, and 1 to {MOST:,} are read")
    return count, *item


def _wrong(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(path, "IDX file", why, "put the original file there")
