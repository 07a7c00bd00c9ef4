"""CIFAR-10's batches: the binary version, and the Python version read without running a pickle's code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import UnreadableFile
from asrc_train.data.dataset import Labels, Samples

SIDE, COLOURS, CLASSES = 32, 3, 10
PIXELS = SIDE * SIDE
LARGEST = 64 << 20
"""Bytes of a batch that are read at most; the original ones have 31 million."""


def read_binary(path: Path) -> tuple[Samples, Labels]:
    """Images (n, 1024, 3), row by row, and labels of a batch of records: a label, then red, green and blue planes.

    Raises UnreadableFile.
    """
    content = np.frombuffer(_bytes(path), np.uint8)
    record = 1 + COLOURS * PIXELS
    if len(content) == 0 or len(content) % record:
        raise _wrong(path, f"its {plural(len(content), 'byte')} are not whole records of {record:,}")
    records = content.reshape(-1, record)
    return _checked(path, records[:, 1:], records[:, 0].astype(np.int64))


def read_python(path: Path) -> tuple[Samples, Labels]:
    """The same of a batch pickled as a dictionary with `data` (n, 3072) and `labels`.

    Nothing in the file is called: what it names becomes `_Array` and `_Type`, which only keep what they are given,
    and any other name is refused. Raises UnreadableFile.
    """
    from io import BytesIO

    try:
        content = _Reader(BytesIO(_bytes(path)), encoding="latin1").load()
        content = {_text(key): value for key, value in content.items()}
        pixels, labels = content["data"].pixels(), content["labels"]
        if not isinstance(labels, list) or not all(type(label) is int for label in labels):
            raise ValueError("its labels are not a list of integers")
        return _checked(path, pixels, np.array(labels, np.int64))
    except UnreadableFile:
        raise
    except KeyError as error:
        raise _wrong(path, f"it has no {error}") from error
    except Exception as error:  # a hostile pickle can fail in any way
        raise _wrong(path, f"it is not a pickled batch ({error or type(error).__name__})") from error


class _Type:
    """What a pickle says a data type is."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, of no meaning for single bytes."""


class _Array:
    """What a pickle says an array holds: (version, shape, type, whether it is in Fortran order, bytes)."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def pixels(self) -> NDArray[np.uint8]:
        _, shape, kind, by_columns, content = self.state
        if not isinstance(kind, _Type) or _text(kind.code) != "u1" or by_columns:
            raise ValueError("its data are not unsigned bytes, row by row")
        if isinstance(content, str):  # Python 2's strings are bytes
            content = content.encode("latin1")
        rows, width = shape
        if type(rows) is not int or width != COLOURS * PIXELS or rows * width != len(content):
            raise ValueError(f"its data are of shape {shape} with {plural(len(content), 'byte')}")
        return np.frombuffer(content, np.uint8).reshape(rows, width)


class _Reader(pickle.Unpickler):
    """Rebuilds lists, dictionaries, numbers, strings, and of everything else only NumPy's arrays, as `_Array`."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Type,
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("_codecs", "encode"): _encoded,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of images needs")
        return known[module, name]


def _encoded(text: str, _: str) -> bytes:
    """How Python 3 writes bytes in a protocol that only has strings."""
    return text.encode("latin1")


def _text(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _checked(path: Path, planes: NDArray[np.uint8], labels: Labels) -> tuple[Samples, Labels]:
    if len(planes) == 0 or len(planes) != len(labels):
        raise _wrong(path, f"it holds {plural(len(planes), 'image')} and {plural(len(labels), 'label')}")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise _wrong(path, f"it has the labels {labels.min()} to {labels.max()}, and there are {CLASSES} classes")
    return np.ascontiguousarray(planes.reshape(-1, COLOURS, PIXELS).transpose(0, 2, 1)), labels


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from error
    if len(content) > LARGEST:
        raise _wrong(path, f"it exceeds {LARGEST:,} bytes")
    return content


def _wrong(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(path, "CIFAR-10 batch", why, "put the original file there")
