"""How many bits a network takes, by kind: deployed against float32, delay line against synaptic delays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS, Ints, Mapping
from asrc_export.chip.budget import destinations, stored_delay_bits
from asrc_export.chip.placement import Placement
from asrc_export.chip.shape import LayerShape, NetworkShape, of_network
from asrc_export.chip.target import Encoding, Target, delay_bits

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


def history_bits(layer: LayerShape, mapping: Mapping) -> int:
    """Bits that remembering the layer's own spikes takes under a mapping.

    delay-line: one 32-bit word a neuron, however many taps it has. synaptic-delay: ceil(log2(span)) delay bits a
    recurrent synapse (a delay of span - 1 steps), N^2 of them; for k spans at once k N^2 of them, and k - 1 more
    copies of the weights (what it would take: no rule lets it through).
    """
    if layer.span == 0:
        return 0
    if mapping == "delay-line":
        return LINE_BITS * layer.neurons
    copies = layer.taps * delay_bits(layer.span - 1) + (layer.taps - 1) * layer.weight_bits
    return copies * layer.neurons * layer.neurons


def deployed(network: IntegerNetwork, target: Target) -> list[Storage]:
    """What each layer, then the readout, takes in the target's number formats (index and prefix bits left out)."""
    return of_shape(of_network(network), target)


def of_shape(shape: NetworkShape, target: Target) -> list[Storage]:
    """What each layer of a shape, the readout last, will take in the target's number formats."""
    formats = target.formats
    bias_bits = formats.bias_mantissa_bits.count + formats.max_bias_exponent.count.bit_length()
    return [
        Storage(
            weights=layer.sources * layer.neurons * layer.weight_bits,
            biases=layer.neurons * bias_bits,
            state=layer.neurons * formats.state_bits.count,
            history=history_bits(layer, shape.mapping),
        )
        for layer in shape.layers
    ]


def float32(network: IntegerNetwork) -> list[Storage]:
    """The same network in float32, its past spikes kept as PyTorch keeps them: span values a neuron."""
    return [
        Storage(
            weights=layer.sources * layer.neurons * FLOAT_BITS,
            biases=layer.neurons * FLOAT_BITS,
            state=layer.neurons * FLOAT_BITS,
            history=layer.span * layer.neurons * FLOAT_BITS,
        )
        for layer in of_network(network).layers
    ]


def synaptic_memory(network: IntegerNetwork, target: Target) -> int:
    """Bits of synaptic memory on the target: weight, delay and the target's overhead for each stored synapse.

    Prefixes and the rounding to memory words depend on where the synapses lie: a placement's cores count them.
    """
    return _synapse_bits(network, target.synapses.dense, np.size)


def sparse_synaptic_memory(network: IntegerNetwork, target: Target) -> int | None:
    """The same in the target's sparse encoding, which leaves out weights of 0; None if it has no public one.

    For comparison: placement stores every weight (`SynapseMemory`).
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
    """Bits of those synapses of each matrix that ``stored`` counts; of recurrent ones the delay, too."""
    *layers, readout = of_network(network).layers
    overhead = encoding.overhead.count
    bits = stored(network.readout.weight) * (readout.weight_bits + overhead)
    for layer, shape in zip(network.layers, layers, strict=True):
        each = shape.weight_bits + overhead
        bits += stored(layer.feedforward) * each
        bits += stored(layer.recurrent) * (each + stored_delay_bits(shape, network.mapping))
    return int(bits)
