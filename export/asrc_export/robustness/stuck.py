"""Neurons stuck at 0 or 1, written as parameters, so that the networks run as they always do.

A neuron without weights whose bias is its threshold reaches u = theta at every step and fires (what either reset leaves
of it is 0); one whose bias is 0 never does. Both are exact, in floats and in integers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.chain import SkipLayer
from asrc_export.robustness.subject import Subject
from asrc_train.trained.freeze import FrozenLayer

Mask = NDArray[np.bool_]
_Layer = TypeVar("_Layer", SkipLayer, FrozenLayer)


def stuck(subject: Subject, share: float, rng: np.random.Generator, *, firing: bool) -> Subject:
    """The subject with a share of each layer's neurons stuck, the same ones in both networks."""
    masks = [_chosen(layer.neurons, share, rng) for layer in subject.deployed.layers]
    deployed = subject.deployed
    held = (_held(layer, "feedforward", mask, firing) for layer, mask in zip(deployed.layers, masks, strict=True))
    subject = replace(subject, deployed=replace(deployed, layers=tuple(held)))
    if subject.floating is None:
        return subject
    floating = subject.floating
    real = (_held(layer, "weight", mask, firing) for layer, mask in zip(floating.layers, masks, strict=True))
    return replace(subject, floating=replace(floating, layers=tuple(real)))


def _held(layer: _Layer, feedforward: str, mask: Mask, firing: bool) -> _Layer:
    """The layer with the chosen neurons stuck; ``feedforward`` names its W."""
    changed: dict[str, Any] = {name: _cleared(getattr(layer, name), mask) for name in (feedforward, "recurrent")}
    return replace(layer, bias=np.where(mask, layer.threshold if firing else 0, layer.bias), **changed)


def _chosen(neurons: int, share: float, rng: np.random.Generator) -> Mask:
    """The first so many in a random order: those of a smaller share are among those of a larger one."""
    mask = np.zeros(neurons, np.bool_)
    mask[rng.permutation(neurons)[: round(share * neurons)]] = True
    return mask


def _cleared(weights: NDArray[Any], mask: Mask) -> NDArray[Any]:
    """The weights with those into the chosen neurons 0."""
    return np.where(mask[:, None], 0, weights)
