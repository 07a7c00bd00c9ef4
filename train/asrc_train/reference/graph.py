"""Neurons and synapses of an exact network: one list of neurons, any connections between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Graph:
    """tau_m V' = -V + I, tau_s I' = -I. A neuron fires where V reaches theta from below, and V := 0; I stays.

    ``weights_in``, ``delays_in`` (N, inputs) lead from the inputs, ``weights``, ``delays`` (N, N) from neurons, row to
    column's target: entry [m, n] leads from n to m. A weight of exactly 0 is no synapse. ``thresholds`` (N,):
    infinity for leaky integrators. The last ``outputs`` neurons answer. Times in any unit, all in the same.

    Raises InvalidSetting for shapes that do not fit, negative delays, and delays of 0 that do not lead to a later
    neuron: a circle of them has no order.
    """

    tau_membrane: float
    tau_synapse: float
    thresholds: Floats
    weights_in: Floats
    delays_in: Floats
    weights: Floats
    delays: Floats
    outputs: int

    def __post_init__(self) -> None:
        n = len(self.thresholds)
        if self.weights_in.shape != self.delays_in.shape or self.weights_in.shape[:1] != (n,):
            raise InvalidSetting(
                "graph, weights_in", f"its shape and that of its delays are not those of {plural(n, 'neuron')}"
            )
        if self.weights.shape != (n, n) or self.delays.shape != (n, n):
            raise InvalidSetting("graph, weights", f"its shape or that of its delays is not ({n}, {n})")
        if not (self.tau_membrane > 0 and self.tau_synapse > 0 and (self.thresholds > 0).all()):
            raise InvalidSetting("graph", "time constants and thresholds are above 0")
        if (self.delays < 0).any() or (self.delays_in < 0).any():
            raise InvalidSetting("graph, delays", "a delay is below 0")
        if np.tril(((self.delays == 0) & (self.weights != 0)).T).any():
            raise InvalidSetting("graph, delays", "a delay of 0 does not lead to a later neuron; give it some time")

    @property
    def neurons(self) -> int:
        """N."""
        return len(self.thresholds)
