"""Operations on the weights that are there, counted from what each source sent: sources differ in how many neurons they
lead to, at an image's border, in pooling and under masks, and in how often they fire.

    sum over sources i of  (steps in which a message of i arrives) (weights of i that are not 0)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.contract.tally import steps_not_zero

Operations = list[list[int]]
"""Of each layer, of each of its connections."""


def operations(network: IntegerNetwork, x: NDArray[np.generic], sent: Sequence[NDArray[Any]]) -> Operations:
    """Of samples (B, T, channels), in which the layers but the readout sent (T, B, N)."""
    said = {INPUT: np.swapaxes(x, 0, 1), **dict(zip(network.names, sent, strict=False))}
    return [[_of(each, said[each.source]) for each in layer.connections] for layer in network.layers]


def added(one: Operations, other: Operations) -> Operations:
    """Those of both."""
    return [[a + b for a, b in zip(*each, strict=True)] for each in zip(one, other, strict=True)]


def _of(connection: Connection, sent: NDArray[Any]) -> int:
    if connection.delays is None:
        return int(_heard(sent, connection.lags) @ np.count_nonzero(connection.weights, axis=0))
    return sum(int(_heard(sent, (lag,)) @ np.count_nonzero(weights, axis=0)) for lag, weights in connection.by_lag())


def _heard(sent: NDArray[Any], lags: Sequence[int]) -> Ints:
    """In how many (step, sample) something of each source arrives after any of the lags: (I,)."""
    steps, first = len(sent), min(lags)
    there = sent[: max(steps - first, 0)]  # what arrives after the shortest, from step `first` on
    if len(lags) > 1:
        there = there != 0
        for lag in lags:
            there[lag - first :] |= sent[: max(steps - lag, 0)] != 0
    arrived: Ints = steps_not_zero(there).sum(axis=0)
    return arrived
