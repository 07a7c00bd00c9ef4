"""The float network as layers that the contract's interpreter runs: the kinds' own steps, on real numbers.

    session = Session(real_network.of(frozen), batch, RealArithmetic())

Its input are integer samples times ``frozen.scale``. The sums are those of the training kernels in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.connection import INPUT
from asrc_core.contract.network import Neuron
from asrc_core.contract.numbers import DECAY_ONE, Ints
from asrc_core.contract.rounding.constants import UNROUNDED
from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork, WeightedTap

NOW = (WeightedTap(0, 1.0),)


@dataclass(frozen=True, eq=False)
class RealConnection:
    """Real weights (N, I) from a source, with real taps or a delay for each synapse; nothing is shifted."""

    source: str
    weights: Floats
    taps: tuple[WeightedTap, ...] = NOW
    delays: Ints | None = None
    exponent: int = 0

    @property
    def neurons(self) -> int:
        """N."""
        return int(self.weights.shape[0])

    @property
    def inputs(self) -> int:
        """I."""
        return int(self.weights.shape[1])

    @property
    def longest_lag(self) -> int:
        """In steps."""
        return self.taps[-1].span if self.delays is None else int(self.delays.max())

    def by_lag(self) -> list[tuple[int, Floats]]:
        """For every lag the weights (N, I) of what was sent so long ago."""
        if self.delays is None:
            return [(tap.span, self.weights * tap.weight) for tap in self.taps]
        return [(lag, np.where(self.delays == lag, self.weights, 0.0)) for lag in np.unique(self.delays).tolist()]


@dataclass(frozen=True, eq=False)
class RealLayer:
    """N neurons of a kind, its parameters real numbers."""

    name: str
    connections: tuple[RealConnection, ...]
    neuron: Neuron

    @property
    def neurons(self) -> int:
        """N."""
        return self.connections[0].neurons


@dataclass(frozen=True, eq=False)
class RealNetwork:
    """Layers in the order in which they are computed, the readout last."""

    layers: tuple[RealLayer, ...]

    def place(self, source: str) -> int:
        """-1 is the input, 0 the first layer."""
        return -1 if source == INPUT else [layer.name for layer in self.layers].index(source)


def of(frozen: FrozenNetwork) -> RealNetwork:
    """The layers of whatever kind, and a readout: a layer of its own, or an `integrator`."""
    layers = [_layer(layer) for layer in frozen.layers]
    if frozen.decides is not None:
        return RealNetwork((*layers, _layer(frozen.decides)))
    adding: dict[str, Any] = {
        "decay": 0,
        "current_decay": DECAY_ONE,
        "activation_shift": 0,
        "time_weights": None,
        "weight_shift": 0,
    }
    last = Neuron("integrator", {"bias": frozen.readout_bias, **adding})
    readout = RealLayer("readout", (RealConnection(layers[-1].name, frozen.readout_weight),), last)
    return RealNetwork((*layers, readout))


def _layer(layer: FrozenLayer) -> RealLayer:
    connections = (RealConnection(each.source, each.weight, each.taps, each.delays) for each in layer.connections)
    kind = layer.of_kind
    usual = {name: form.default for name, form in kind.parameters.items()}
    neuron = Neuron(layer.kind, {**usual, **kind.rounded(layer.constants, UNROUNDED)})
    return RealLayer(layer.name, tuple(connections), neuron)
