"""How many bits a network takes, by kind: deployed against float32, delay line against synaptic delays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS, Ints, Mapping
from asrc_core.contract.synapses.connection import Connection
from asrc_export.chip.placement import Placement
from asrc_export.chip.placement.budget import destinations
from asrc_export.chip.shape import LayerShape, NetworkShape, of_network
from asrc_export.chip.synapses import Stored
from asrc_export.chip.targets import Encoding, Target

FLOAT_BITS = 32
PAPER_HISTORY_BITS = 32
"""The ASRC-SNN paper, appendix B: past spikes take at most this many bits of each neuron."""


@dataclass(frozen=True)
class Storage:
    """Bits of one layer (or of the readout) by kind."""

    weights: int
    biases: int
    state: int
    history: int

    @property
    def total(self) -> int:
        """All kinds together."""
        return self.weights + self.biases + self.state + self.history

    def __add__(self, other: Storage) -> Storage:
        return Storage(
            self.weights + other.weights,
            self.biases + other.biases,
            self.state + other.state,
            self.history + other.history,
        )


@dataclass(frozen=True)
class AxonEntries:
    """A layer's entries in the tables that route spikes, over all its cores; bits where an entry's size is known."""

    input: int
    output: int
    bits: int | None


def history_bits(layer: LayerShape, target: Target) -> int:
    """Bits that remembering past spikes takes of the layer's neurons and of the synapses that lead to it.

    delay-line: one 32-bit word a neuron, however many connections and taps read it; none where the word of past spikes
    is a state of the neuron's own, and so counted as that. synaptic-delay: the bits of the longest delay for each
    synapse that the target stores, so ceil(log2(span)) for a layer's own N^2 where no weight is left out; for k spans
    at once k times as many, and k - 1 more copies of the weights (what it would take: no rule lets it through). What
    the input sent some steps ago takes no delay line: the host sends it again.
    """
    synapses = sum(
        (each.taps * each.delay_bits + (each.taps - 1) * each.weight_bits)
        * Stored(each, layer.neurons, target).synapses
        for each in layer.connections
        if not each.in_line
    )
    return layer.line * LINE_BITS * layer.neurons + synapses


def history_by_mapping(shape: NetworkShape, target: Target) -> dict[Mapping, int]:
    """`history_bits` of the whole network with all past spikes kept in one way, and in the other."""
    mappings: tuple[Mapping, ...] = ("delay-line", "synaptic-delay")
    return {mapping: sum(history_bits(layer, target) for layer in shape.under(mapping).layers) for mapping in mappings}


def deployed(network: IntegerNetwork, target: Target) -> list[Storage]:
    """What each layer, then the readout, takes in the target's number formats (index and prefix bits left out)."""
    return of_shape(of_network(network), target)


def of_shape(shape: NetworkShape, target: Target) -> list[Storage]:
    """What each layer of a shape, the readout last, will take in the target's number formats.

    With the biases are counted all other constants that a neuron has for itself.
    """
    formats = target.formats
    bias_bits = formats.bias_mantissa_bits.count + formats.max_bias_exponent.count.bit_length()
    return [
        Storage(
            weights=weight_bits(layer, target),
            biases=layer.neurons * (bias_bits + sum(layer.own_constants)),
            state=layer.neurons * sum(layer.state_bits),
            history=history_bits(layer, target),
        )
        for layer in shape.layers
    ]


def weight_bits(layer: LayerShape, target: Target) -> int:
    """Bits of a layer's weights, of those that the target stores (`chip.synapses`)."""
    return sum(each.weight_bits * Stored(each, layer.neurons, target).synapses for each in layer.connections)


def float32(network: IntegerNetwork, target: Target) -> list[Storage]:
    """The same network in float32, its past spikes kept as PyTorch keeps them: the longest span's values a neuron.

    A convolution is its kernel. Weights of 0 that the target leaves out count as absent here, too, so that masks make
    neither side look smaller. A delay for each synapse is one more number for each.
    """
    shape = of_network(network)
    reaching = {
        layer.name: max(
            (each.lag for other in shape.layers for each in other.connections if each.source == layer.name), default=0
        )
        for layer in shape.layers
    }
    return [
        Storage(
            weights=sum(
                _float_weights(each, Stored(its, layer.neurons, target))
                for each, its in zip(own.connections, layer.connections, strict=True)
            )
            * FLOAT_BITS,
            biases=layer.neurons * (1 + len(layer.own_constants)) * FLOAT_BITS,
            state=layer.neurons * len(layer.state_bits) * FLOAT_BITS,
            history=(
                layer.neurons * reaching[layer.name]
                + sum(Stored(each, layer.neurons, target).synapses for each in layer.connections if each.delay_for_each)
            )
            * FLOAT_BITS,
        )
        for own, layer in zip(network.layers, shape.layers, strict=True)
    ]


def _float_weights(connection: Connection, stored: Stored) -> int:
    if connection.convolution is not None:
        return math.prod(connection.convolution.kernel_shape)
    return stored.synapses


def synaptic_memory(network: IntegerNetwork, target: Target) -> int:
    """Bits of synaptic memory on the target: weight, delay and the target's overhead for each stored synapse.

    Prefixes and the rounding to memory words depend on where the synapses lie: a placement's cores count them.
    """
    return sum(each.bits for _, each in stored(of_network(network), target))


def stored(shape: NetworkShape, target: Target) -> list[tuple[str, Stored]]:
    """How the synapses of each connection are stored, with the name of the layer that it leads to."""
    return [(layer.name, Stored(each, layer.neurons, target)) for layer in shape.layers for each in layer.connections]


def sparse_synaptic_memory(network: IntegerNetwork, target: Target) -> int | None:
    """The same with all connections in the target's sparse encoding, which leaves out weights of 0; None if it has no
    public one. For comparison: a connection is stored so where that takes fewer words (`chip.synapses`).
    """
    sparse = target.synapses.sparse
    return None if sparse is None else _synapse_bits(network, sparse, np.count_nonzero)


def axon_entries(layers: Sequence[LayerShape], placement: Placement, target: Target) -> list[AxonEntries]:
    """Routing entries of each layer as placed: an input axon for each source on each of its cores, and an output axon
    for each neuron and core that it sends to.
    """
    cores = [len(placement.cores_of(layer.name)) for layer in layers]
    tables = target.axon_tables
    found = []
    for layer, own, sent_to in zip(layers, cores, destinations(layers, cores), strict=True):
        into, out = own * layer.sources, layer.neurons * sent_to
        bits = None if tables is None else into * tables.input.count + out * tables.output.count
        found.append(AxonEntries(into, out, bits))
    return found


def _synapse_bits(network: IntegerNetwork, encoding: Encoding, stored: Callable[[Ints], int]) -> int:
    """Bits of those synapses of each connection that ``stored`` counts, with the delay of each."""
    pairs = (
        (connection.weights, each)
        for layer, shape in zip(network.layers, of_network(network).layers, strict=True)
        for connection, each in zip(layer.connections, shape.connections, strict=True)
    )
    overhead = encoding.overhead.count
    return int(sum(stored(weights) * (each.weight_bits + overhead + each.delay_bits) for weights, each in pairs))
