"""Samples in an .npz file, `x` (n, T, channels) of integers, which asrc-check writes; asrc-sim takes an .npy, too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.errors import UnreadableFile
from asrc_core.files.atomic import replacing
from asrc_core.files.numpy_file import read_npy, read_npz

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

    def fits(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "iub" or len(shape) != 3:
            raise refuse(f"its x is {dtype} of shape {shape}")
        if math.prod(shape) > MAX_CELLS:
            raise refuse(f"its x has {math.prod(shape):,} values, more than {MAX_CELLS:,}")

    plain = Path(path).suffix.lower() == ".npy"
    try:
        found = {"x": read_npy(Path(path), fits)} if plain else read_npz(Path(path), {"x"}, fits)
    except OSError as error:
        raise refuse(error.strerror or str(error)) from error
    except ValueError as error:
        raise refuse(f"it is not a whole {Path(path).suffix if plain else '.npz'} file") from error
    if "x" not in found:
        raise refuse("it holds no x")
    return found["x"]
