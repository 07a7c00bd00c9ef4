"""Matrices with few entries, such as convolutions written out, without those that are absent.

A scale is chosen by what each row holds, and not by where: worst cases are sums over a row, and so are errors. So a row
may be as short as its longest one has entries; absent weights are exactly 0 at every scale.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenLayer

FEW = 1 / 8
"""Share of the columns that the fullest row may fill: below it, what is saved pays for the copy."""


def compact(layer: FrozenLayer) -> FrozenLayer:
    """The layer with shorter rows wherever they are mostly empty; delays of single synapses stay where they are."""
    return replace(layer, connections=tuple(_connection(each) for each in layer.connections))


def _connection(connection: FrozenConnection) -> FrozenConnection:
    weight = connection.weight
    if connection.delays is not None:
        return connection
    there = weight != 0
    longest = max(int(there.sum(axis=1).max()), 1)
    if longest > FEW * weight.shape[1]:
        return connection
    return replace(connection, weight=_entries(weight, there, longest), convolution=None)


def _entries(weight: Floats, there: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], longest: int) -> Floats:
    """(N, longest): each row's entries in their order, then zeros."""
    rows, _ = found = np.nonzero(there)
    first = np.searchsorted(rows, np.arange(len(weight)))
    made: Floats = np.zeros((len(weight), longest))
    made[rows, np.arange(len(rows)) - first[rows]] = weight[found]
    return made
