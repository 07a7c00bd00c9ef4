"""The float network as layers that the contract's interpreter runs: the kinds' own steps, on real numbers.

    session = Session(real_network.of(frozen), batch, RealArithmetic())

Its input are integer samples times ``frozen.scale``. The sums are those of the training kernels in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asrc_core.contract.connection import INPUT
from asrc_core.contract.network import Neuron
from asrc_core.contract.numbers import DECAY_ONE
from asrc_train.trained.freeze import Floats, FrozenLayer, FrozenNetwork, WeightedTap

NOW = (WeightedTap(0, 1.0),)


@dataclass(frozen=True, eq=False)
class RealConnection:
    """Real weights (N, I) from a source, with real taps; nothing is shifted, no synapse has a lag of its own."""

    source: str
    weights: Floats
    taps: tuple[WeightedTap, ...] = NOW
    exponent: int = 0
    delays: None = None

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
        return self.taps[-1].span

    def by_lag(self) -> list[tuple[int, Floats]]:
        """For every lag the weights (N, I) of what was sent so long ago."""
        return [(tap.span, self.weights * tap.weight) for tap in self.taps]


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
    """The layers of kind `lif`, and a readout of kind `integrator`."""
    sources = [INPUT, *(layer.name for layer in frozen.layers)]
    layers = [_layer(layer, source) for layer, source in zip(frozen.layers, sources, strict=False)]
    adding: dict[str, Any] = {"decay": 0, "current_decay": DECAY_ONE, "activation_shift": 0, "time_weights": None}
    last = Neuron("integrator", {"bias": frozen.readout_bias, **adding})
    return RealNetwork((*layers, RealLayer("readout", (RealConnection(sources[-1], frozen.readout_weight),), last)))


def _layer(layer: FrozenLayer, source: str) -> RealLayer:
    forward = RealConnection(source, layer.weight)
    back = RealConnection(layer.name, layer.recurrent, layer.heard)
    parameters = {
        "bias": layer.bias,
        "decay": DECAY_ONE * (1.0 - layer.decay),
        "threshold": layer.threshold,
        "activation_shift": 0,
        "reset": layer.reset,
    }
    return RealLayer(layer.name, (forward, back), Neuron("lif", parameters))
