"""Samples in an .npz file, `x` (n, T, channels) of integers, which asrc-check writes; asrc-sim takes an .npy, too."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.errors import UnreadableFile
from asrc_core.files.atomic import replacing
from asrc_core.files.numpy_file import header

MAX_CELLS = 2**28
"""At most so many values are read."""


def save(path: str | Path, x: NDArray[np.integer[Any]], more: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write the samples, and arrays that say more of them. Raises UnwritableOutput."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, x=x, **(more or {}))


def load(path: str | Path) -> NDArray[np.integer[Any]]:
    """The samples, the x of an .npz or an .npy's one array. Their size is known before they are unpacked.

    Raises UnreadableFile.
    """

    def refuse(why: str) -> UnreadableFile:
        return UnreadableFile(
            path,
            "samples",
            why,
            "give an .npz file with integers x, or an .npy file of them, (samples, steps, channels)",
        )

    plain = Path(path).suffix.lower() == ".npy"
    try:
        with Path(path).open("rb") if plain else _x_of(path) as file:
            shape, dtype = header(file)
        if dtype.kind not in "iub" or len(shape) != 3:
            raise refuse(f"its x is {dtype} of shape {shape}")
        if math.prod(shape) > MAX_CELLS:
            raise refuse(f"its x has {math.prod(shape):,} values, more than {MAX_CELLS:,}")
        if plain:
            return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]  # NumPy types it as anything
        with np.load(path, allow_pickle=False) as arrays:
            x: NDArray[np.integer[Any]] = arrays["x"]
    except OSError as error:
        raise refuse(error.strerror or str(error)) from error
    except KeyError as error:
        raise refuse("it holds no x") from error
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise refuse(f"it is not a whole {Path(path).suffix if plain else '.npz'} file") from error
    return x


@contextmanager
def _x_of(path: str | Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive, archive.open("x.npy") as file:
        yield file
