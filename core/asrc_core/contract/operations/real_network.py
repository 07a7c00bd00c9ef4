"""A float network as layers that the contract's interpreter runs: the kinds' own steps, on real numbers.

    session = Session(network, batch, RealArithmetic())

Its weights and its neurons' parameters are floats; nothing is shifted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import neurons
from asrc_core.contract.network import Neuron
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.constants import UNROUNDED
from asrc_core.contract.synapses.connection import INPUT, NOW
from asrc_core.contract.wiring import WiredTap, weights_by_lag

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RealConnection:
    """Real weights (N, I) from a source, with real taps or a delay for each synapse; nothing is shifted."""

    source: str
    weights: Floats
    taps: Sequence[WiredTap] = NOW
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
        return weights_by_lag(self)


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


def real_neuron(kind: str, constants: Mapping[str, Any]) -> Neuron:
    """A kind with the floats of a trained neuron for parameters, none of them rounded; what is left out is usual."""
    found = neurons.kind(kind)
    usual = {name: form.default for name, form in found.parameters.items()}
    return Neuron(kind, {**usual, **found.rounded(constants, UNROUNDED)})
