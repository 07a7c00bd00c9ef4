"""Integers that stand for floats which learn: of any network, the weights, and constants of its neurons.

Scales and exponents are the network's and stay. A weight w stands for w 2^(e + h) / scale in the float network's units
(divided by the input's scale where it weighs the input), e the connection's exponent and h the neuron's activation
shift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from asrc_core.contract.network import IntegerNetwork, Layer, Neuron
from asrc_core.contract.neurons.kind import Number
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.constants import Constant, Rounding
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import InvalidSetting
from asrc_export.quantization.training.on_grid import array, on_device, on_grid, weights_on_grid
from asrc_export.quantization.training.torch_network import TorchConnection, TorchLayer, lags


class LayerFloats(NamedTuple):
    """A layer's floats: the weights of each connection, and by name those of its neurons' constants that learn."""

    weights: Sequence[Tensor]
    constants: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class LearnedLayer:
    """A layer of an integer network, remade from floats.

    ``units``: of each connection, the real value of what it weighs being 1. ``rounding``: how constants are rounded.
    ``width``: how far from equality the surrogate gradient reaches, in integer units.
    """

    layer: Layer
    units: tuple[float, ...]
    rounding: Rounding
    width: float

    def floats(self, learned: Sequence[str]) -> LayerFloats:
        """What the layer's own integers stand for. Raises InvalidSetting for a constant that is no number."""
        layer, kind = self.layer, self.layer.neuron.of_kind
        known = kind.stands_for(layer.neuron.parameters, layer.scale)
        for name in learned:
            if isinstance(known.get(name), str):
                raise InvalidSetting(f"layer '{layer.name}'", f"its {name} is no number, and does not learn")
        weights = [
            torch.from_numpy(each.weights / self._factor(each, unit))
            for each, unit in zip(layer.connections, self.units, strict=True)
        ]
        constants = {name: torch.from_numpy(np.array(known[name], np.float64)) for name in learned if name in known}
        return LayerFloats(weights, constants)

    def rounded(self, floats: LayerFloats, made: Layer | None = None) -> TorchLayer:
        """On the integers that stand for the floats (``made``, if they are known), with the floats' gradients."""
        made = made or self.integers(floats)
        weights = [
            weights_on_grid(float_weights, self._factor(each, unit), each.weights, WeightGrid(each.weight_bits))
            for float_weights, each, unit in zip(floats.weights, made.connections, self.units, strict=True)
        ]
        constants = {}
        for name, value in floats.constants.items():
            constant, form = self._constant(name)
            exact = constant.rounded(value.double(), self.rounding.unrounded())
            integers = made.neuron.parameters[constant.parameter]
            constants[constant.parameter] = on_grid(exact, integers, form.low, form.high)
        return self._in_torch(weights, constants)

    def unrounded(self, floats: LayerFloats) -> TorchLayer:
        """In the same units, but with nothing rounded or cut off."""
        weights = [
            value.double() * on_device(self._factor(each, unit), value)
            for value, each, unit in zip(floats.weights, self.layer.connections, self.units, strict=True)
        ]
        constants = {}
        for name, value in floats.constants.items():
            constant, _ = self._constant(name)
            constants[constant.parameter] = constant.rounded(value.double(), self.rounding.unrounded())
        return self._in_torch(weights, constants)

    def integers(self, floats: LayerFloats) -> Layer:
        """The integers that stand for the floats; what lies beyond the ends of a grid or range comes to lie on them."""
        connections = tuple(
            replace(each, weights=self._integer_weights(each, unit, weights))
            for each, unit, weights in zip(self.layer.connections, self.units, floats.weights, strict=True)
        )
        parameters = dict(self.layer.neuron.parameters)
        for name, value in floats.constants.items():
            constant, form = self._constant(name)
            number = np.asarray(constant.rounded(array(value), self.rounding)).clip(form.low, form.high)
            parameters[constant.parameter] = number if number.ndim else int(number)
        return replace(self.layer, connections=connections, neuron=Neuron(self.layer.neuron.kind, parameters))

    def _integer_weights(self, connection: Connection, unit: float, weights: Tensor) -> Ints:
        grid = WeightGrid(connection.weight_bits)
        return grid.nearest(np.clip(array(weights) * self._factor(connection, unit), grid.low, grid.high))

    def _factor(self, connection: Connection, unit: float) -> Any:
        """Grid units in one unit of W: a number, or one for each neuron, (N, 1)."""
        shift = np.asarray(self.layer.neuron.parameters.get("activation_shift", 0))
        factor = unit * self.layer.scale / np.exp2(float(connection.exponent) + shift)
        return factor[:, None] if shift.ndim else float(factor)

    def _constant(self, name: str) -> tuple[Constant, Number]:
        kind = self.layer.neuron.of_kind
        constant = kind.constants[name]
        form = kind.parameters[constant.parameter]
        assert isinstance(form, Number), "looked at when its floats were taken"
        return constant, form

    def _in_torch(self, weights: Sequence[Tensor], constants: Mapping[str, Tensor]) -> TorchLayer:
        layer = self.layer
        connections = tuple(
            TorchConnection(each.source, given, each.exponent, lags(each.taps), each.delays)
            for each, given in zip(layer.connections, weights, strict=True)
        )
        neuron = Neuron(layer.neuron.kind, {**layer.neuron.parameters, **constants})
        return TorchLayer(layer.name, connections, neuron, self.width)


def learned_layers(
    network: IntegerNetwork, roundings: Sequence[Rounding] | None = None, widths: Sequence[float] | None = None
) -> tuple[LearnedLayer, ...]:
    """All layers of a network. Without ``roundings``, constants go to the nearest whole number; without ``widths``,
    the surrogate reaches as far as a membrane of 1 in the float network.
    """
    roundings = roundings or [to_whole_numbers(layer) for layer in network.layers]
    widths = widths or [layer.scale for layer in network.layers]
    return tuple(
        LearnedLayer(layer, tuple(_unit(network, each) for each in layer.connections), rounding, width)
        for layer, rounding, width in zip(network.layers, roundings, widths, strict=True)
    )


def to_whole_numbers(layer: Layer) -> Rounding:
    """At the layer's scale, to the nearest whole number."""
    return Rounding(layer.scale, layer.neuron.parameters.get("activation_shift", 0), np.rint, np.rint)


def _unit(network: IntegerNetwork, connection: Connection) -> float:
    return network.input.scale if connection.source == INPUT else 1.0
