"""Bits of stored weights that flip, in every connection.

A weight of n bits is stored as the two's complement of weight / step, so whatever flips, it stays on its grid. The
float network takes the same damage: each of its weights moves by the real value of what the integer moved by. (In words
of float32, one flip of an exponent's bit can make a weight 2^128 times as large, which says nothing of the network.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import InvalidNetwork, InvalidSetting
from asrc_export.chip import targets
from asrc_export.chip.shape import of_network
from asrc_export.chip.synapses import Stored
from asrc_export.quantization.taps import gain_of
from asrc_export.robustness.subject import Perturbation, Subject
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenNetwork


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
    sparse = _stored_sparsely(before)
    layers = tuple(
        replace(
            layer,
            connections=tuple(
                _damaged(each, level, rng, sparse=its) for each, its in zip(layer.connections, mine, strict=True)
            ),
        )
        for layer, mine in zip(before.layers, sparse, strict=True)
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
    for real, old, new in zip(floating.layers, before.hidden, after.hidden, strict=True):
        unit = 2.0 ** np.asarray(old.neuron.parameters.get("activation_shift", 0)).reshape(-1, 1) / old.scale
        pairs = zip(real.connections, old.connections, new.connections, strict=True)
        connections = tuple(_moved(each, was, now, unit, before.input.scale) for each, was, now in pairs)
        layers.append(replace(real, connections=connections))
    (was,), (now,) = before.readout.connections, after.readout.connections
    readout = floating.readout_weight + 2.0**was.exponent / before.readout.scale * (now.weights - was.weights)
    return replace(floating, layers=tuple(layers), readout_weight=readout)


def _moved(
    real: FrozenConnection, was: Connection, now: Connection, unit: Floats, input_scale: float
) -> FrozenConnection:
    """The real weights with what the integers moved by; ``unit`` (N, 1) is the real value of 1 before the exponent."""
    each = unit * 2.0**was.exponent / (input_scale if was.source == INPUT else 1.0)
    # What several taps send counts whole times: the integers stand for weights divided by how much that is more.
    times = sum(tap.weight for tap in was.taps) or 1
    return replace(real, weight=real.weight + each * times / gain_of(real) * (now.weights - was.weights))


def _damaged(connection: Connection, level: float, rng: np.random.Generator, *, sparse: bool) -> Connection:
    """The connection with each stored bit flipped with that probability; stored sparsely, weights of 0 have none."""
    flips = np.zeros(connection.weights.shape, np.int64)
    for bit in range(connection.weight_bits):
        flips |= (rng.random(flips.shape) < level).astype(np.int64) << bit
    if sparse:
        flips[connection.weights == 0] = 0
    return replace(connection, weights=flipped(connection.weights, connection.weight_bits, flips))


def _stored_sparsely(network: IntegerNetwork) -> list[list[bool]]:
    """Of each layer's connections, whether the network's target stores only the weights that are not 0."""
    target = targets.of(network.target, network.provenance)
    return [
        [Stored(each, layer.neurons, target).sparse is not None for each in layer.connections]
        for layer in of_network(network).layers
    ]


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
