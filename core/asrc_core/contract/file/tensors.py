"""The tensors of a network's file: taken one by one by name, type and shape; weights dense, or as bits and values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.file.sparse_weights import packed, saved, unpacked
from asrc_core.contract.numbers import Ints
from asrc_core.errors import UnreadableFile

MAX_FILE_BYTES = 4 * 2**30
"""A generous multiple of the largest network a chip holds; a larger file is not one of ours."""
MAX_UNPACKED = 2**27
"""Weights that all sparse matrices of a file together may have, and likewise all its kernels, since a small file may
stand for very many: 1 GiB of each as the 64-bit integers that a network holds.
"""
HEADER_BYTES = 256
"""More than a second tensor in place of one adds to the header."""

Arrays = dict[str, NDArray[Any]]


def refuse(path: str | Path, why: str) -> NoReturn:
    """Raise UnreadableFile."""
    raise UnreadableFile(path, "integer network", why, "write it again with asrc-export")


def stored(weights: Mapping[str, Ints]) -> tuple[Arrays, bool]:
    """The weight matrices as tensors, sparse where that is smaller and a reader may unpack it, and whether one is."""
    tensors: Arrays = {}
    left = MAX_UNPACKED
    for name, matrix in weights.items():
        weight = np.ascontiguousarray(matrix, np.int16)
        if weight.size <= left and saved(weight) > HEADER_BYTES:
            tensors[f"{name}.present"], tensors[f"{name}.values"] = packed(weight)
            left -= weight.size
        else:
            tensors[name] = weight
    return tensors, left < MAX_UNPACKED


class Tensors:
    """What a file holds. Each tensor is taken once; what is left at the end does not belong."""

    def __init__(self, path: str | Path, tensors: Arrays, *, may_be_sparse: bool, may_share: bool) -> None:
        self._path, self._tensors = path, dict(tensors)
        self._may_be_sparse, self._may_share = may_be_sparse, may_share

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str, dtype: type[np.integer[Any]]) -> Ints:
        """The tensor as int64. Raises UnreadableFile if it is missing or of another type."""
        if name not in self._tensors:
            refuse(self._path, f"tensor '{name}' is missing")
        tensor = self._tensors.pop(name)
        if tensor.dtype != dtype:
            refuse(self._path, f"tensor '{name}' is {tensor.dtype}, expected {np.dtype(dtype)}")
        return tensor.astype(np.int64)

    def is_sparse(self, name: str) -> bool:
        """Whether a weight matrix is stored as bits and values."""
        return f"{name}.present" in self._tensors

    def require_room(self, shapes: Mapping[str, tuple[int, int]]) -> None:
        """Raise UnreadableFile before sparse matrices of these shapes are unpacked to more than a file may have."""
        sparse = {name: shape for name, shape in shapes.items() if self.is_sparse(name)}
        if sparse and not self._may_be_sparse:
            refuse(self._path, f"tensor '{min(sparse)}' is sparse, which version 1 of the file does not know")
        if sum(rows * columns for rows, columns in sparse.values()) > MAX_UNPACKED:
            why = f"tensor '{min(sparse)}' and what else is sparse would unpack to more than {MAX_UNPACKED:,} weights"
            refuse(self._path, why)

    def require_kernel(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise UnreadableFile unless the file may have kernels, and has one of that shape under that name."""
        if not self._may_share:
            refuse(self._path, f"it has a convolution ('{name}'), which version 1 or 2 of the file does not know")
        if name in self._tensors and self._tensors[name].shape != shape:
            refuse(self._path, f"tensor '{name}' has shape {self._tensors[name].shape}, expected {shape}")

    def weights(self, name: str, shape: tuple[int, int]) -> Ints:
        """A weight matrix, int64; of that shape if it is sparse (`require_room` comes first). Raises UnreadableFile."""
        if not self.is_sparse(name):
            return self.take(name, np.int16)
        if f"{name}.values" not in self._tensors:
            refuse(self._path, f"tensor '{name}.values' is missing")
        try:
            return unpacked(self._tensors.pop(f"{name}.present"), self._tensors.pop(f"{name}.values"), shape)
        except ValueError as error:
            refuse(self._path, f"sparse tensor '{name}' {error}")

    def require_empty(self) -> None:
        """Raise UnreadableFile if a tensor was not taken."""
        if self._tensors:
            refuse(self._path, f"tensor '{sorted(self._tensors)[0]}' does not belong")
