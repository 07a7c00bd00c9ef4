"""Where the spikes of two networks differ: how many, when, and first. All spikes are (T, B, N), zeros and ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Spikes = NDArray[np.uint8]


class FirstDivergence(NamedTuple):
    """The first cell in which a sample's spikes differ: earliest step, within it first layer, then lowest neuron."""

    sample: int
    layer: int
    step: int
    neuron: int


def unlike(a: Sequence[Spikes], b: Sequence[Spikes]) -> list[NDArray[np.bool_]]:
    """In which cells of each layer, (T, B, N), two networks' spikes differ."""
    return [mine != theirs for mine, theirs in zip(a, b, strict=True)]


def in_each_step(cells: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many of a step's (sample, neuron) cells hold, (T,)."""
    # Step by step: counting along axes would first make a whole number of every cell.
    return np.array([np.count_nonzero(each) for each in cells], np.int64)


def first_divergences(unlike: Sequence[NDArray[np.bool_]]) -> list[FirstDivergence]:
    """For each sample whose spikes differ anywhere in the layers, its first difference; in order of samples."""
    steps = len(unlike[0])
    per_step = np.stack([each.any(axis=2) for each in unlike])  # (L, T, B)
    first = np.where(per_step.any(axis=1), per_step.argmax(axis=1), steps)  # (L, B): T where a layer never differs
    layer, step = first.argmin(axis=0), first.min(axis=0)
    return [
        FirstDivergence(int(sample), int(layer[sample]), int(t), int(unlike[layer[sample]][t, sample].argmax()))
        for sample, t in enumerate(step)
        if t < steps
    ]
