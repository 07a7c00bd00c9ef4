"""Whole numbers for the weights of a layer that taps several spans at once.

A frozen layer mixes r[t] = sum_j c_j s[t - span_j], c_j real. The integer contract has small whole weights m_j, whose
sum is the greatest message of a neuron. With D = sum_j m_j / sum_j c_j,

    m_j / D stands for c_j,    and U / D for U,

so that U r is what it was, but for the rounding of the shares c_j / sum c. The m_j have the least sum that leaves no
share further off than MAX_SHARE_ERROR; a tap whose weight rounds to 0 is left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_core.contract.numbers import MAX_MESSAGE, MAX_TAPS, Ints
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenLayer, FrozenNetwork, WeightedTap

MAX_SHARE_ERROR = 1 / 128
"""As fine as weights of 8 bits; some sum up to MAX_MESSAGE is always as close, for up to MAX_TAPS shares."""


def whole(frozen: FrozenNetwork) -> FrozenNetwork:
    """The network with whole tap weights; what has them already is not changed.

    Raises InvalidSetting for a layer with more taps than the contract has, or with weights that are not positive.
    """
    return replace(frozen, layers=tuple(whole_layer(layer) for layer in frozen.layers))


def gain(layer: FrozenLayer) -> float:
    """What the layer's taps of itself give at most: the sum of their weights."""
    return gain_of(layer.back)


def gain_of(connection: FrozenConnection) -> float:
    """What the taps of a connection give at most: the sum of their weights."""
    return sum(weight for _, weight in connection.taps) if connection.delays is None else 1.0


def apportioned(weights: Floats) -> Ints:
    """Whole numbers m in the proportion of the weights: the least sum with |m_j / sum m - c_j / sum c| within bounds.

    For a given sum each share is rounded down, and what is left goes to the largest remainders.
    """
    shares = weights / weights.sum()
    for total in range(1, MAX_MESSAGE + 1):
        found: Ints = np.floor(shares * total).astype(np.int64)
        remainders = shares * total - found
        found[np.argsort(-remainders, kind="stable")[: total - int(found.sum())]] += 1
        if np.abs(found / total - shares).max() <= MAX_SHARE_ERROR:
            return found
    raise AssertionError("the largest remainder is below 1 - 1 / MAX_TAPS")


def whole_layer(layer: FrozenLayer) -> FrozenLayer:
    """`whole` for one layer."""
    made = tuple(_whole(f"layer '{layer.name}'", each) for each in layer.connections)
    same = all(before is after for before, after in zip(layer.connections, made, strict=True))
    return layer if same else replace(layer, connections=made)


def _whole(at: str, connection: FrozenConnection) -> FrozenConnection:
    if connection.delays is not None or len(connection.taps) == 1 or _is_whole(connection):
        return connection
    taps = sorted(connection.taps)
    spans, weights = [tap.span for tap in taps], np.array([tap.weight for tap in taps], np.float64)
    if len(taps) > MAX_TAPS:
        why = f"it taps {plural(len(taps), 'span')} at once, and a delay line is tapped in {MAX_TAPS} places at most"
        raise InvalidSetting(at, f"{why}; train with fewer spans")
    if len(set(spans)) < len(spans) or not (np.isfinite(weights) & (weights > 0)).all():
        raise InvalidSetting(at, "the spans that it taps are not all different, or their weights not all positive")
    found = apportioned(weights)
    kept = [(span, int(m)) for span, m in zip(spans, found, strict=True) if m]
    if len(kept) == 1:
        kept = [(kept[0][0], 1)]
    made = tuple(WeightedTap(span, float(m)) for span, m in kept)
    divisor = sum(m for _, m in kept) / float(weights.sum())
    return replace(connection, weight=connection.weight / divisor, taps=made)


def _is_whole(connection: FrozenConnection) -> bool:
    """Whether the taps are as the contract has them."""
    spans, weights = zip(*connection.taps, strict=True)
    return (
        2 <= len(spans) <= MAX_TAPS
        and list(spans) == sorted(set(spans))
        and all(weight >= 1 and float(weight).is_integer() for weight in weights)
        and sum(weights) <= MAX_MESSAGE
    )
