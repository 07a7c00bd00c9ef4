"""What a session has to know of a network: `IntegerNetwork` has it all, and so has a float network's counterpart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from asrc_core.contract.neurons.kind import Kind, Parameters, States
from asrc_core.contract.numbers import Ints


class WiredTap(Protocol):
    """One of the lags of a connection, and how many times what was sent then counts."""

    @property
    def span(self) -> int:
        """How many steps back."""

    @property
    def weight(self) -> float:
        """How many times."""


class WiredConnection(Protocol):
    """Weights (N, I) from a source, with taps, or a lag for each synapse in their place; see `Connection`."""

    @property
    def source(self) -> str:
        """The input, or a layer."""

    @property
    def weights(self) -> Any:
        """(N, I), an array of whatever the arithmetic computes with."""

    @property
    def exponent(self) -> int:
        """Of the sum."""

    @property
    def taps(self) -> Sequence[WiredTap]:
        """Ascending by span; empty with delays."""

    @property
    def delays(self) -> Ints | None:
        """(N, I) lags."""

    @property
    def neurons(self) -> int:
        """N."""

    @property
    def inputs(self) -> int:
        """I."""

    @property
    def longest_lag(self) -> int:
        """In steps."""

    def by_lag(self) -> Sequence[tuple[int, Any]]:
        """For every lag the weights (N, I) of what was sent so long ago."""


def weights_by_lag(connection: WiredConnection) -> list[tuple[int, Any]]:
    """`WiredConnection.by_lag` where the weights are an array of NumPy, of whichever numbers."""
    if connection.delays is None:
        return [(tap.span, connection.weights * tap.weight) for tap in connection.taps]
    lags = np.unique(connection.delays).tolist()
    return [(lag, np.where(connection.delays == lag, connection.weights, 0)) for lag in lags]


class WiredNeuron(Protocol):
    """A kind with its parameters."""

    @property
    def of_kind(self) -> Kind:
        """The kind."""

    @property
    def parameters(self) -> Parameters:
        """As the operations take them."""

    @property
    def states(self) -> States:
        """By name."""


class WiredLayer(Protocol):
    """N neurons and the connections that lead to them."""

    @property
    def connections(self) -> Sequence[WiredConnection]:
        """At least one."""

    @property
    def neuron(self) -> WiredNeuron:
        """What all N of them compute."""

    @property
    def neurons(self) -> int:
        """N."""


class Wired(Protocol):
    """Layers in the order in which they are computed, the readout last."""

    @property
    def layers(self) -> Sequence[WiredLayer]:
        """All of them."""

    def place(self, source: str) -> int:
        """Place of a source in the order of computation: -1 is the input, 0 the first layer."""
