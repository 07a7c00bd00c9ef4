"""What the accumulators really reach on data, beside the worst case that the weights allow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_export.engines import numpy as engine
from asrc_export.network import IntegerNetwork
from asrc_export.ranges import Range

SAMPLES = 64


@dataclass(frozen=True)
class Observed:
    """Lowest and highest membrane (or readout accumulator) seen, and how many steps saturated."""

    name: str
    state: Range
    saturations: int


def observe(network: IntegerNetwork, x: NDArray[np.generic]) -> list[Observed]:
    """Run up to SAMPLES samples (B, T, channels) and watch every layer and the readout. Raises InvalidData."""
    result = engine.run(network, x[:SAMPLES], trace=True)
    assert result.trace is not None
    states = [*(layer.membrane for layer in result.trace.layers), result.trace.readout]
    return [
        Observed(name, Range(int(state.min()), int(state.max())), count.saturations)
        for name, state, count in zip(network.names, states, result.counts, strict=True)
    ]
