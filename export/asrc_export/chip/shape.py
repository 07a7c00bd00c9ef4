"""Sizes of a network without its weights: what placement and the rules about budgets need to know.

Known before training: a recipe gives the widths, and of an adaptive span the longest that it may take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asrc_core import extras
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import MAX_MESSAGE, Mapping

if TYPE_CHECKING:  # sizes need no torch, which these load
    from asrc_train.data.dataset import Shape
    from asrc_train.settings.config import Config


@dataclass(frozen=True)
class LayerShape:
    """A skip-recurrent layer, or the readout, whose span is 0 because it has no recurrent connection."""

    name: str
    inputs: int
    neurons: int
    span: int
    weight_bits: int
    taps: int = 1
    """How many spans it hears at once; ``span`` is the longest."""
    largest_message: int = 1
    """Greatest number that one of its neurons sends back to it."""

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
        LayerShape(
            layer.name,
            layer.inputs,
            layer.neurons,
            layer.span,
            layer.weight_bits,
            len(layer.heard),
            layer.largest_message,
        )
        for layer in network.layers
    ]
    readout = network.readout
    layers.append(LayerShape(readout.name, readout.inputs, readout.classes, 0, readout.weight_bits))
    return NetworkShape(tuple(layers), network.input.minimum, network.input.maximum, network.mapping)


def of_recipe(config: Config, dataset: Shape, bits: int, mapping: Mapping) -> NetworkShape:
    """The shape that a training will give, with the longest span that each layer can end up with.

    Raises CannotFreeze for neurons and connections that the integer contract does not hold; ExtraMissing.
    """
    with extras.importing():
        from asrc_train.network.connections.connection import file_of
        from asrc_train.trained.freeze import require_freezable

    network = config.network
    require_freezable(network, dataset.steps)
    fan_ins = (dataset.channels, *network.hidden)
    connection = file_of(network)
    taps = connection.most_taps(network)
    layers = [
        LayerShape(f"layer{i}", fan_in, width, connection.longest_span(own), bits, taps, MAX_MESSAGE if taps > 1 else 1)
        for i, (fan_in, width, own) in enumerate(zip(fan_ins, network.hidden, network.each_layer(), strict=False))
    ]
    layers.append(LayerShape("readout", network.hidden[-1], dataset.classes, 0, bits))
    return NetworkShape(tuple(layers), 0, dataset.maximum, mapping)
