"""Neurons that send the same in every step, whatever happens to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asrc_core.contract.network import Layer
from asrc_core.contract.operations.operations import Value
from asrc_export.robustness.subject import Mask, Stuck, Subject


def stuck(subject: Subject, share: float, rng: np.random.Generator, *, firing: bool) -> Subject:
    """The subject with a share of each hidden layer's neurons stuck, the same ones in both networks."""
    held = tuple(Stuck(_chosen(each.neurons, share, rng), _message(each, firing)) for each in subject.deployed.hidden)
    if not share or not held:
        return subject
    # A layer has a whole number of them: of a few neurons a small share may be none.
    really = sum(int(each.neurons.sum()) for each in held) / sum(len(each.neurons) for each in held)
    return replace(subject, stuck=held, notes={**subject.notes, "neurons stuck": really})


class StuckNeurons:
    """The hook `on_spikes`: what stuck neurons send in place of their own."""

    def __init__(self, stuck: Sequence[Stuck]) -> None:
        self._stuck = stuck

    def __call__(self, layer: int, t: int, sent: Value) -> Value:
        """What the layer sends."""
        held = self._stuck[layer]
        return np.where(held.neurons, np.asarray(held.message, sent.dtype), sent)


def _message(layer: Layer, firing: bool) -> int:
    """The greatest message of the layer's neurons, or 0, if they can send it."""
    sent = layer.neuron.sends
    assert sent is not None, "a hidden layer sends"
    return sent.high if firing else min(max(0, sent.low), sent.high)


def _chosen(neurons: int, share: float, rng: np.random.Generator) -> Mask:
    """The first so many in a random order: those of a smaller share are among those of a larger one."""
    mask = np.zeros(neurons, np.bool_)
    mask[rng.permutation(neurons)[: round(share * neurons)]] = True
    return mask
