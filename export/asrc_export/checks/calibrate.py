"""What the accumulators really reach on data, beside the worst case that the weights allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.ranges import Range
from asrc_export.checks import firing
from asrc_export.checks.firing import Firing
from asrc_export.engines import numpy as engine

SAMPLES = 64


@dataclass(frozen=True)
class Observed:
    """Lowest and highest membrane (or readout accumulator) seen, how many steps saturated, how a layer's neurons fire
    (None for the readout).
    """

    name: str
    state: Range
    saturations: int
    firing: Firing | None


def observe(network: IntegerNetwork, x: NDArray[np.generic]) -> list[Observed]:
    """Run up to SAMPLES samples (B, T, channels) and watch every layer and the readout. Raises InvalidData."""
    result = engine.run(network, x[:SAMPLES], trace=True)
    assert result.trace is not None
    layers = result.trace.layers
    states = [*(layer.membrane for layer in layers), result.trace.readout]
    fired = [firing.of_spikes(layer.name, trace.spikes) for layer, trace in zip(network.hidden, layers, strict=True)]
    return [
        Observed(name, Range(int(state.min()), int(state.max())), count.saturations, how)
        for name, state, count, how in zip(network.names, states, result.counts, [*fired, None], strict=True)
    ]
