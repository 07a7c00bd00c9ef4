"""CIFAR-10 (50,000 + 10,000 images, 32 x 32 pixels) as 1,024 steps of red, green and blue.

The binary version, `cifar-10-batches-bin/` in the data folder, or the Python version as torchvision leaves it,
`cifar-10-batches-py/`, which is read without running a pickle's code.
"""

from __future__ import annotations

import numpy as np

from asrc_core.files.data_folder import folder
from asrc_train.data.dataset import Dataset, Labels, Samples, Shape
from asrc_train.data.sources import archive, cifar
from asrc_train.data.sources.archive import Archive

SHAPE = Shape(steps=1024, channels=3, classes=10, maximum=255, scale=1 / 255, of_place=3, image=(32, 32))
ARCHIVES = (
    Archive(
        place="cifar-10-binary.tar.gz",
        address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        algorithm="md5",
        checksum="c32a1d4ab5d03f1284b67883e8d87530",  # stated on that page
        limit=256 << 20,
    ),
)
BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"
TRAIN, TEST = tuple(f"data_batch_{i}" for i in range(1, 6)), ("test_batch",)


def load() -> Dataset:
    """The images in the official splits. Raises UnreadableFile."""
    return Dataset("scifar", SHAPE, *_read(TRAIN), *_read(TEST))


def _read(names: tuple[str, ...]) -> tuple[Samples, Labels]:
    if not (folder() / BINARY).is_dir() and (folder() / PYTHON).is_dir():
        batches = [cifar.read_python(folder() / PYTHON / name) for name in names]
    else:
        _unpack()
        batches = [cifar.read_binary(folder() / BINARY / f"{name}.bin") for name in names]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def _unpack() -> None:
    (published,) = ARCHIVES
    home = folder() / BINARY
    if home.is_dir():
        return
    packed = archive.verified(published)
    if packed is None:
        raise archive.missing(home, "scifar", ARCHIVES)
    archive.unpack_tar(published, packed, home, inside=BINARY)
