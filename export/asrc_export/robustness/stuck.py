"""Neurons stuck at 0 or 1, written as parameters, so that the networks run as they always do.

A neuron without weights whose bias is its threshold reaches u = theta at every step and fires (what either reset leaves
of it is 0); one whose bias is 0 never does. Both are exact, in floats and in integers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_export.robustness.subject import Subject

Mask = NDArray[np.bool_]


def stuck(subject: Subject, share: float, rng: np.random.Generator, *, firing: bool) -> Subject:
    """The subject with a share of each layer's neurons stuck, the same ones in both networks."""
    masks = [_chosen(layer.neurons, share, rng) for layer in subject.deployed.layers]
    deployed = subject.deployed
    held = tuple(
        replace(
            layer,
            feedforward=_cleared(layer.feedforward, mask),
            recurrent=_cleared(layer.recurrent, mask),
            bias=np.where(mask, layer.threshold if firing else 0, layer.bias),
        )
        for layer, mask in zip(deployed.layers, masks, strict=True)
    )
    subject = replace(subject, deployed=replace(deployed, layers=held))
    if subject.floating is None:
        return subject
    floats = tuple(
        replace(
            layer,
            weight=_cleared(layer.weight, mask),
            recurrent=_cleared(layer.recurrent, mask),
            bias=np.where(mask, layer.threshold if firing else 0, layer.bias),
        )
        for layer, mask in zip(subject.floating.layers, masks, strict=True)
    )
    return replace(subject, floating=replace(subject.floating, layers=floats))


def _chosen(neurons: int, share: float, rng: np.random.Generator) -> Mask:
    """The first so many in a random order: those of a smaller share are among those of a larger one."""
    mask = np.zeros(neurons, np.bool_)
    mask[rng.permutation(neurons)[: round(share * neurons)]] = True
    return mask


def _cleared(weights: NDArray[Any], mask: Mask) -> NDArray[Any]:
    """The weights with those into the chosen neurons 0."""
    return np.where(mask[:, None], 0, weights)
