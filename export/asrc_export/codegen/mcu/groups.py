"""How the connections of a layer are added up on a small processor.

A group is connections whose weighted sums go into the same accumulators: their weights lie side by side, and their
events are one list. Two accumulators of 16 bits share a register where the proof says that the sum fits; in all other
groups an accumulator has 32. Weights lie in blocks of 16 neurons, (block, input, 16), four bytes a word, so that the
accumulators of a block stay in registers while its events are added; the last neurons lie in blocks of four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.ranges import Range, product_bounds
from asrc_core.contract.synapses.connection import Connection

BLOCK = 16
"""Neurons whose accumulators are in registers at the same time, two a register."""
LANE = Range(-(2**15), 2**15 - 1)
ORDER = (0, 2, 1, 3)
"""Which neuron of four lies in which byte of a word: bytes 0 and 2 are added as one pair, 1 and 3 as the other."""
BIAS = 128


@dataclass(frozen=True, eq=False)
class Part:
    """A connection within a group: its place among the layer's, and the number of its first input."""

    place: int
    connection: Connection
    base: int


@dataclass(frozen=True, eq=False)
class Group:
    """Connections of one exponent, all of spikes or all of numbers; ``wide`` if accumulators need 32 bits."""

    parts: tuple[Part, ...]
    exponent: int
    spikes: bool
    wide: bool

    @property
    def inputs(self) -> int:
        """Of all its connections."""
        return sum(part.connection.inputs for part in self.parts)

    @property
    def words(self) -> NDArray[np.uint32]:
        """The weights as they lie in memory."""
        weights = np.concatenate([mantissas(part.connection) for part in self.parts], axis=1)
        neurons, inputs = weights.shape
        padded = np.zeros((-(-neurons // 4) * 4, inputs), np.int64)
        padded[:neurons] = weights
        full = neurons // BLOCK * BLOCK
        blocks = [padded[first : first + BLOCK] for first in range(0, full, BLOCK)]
        blocks += [padded[first : first + 4] for first in range(full, len(padded), 4)]
        return np.concatenate([_packed(block) for block in blocks])


def mantissas(connection: Connection) -> Ints:
    """(N, I) weights without the zeros that their width leaves at their ends: the exponent has them."""
    return connection.weights >> (9 - connection.weight_bits)


def exponent_of(connection: Connection) -> int:
    """The exponent that goes with `mantissas`: both shifts act on the sum, so it is exact."""
    return connection.exponent + 9 - connection.weight_bits


def groups_of(network: IntegerNetwork, place: int) -> list[Group]:
    """The groups of a layer; connections with a delay for each synapse are in none."""
    parts: dict[tuple[int, bool, int], list[int]] = {}
    connections = network.layers[place].connections
    wide = []
    for i, each in enumerate(connections):
        message = each.message(network.sent(each.source))
        wide.append(_is_wide(_bounds(network, [each])))
        if each.delays is not None:
            continue
        exponent, spikes = exponent_of(each), message.is_bit
        # Each sum below 0 places is rounded by itself, and a wide one would make its neighbours wide.
        alone = i if exponent < 0 or wide[i] else -1
        parts.setdefault((exponent, spikes, alone), []).append(i)
    found = []
    for (exponent, spikes, _), places in parts.items():
        together = [places]
        if len(places) > 1 and _is_wide(_bounds(network, [connections[i] for i in places])):
            together = [[i] for i in places]
        found += [_group(connections, each, exponent, spikes, wide[each[0]]) for each in together]
    return found


def _group(connections: tuple[Connection, ...], places: list[int], exponent: int, spikes: bool, wide: bool) -> Group:
    parts, base = [], 0
    for i in places:
        parts.append(Part(i, connections[i], base))
        base += connections[i].inputs
    return Group(tuple(parts), exponent, spikes, wide)


def _bounds(network: IntegerNetwork, connections: list[Connection]) -> tuple[Ints, Ints]:
    """Bounds of the sum of connections, neuron by neuron, before the exponent."""
    low: Any = 0
    high: Any = 0
    for each in connections:
        message = each.message(network.sent(each.source))
        least, greatest = product_bounds(mantissas(each), message.low, message.high)
        low, high = low + least, high + greatest
    return low, high


def _is_wide(bounds: tuple[Ints, Ints]) -> bool:
    return bool(bounds[0].min() < LANE.low or bounds[1].max() > LANE.high)


def _packed(block: Ints) -> NDArray[np.uint32]:
    """(4 k neurons, I) as words, (I, k): each byte a weight plus 128."""
    bytes_ = (block.T + BIAS).astype(np.uint32).reshape(block.shape[1], -1, 4)
    packed: NDArray[np.uint32] = sum(
        (bytes_[:, :, neuron] << np.uint32(8 * byte) for byte, neuron in enumerate(ORDER)),
        np.zeros(bytes_.shape[:2], np.uint32),
    )
    return packed.ravel()
