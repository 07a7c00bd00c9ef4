"""MNIST (60,000 + 10,000 digits, 28 x 28 pixels of 256 grey levels) as 784 steps of one pixel; permuted it is PS-MNIST.

Files as torchvision leaves them: `MNIST/raw/` in the data folder, the four IDX files, packed with gzip or not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asrc_core.counts import plural
from asrc_core.errors import InvalidData
from asrc_train.data.dataset import Dataset, Labels, Samples, Shape
from asrc_train.data.sources import archive, idx
from asrc_train.data.sources.archive import Archive

SHAPE = Shape(steps=784, channels=1, classes=10, maximum=255, scale=1 / 255, image=(28, 28))


def _published(file: str, md5: str) -> Archive:
    return Archive(
        place=f"MNIST/raw/{file}.gz",
        address=f"https://ossci-datasets.s3.amazonaws.com/mnist/{file}.gz",  # the mirror that torchvision asks first
        page="http://yann.lecun.com/exdb/mnist/",
        algorithm="md5",
        checksum=md5,
        limit=64 << 20,
    )


ARCHIVES = (
    _published("train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    _published("train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432"),
    _published("t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3"),
    _published("t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c"),
)
"""Checksums as torchvision states them."""


def load() -> Dataset:
    """The digits in the official splits. Raises UnreadableFile, InvalidData."""
    train_images, train_labels, test_images, test_labels = (_located(each) for each in ARCHIVES)
    return Dataset("smnist", SHAPE, *_read(train_images, train_labels), *_read(test_images, test_labels))


def _located(published: Archive) -> Path:
    unpacked = published.path.with_suffix("")
    if unpacked.is_file():
        return unpacked
    packed = archive.verified(published)
    if packed is None:
        raise archive.missing(unpacked, "smnist", ARCHIVES)
    return packed


def _read(images: Path, labels: Path) -> tuple[Samples, Labels]:
    x, y = idx.read(images, (28, 28)), idx.read(labels, ())
    if len(x) != len(y):
        why = f"it holds {plural(len(y), 'label')} for {plural(len(x), 'image')} in '{images.name}'"
        raise InvalidData(f"'{labels}'", why, "put the original files there")
    if y.max() >= SHAPE.classes:
        raise InvalidData(f"'{labels}'", f"it has the label {y.max()}", "put the original file there")
    return x.reshape(len(x), SHAPE.steps, 1), y.astype(np.int64)
