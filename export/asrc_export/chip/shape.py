"""Sizes of a network without its weights: what placement and the rules about budgets need to know.

Known before training: a recipe gives the widths, and of an adaptive span the longest that it may take.
"""

from __future__ import annotations

from dataclasses import dataclass

from asrc_export.arithmetic import Mapping
from asrc_export.network import IntegerNetwork
from asrc_train.config import Config
from asrc_train.data.dataset import Dataset


@dataclass(frozen=True)
class LayerShape:
    """A skip-recurrent layer, or the readout, whose span is 0 because it has no recurrent connection."""

    name: str
    inputs: int
    neurons: int
    span: int
    weight_bits: int

    @property
    def sources(self) -> int:
        """Neurons or channels that reach every neuron of the layer: those before it, and its own if recurrent."""
        return self.inputs + (self.neurons if self.span else 0)


@dataclass(frozen=True)
class NetworkShape:
    """Layers in order, the readout last; the input's range; where past spikes are kept."""

    layers: tuple[LayerShape, ...]
    input_minimum: int
    input_maximum: int
    mapping: Mapping

    @property
    def neurons(self) -> int:
        """Neurons of all skip-recurrent layers."""
        return sum(layer.neurons for layer in self.layers if layer.span)


def of_network(network: IntegerNetwork) -> NetworkShape:
    """The shape of an integer network."""
    layers = [
        LayerShape(layer.name, layer.inputs, layer.neurons, layer.span, layer.weight_bits) for layer in network.layers
    ]
    readout = network.readout
    layers.append(LayerShape(readout.name, readout.inputs, readout.classes, 0, readout.weight_bits))
    return NetworkShape(tuple(layers), network.input.minimum, network.input.maximum, network.mapping)


def of_recipe(config: Config, dataset: Dataset, bits: int, mapping: Mapping) -> NetworkShape:
    """The shape that a training will give, with the longest span that each layer can end up with."""
    network = config.network
    span = {"vanilla": 1, "src": network.span, "asrc": network.kernel_length}[network.connection]
    fan_ins = (dataset.channels, *network.hidden)
    layers = [
        LayerShape(f"layer{i}", fan_in, width, span, bits)
        for i, (fan_in, width) in enumerate(zip(fan_ins, network.hidden, strict=False))
    ]
    layers.append(LayerShape("readout", network.hidden[-1], dataset.classes, 0, bits))
    return NetworkShape(tuple(layers), 0, dataset.maximum, mapping)
