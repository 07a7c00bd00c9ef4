"""Spiking Heidelberg Digits (20 spoken digits, 700 units) as 250 steps of 5.6 ms and 140 channels of five units each.

Files as published, unpacked: `SHD/shd_train.h5` and `shd_test.h5` in the data folder.
"""

from __future__ import annotations

from asrc_train.data.dataset import Dataset, Shape
from asrc_train.data.sources import heidelberg
from asrc_train.data.sources.heidelberg import BINNING, published

SHAPE = Shape(steps=BINNING.steps, channels=BINNING.channels, classes=20, maximum=255, scale=1.0)
ARCHIVES = (
    published("SHD/shd_train.h5", "f3252aeb598ac776c1b526422d90eecb"),
    published("SHD/shd_test.h5", "1503a5064faa34311c398fb0a1ed0a6f"),
)
"""Checksums as tonic and SpikingJelly state them."""


def load() -> Dataset:
    """The counts in the official splits. Raises UnreadableFile, InvalidData, ExtraMissing, UnwritableOutput."""
    return heidelberg.load("shd", SHAPE, dict(zip(("train", "test"), ARCHIVES, strict=True)))
