"""scikit-learn's 1,797 handwritten digits (UCI, 8 x 8 pixels of 17 grey levels) as 64 steps of one pixel."""

from __future__ import annotations

import numpy as np

from asrc_core import extras
from asrc_train.data.dataset import Dataset, Shape

SHAPE = Shape(steps=64, channels=1, classes=10, maximum=16, scale=1 / 16, image=(8, 8))
HELD_OUT = 360


def load() -> Dataset:
    """The digits; 360 are held out, stratified, always the same ones. Raises ExtraMissing."""
    with extras.importing():
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

    bundle = load_digits()
    x = bundle.data.astype(np.uint8)[:, :, None]
    y = bundle.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=HELD_OUT, stratify=y, random_state=0)
    return Dataset("digits", SHAPE, train_x, train_y, test_x, test_y)
