"""Spiking Speech Commands (35 words, 700 units) as 250 steps of 5.6 ms and 140 channels of five units each.

Files as published, unpacked: `SSC/ssc_train.h5`, `ssc_valid.h5` and `ssc_test.h5` in the data folder.
"""

from __future__ import annotations

from asrc_train.data.dataset import Dataset, Shape
from asrc_train.data.sources import heidelberg
from asrc_train.data.sources.heidelberg import BINNING, published

SHAPE = Shape(steps=BINNING.steps, channels=BINNING.channels, classes=35, maximum=255, scale=1.0)
ARCHIVES = (
    published("SSC/ssc_train.h5", "d102be95e7144fcc0553d1f45ba94170"),
    published("SSC/ssc_valid.h5", "b4eee3516a4a90dd0c71a6ac23a8ae43"),
    published("SSC/ssc_test.h5", "a35ff1e9cffdd02a20eb850c17c37748"),
)
"""Checksums as tonic and SpikingJelly state them."""


def load() -> Dataset:
    """The counts in the official splits. Raises UnreadableFile, InvalidData, ExtraMissing, UnwritableOutput."""
    return heidelberg.load("ssc", SHAPE, dict(zip(("train", "validation", "test"), ARCHIVES, strict=True)))
