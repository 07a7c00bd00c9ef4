"""What a data set is: integer sequences with labels, and the scale that makes them real numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences (n, T, channels) uint8 with labels (n,); the network is fed x * scale.

    Samples stay integers: the deployed network takes them as they are, the float one scales them.
    """

    name: str
    classes: int
    scale: float
    maximum: int  # largest value a sample can hold
    train_x: Samples
    train_y: Labels
    test_x: Samples
    test_y: Labels

    @property
    def steps(self) -> int:
        """T."""
        return int(self.train_x.shape[1])

    @property
    def channels(self) -> int:
        """Values fed at each step."""
        return int(self.train_x.shape[2])


def permuted(x: Samples, order: NDArray[np.int64] | None) -> Samples:
    """The samples with their steps in another order; as they are without one."""
    return x if order is None else np.ascontiguousarray(x[:, order])


def permutation(steps: int, seed: int) -> NDArray[np.int64]:
    """The fixed random order of PS-MNIST-like tasks; kept in the checkpoint, never drawn twice."""
    return np.random.default_rng(seed).permutation(steps).astype(np.int64)


def validation_split(labels: Labels, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of a stratified (training, validation) partition; the same one every time, whatever the seed."""
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(labels))
    fit, held = train_test_split(everything, test_size=fraction, stratify=labels, random_state=0)
    return np.sort(fit), np.sort(held)
