"""What a data set is: integer sequences with labels, and the scale that makes them real numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_core.preprocessing import Preprocessing

Samples = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Shape:
    """What is known of a data set without loading it."""

    steps: int
    """T."""
    channels: int
    """Values fed at each step."""
    classes: int
    maximum: int
    """Largest value a sample can hold; the least is 0."""
    scale: float
    """The network is fed x * scale."""
    zero: int = 0
    """The value that stands for zero: training feeds (x - zero) * scale. What it ends with takes x * scale all the
    same, because the biases of its first layer have become W 1 * zero * scale lower."""
    dt: float | None = None
    """Milliseconds of a step, where samples are events in time; None where steps are of no length."""
    of_place: int = 1
    """Channels next to each other that stand for one place along an axis such as pitch; all of them where they stand
    along none, as several sensors do."""
    image: tuple[int, int] | None = None
    """Rows and columns of the image that the steps scan, row by row."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences (n, T, channels) uint8 with labels (n,), in the splits of whoever published them.

    Samples stay integers: the deployed network takes them as they are, the float one scales them. Arrays may be
    backed by files.
    """

    name: str
    shape: Shape
    train_x: Samples
    train_y: Labels
    test_x: Samples
    test_y: Labels
    validation_x: Samples | None = None
    """The official validation split, where there is one."""
    validation_y: Labels | None = None
    notes: tuple[str, ...] = ()
    """What a user has to know about these samples: one clause for each thing that was left out or changed."""

    class_names: tuple[str, ...] = ()
    """One for each class; none where they are only numbered."""
    preprocessing: Preprocessing | None = None
    """What made these integers of raw samples, where a network is to be told."""

    def __post_init__(self) -> None:
        if not isinstance(self.shape, Shape):
            why = f"its shape is a {type(self.shape).__name__}"
            raise InvalidData(f"data set '{self.name}'", why, "give a Shape: steps, channels, classes, maximum, scale")
        for split, (x, y) in self.parts().items():
            self._check(split, x, y)

    def notes_on(self, split: str) -> tuple[str, ...]:
        """Those of the notes that are about one split alone."""
        return tuple(note for note in self.notes if note.startswith(f"{split}:"))

    def _check(self, split: str, x: Samples, y: Labels) -> None:
        """Raise InvalidData for samples or labels that are not what the shape says."""
        what, here = f"data set '{self.name}'", self.shape
        for each in (x, y):
            if not isinstance(each, np.ndarray):
                raise InvalidData(what, f"its {split} part is a {type(each).__name__}", "give NumPy arrays")
        if x.dtype != np.uint8 or x.shape[1:] != (here.steps, here.channels):
            why = f"its {split} samples are {x.dtype} of shape {x.shape}, not uint8 (n, {here.steps}, {here.channels})"
            raise InvalidData(what, why, "name a file of your own with `data`, or make them small integers")
        if y.shape != (len(x),) or y.dtype.kind not in "iu":
            why = f"its {split} part has {plural(len(x), 'sample')} and labels {y.dtype} of shape {y.shape}"
            raise InvalidData(what, why, "give a number for each sample")
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < here.classes:
            why = (
                f"its {split} labels are {y.min()} to {y.max()}, and there are {plural(here.classes, 'class')}, "
                "numbered from 0"
            )
            raise InvalidData(what, why, "number them so, or name a file of your own with `data`")
        if here.maximum < 255 and x.size and int(x.max()) > here.maximum:
            why = f"its {split} samples go up to {x.max()}, beyond its maximum {here.maximum}"
            raise InvalidData(what, why, "state the largest value that a sample can hold")

    def parts(self) -> dict[str, tuple[Samples, Labels]]:
        """Samples and labels of each split."""
        parts = {"train": (self.train_x, self.train_y), "test": (self.test_x, self.test_y)}
        if self.validation_x is not None and self.validation_y is not None:
            parts["validation"] = self.validation_x, self.validation_y
        return parts

    @property
    def nothing(self) -> Samples:
        """What stands for nothing, an integer for each channel: what follows a sample's end, else the set's zero."""
        pad = self.preprocessing.pad if self.preprocessing else ()
        return np.array(pad or (self.shape.zero,) * self.shape.channels, np.uint8)

    @cached_property
    def samples_sha256(self) -> str:
        """The `fingerprint` of all samples and labels of all splits."""
        return fingerprint(*(array for part in self.parts().values() for array in part))

    @property
    def steps(self) -> int:
        """T."""
        return self.shape.steps

    @property
    def channels(self) -> int:
        """Values fed at each step."""
        return self.shape.channels

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.shape.classes

    @property
    def maximum(self) -> int:
        """Largest value a sample can hold."""
        return self.shape.maximum

    @property
    def scale(self) -> float:
        """The network is fed x * scale."""
        return self.shape.scale


def in_order(dataset: Dataset, order: NDArray[np.int64] | None) -> Dataset:
    """The data set with the steps of every sample in another order; as it is without one."""
    return replace(
        dataset,
        train_x=permuted(dataset.train_x, order),
        test_x=permuted(dataset.test_x, order),
        validation_x=None if dataset.validation_x is None else permuted(dataset.validation_x, order),
    )


def permuted(x: Samples, order: NDArray[np.int64] | None) -> Samples:
    """The samples with their steps in another order; as they are without one."""
    return x if order is None else np.ascontiguousarray(x[:, order])


def permutation(steps: int, seed: int) -> NDArray[np.int64]:
    """The fixed random order of PS-MNIST-like tasks; kept in the checkpoint, never drawn twice."""
    return np.random.default_rng(seed).permutation(steps).astype(np.int64)


def fingerprint(*arrays: Samples | Labels) -> str:
    """The hash of samples and labels, which tells whether a training goes on with those that it began with."""
    digest = hashlib.sha256()
    for each in arrays:
        digest.update(f"{each.dtype}{each.shape}".encode())
        digest.update(np.ascontiguousarray(each).data)
    return digest.hexdigest()


def training_parts(dataset: Dataset, fraction: float) -> tuple[tuple[Samples, Labels], tuple[Samples, Labels]]:
    """Samples and labels to train on and to choose the best epoch on: the official validation split where there is
    one, else a stratified share of the training split.
    """
    x, y = dataset.train_x, dataset.train_y
    official = dataset.parts().get("validation")
    if official is not None:
        return (x, y), official
    train, held = validation_split(y, fraction)
    return (x[train], y[train]), (x[held], y[held])


def validation_split(labels: Labels, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of a stratified (training, validation) partition; the same one every time, whatever the seed.

    Raises InvalidSetting where a part would have fewer samples than there are classes, or a class only one sample;
    ExtraMissing.
    """
    with extras.importing():
        from sklearn.model_selection import train_test_split

    everything = np.arange(len(labels))
    try:
        fit, held = train_test_split(everything, test_size=fraction, stratify=labels, random_state=0)
    except ValueError as error:
        why = f"{fraction:g} of {plural(len(labels), 'sample')} is no part with all classes, and another with all"
        raise InvalidSetting("validation_fraction", why) from error
    return np.sort(fit), np.sort(held)
