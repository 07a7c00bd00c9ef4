"""How many bits a network takes, by kind: deployed against float32, delay line against synaptic delays."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_export.arithmetic import LINE_BITS, Mapping
from asrc_export.network import IntegerNetwork, SkipLayer
from asrc_export.target import Target, delay_bits

FLOAT_BITS = 32


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


def history_bits(layer: SkipLayer, mapping: Mapping) -> int:
    """Bits that remembering the layer's own spikes takes under a mapping.

    delay-line: one 32-bit word a neuron. synaptic-delay: ceil(log2(span)) delay bits a recurrent synapse
    (a delay of span - 1 steps), N^2 of them.
    """
    if mapping == "delay-line":
        return LINE_BITS * layer.neurons
    return delay_bits(layer.span - 1) * layer.recurrent.size


def deployed(network: IntegerNetwork, target: Target) -> list[Storage]:
    """What each layer, then the readout, takes in the target's number formats (index and prefix bits left out)."""
    formats = target.formats
    bias_bits = formats.bias_mantissa_bits.count + formats.max_bias_exponent.count.bit_length()
    state_bits = formats.state_bits.count
    layers = [
        Storage(
            weights=(layer.feedforward.size + layer.recurrent.size) * layer.weight_bits,
            biases=layer.neurons * bias_bits,
            state=layer.neurons * state_bits,
            history=history_bits(layer, network.mapping),
        )
        for layer in network.layers
    ]
    readout = network.readout
    last = Storage(
        readout.weight.size * readout.weight_bits, readout.classes * bias_bits, readout.classes * state_bits, 0
    )
    return [*layers, last]


def float32(network: IntegerNetwork) -> list[Storage]:
    """The same network in float32, its past spikes kept as PyTorch keeps them: span values a neuron."""
    layers = [
        Storage(
            weights=(layer.feedforward.size + layer.recurrent.size) * FLOAT_BITS,
            biases=layer.neurons * FLOAT_BITS,
            state=layer.neurons * FLOAT_BITS,
            history=layer.span * layer.neurons * FLOAT_BITS,
        )
        for layer in network.layers
    ]
    readout = network.readout
    return [*layers, Storage(readout.weight.size * FLOAT_BITS, *(readout.classes * FLOAT_BITS,) * 2, 0)]


def synaptic_memory(network: IntegerNetwork, target: Target) -> int:
    """Bits of synaptic memory on the target: weight, delay and the target's overhead for each stored synapse."""
    overhead = target.synapses.dense.overhead.count
    delays = sum(history_bits(layer, "synaptic-delay") for layer in network.layers)
    weights = sum(each.weights for each in deployed(network, target))
    return weights + overhead * network.synapses + (delays if network.mapping == "synaptic-delay" else 0)
