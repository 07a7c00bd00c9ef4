"""Bits of stored weights that flip, in every connection.

A weight of n bits is stored as the two's complement of weight / step, so whatever flips, it stays on its grid. The
float network takes the same damage: each of its weights moves by the real value of what the integer moved by. (In words
of float32, one flip of an exponent's bit can make a weight 2^128 times as large, which says nothing of the network.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_core.contract.connection import Connection
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.errors import InvalidNetwork, InvalidSetting
from asrc_export.quantization.taps import gain
from asrc_export.robustness.subject import Perturbation, Subject
from asrc_train.trained.freeze import FrozenNetwork


def flipped(weights: Ints, bits: int, flips: Ints) -> Ints:
    """The weights with the stored bits flipped that are set in ``flips``, of the same shape (bit 0 is the lowest)."""
    step, codes = WeightGrid(bits).step, 1 << bits
    stored = (weights // step % codes) ^ flips
    changed: Ints = np.where(stored >= codes // 2, stored - codes, stored) * step
    return changed


def perturb(subject: Subject, level: float, rng: np.random.Generator) -> Subject:
    """Each stored bit flips with probability ``level``; the share of weights that changed is noted.

    Raises InvalidSetting if the contract cannot prove any more that the damaged network's sums fit.
    """
    before = subject.deployed
    layers = tuple(
        replace(layer, connections=tuple(_damaged(each, level, rng) for each in layer.connections))
        for layer in before.layers
    )
    try:
        after = replace(before, layers=layers)
    except InvalidNetwork as error:
        why = f"with that many bits flipped, no engine can run the network: {str(error).rstrip('.')}"
        raise InvalidSetting(
            "level of bit-flips", f"{level:g}: {why}; take lower levels or other perturbations"
        ) from error
    changed = sum(int(np.count_nonzero(a != b)) for a, b in zip(_weights(before), _weights(after), strict=True))
    floating = subject.floating and damaged(subject.floating, before, after)
    notes = {**subject.notes, "weights changed": changed / before.synapses}
    return replace(subject, deployed=after, floating=floating, notes=notes)


def damaged(floating: FrozenNetwork, before: IntegerNetwork, after: IntegerNetwork) -> FrozenNetwork:
    """The float network with each weight moved by what its integer moved by between the two, in real units."""
    layers = []
    for i, (real, old, new) in enumerate(zip(floating.layers, before.hidden, after.hidden, strict=True)):
        unit = 2.0 ** old.neuron.parameters["activation_shift"] / old.scale
        (forward, back), (moved_forward, moved_back) = old.connections, new.connections
        w_unit = unit * 2.0**forward.exponent / (before.input.scale if i == 0 else 1.0)
        # What several taps send back counts whole times: the integers stand for U divided by how much that is more.
        u_unit = unit * 2.0**back.exponent * sum(tap.weight for tap in back.taps) / gain(real)
        layers.append(
            real.moved(
                weight=real.weight + w_unit * (moved_forward.weights - forward.weights),
                recurrent=real.recurrent + u_unit * (moved_back.weights - back.weights),
            )
        )
    (out,), (moved,) = before.readout.connections, after.readout.connections
    unit = 2.0**out.exponent / before.readout.scale
    readout = floating.readout_weight + unit * (moved.weights - out.weights)
    return replace(floating, layers=tuple(layers), readout_weight=readout)


def _damaged(connection: Connection, level: float, rng: np.random.Generator) -> Connection:
    """The connection with each stored bit flipped with that probability."""
    flips = np.zeros(connection.weights.shape, np.int64)
    for bit in range(connection.weight_bits):
        flips |= (rng.random(flips.shape) < level).astype(np.int64) << bit
    return replace(connection, weights=flipped(connection.weights, connection.weight_bits, flips))


def _weights(network: IntegerNetwork) -> list[Ints]:
    return [each.weights for layer in network.layers for each in layer.connections]


PERTURBATION = Perturbation(
    title="weight bit flips",
    axis="probability that a stored bit flips",
    levels=(0, 0.0001, 0.0003, 0.001, 0.003, 0.01),
    highest=1,
    perturb=perturb,
    logarithmic=True,
)
