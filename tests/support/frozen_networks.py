"""Small float networks, ready to be quantized, that no training made."""

from __future__ import annotations

from typing import Any

import numpy as np

from asrc_core.contract.synapses.connection import INPUT
from asrc_train.trained.frozen import FrozenConnection, FrozenLayer, FrozenNetwork, WeightedTap, skip_layer


def frozen_network(seed: int, *, spread: float = 1.0, **layer: Any) -> FrozenNetwork:
    """Two layers of 7 and 5 neurons behind 2 channels of integers from 0 to 16, 20 steps, 4 classes."""
    rng = np.random.default_rng(seed)
    layers, fan_in = [], 2
    for i, width in enumerate((7, 5)):
        bound = spread / np.sqrt(fan_in)
        floats: dict[str, Any] = {
            "weight": rng.uniform(-bound, bound, (width, fan_in)),
            "recurrent": np.linalg.qr(rng.normal(size=(width, width)))[0],
            "bias": rng.uniform(-bound, bound, width),
            "decay_factor": 0.5,
            "threshold": 1.0,
            "reset": "soft",
            "span": 3 + i,
        }
        source = f"layer{i - 1}" if i else INPUT
        layers.append(skip_layer(f"layer{i}", source=source, **{**floats, **layer}))
        fan_in = width
    out = rng.uniform(-0.4, 0.4, (4, fan_in)), rng.uniform(-0.4, 0.4, 4)
    return FrozenNetwork(tuple(layers), *out, 2, 20, 1 / 16, 16, None, {})


def connected_network(seed: int) -> FrozenNetwork:
    """A delay for each synapse of one layer, a skip past it, feedback into it, taps of another."""
    rng = np.random.default_rng(seed)

    def weights(rows: int, columns: int, scale: float = 1.0) -> Any:
        return rng.normal(0, scale / np.sqrt(columns), (rows, columns))

    def constants(neurons: int) -> dict[str, Any]:
        return {"bias": rng.uniform(0, 0.3, neurons), "threshold": 1.0, "decay_factor": 0.5, "reset": "soft"}

    first = FrozenLayer(
        "first",
        (
            FrozenConnection(INPUT, weights(7, 2, 2.0), delays=rng.integers(0, 6, (7, 2))),
            FrozenConnection("first", weights(7, 7), delays=rng.integers(1, 9, (7, 7))),
            FrozenConnection("second", weights(7, 5), (WeightedTap(2, 1.0),)),
        ),
        "cuba-lif",
        {**constants(7), "current_decay_factor": 0.3},
    )
    second = FrozenLayer(
        "second",
        (
            FrozenConnection("first", weights(5, 7, 2.0)),
            FrozenConnection(INPUT, weights(5, 2), (WeightedTap(3, 1.0),)),
            FrozenConnection("second", weights(5, 5), (WeightedTap(1, 0.75), WeightedTap(4, 0.25))),
        ),
        "lif",
        constants(5),
    )
    out = rng.uniform(-0.4, 0.4, (4, 5)), rng.uniform(-0.4, 0.4, 4)
    return FrozenNetwork((first, second), *out, 2, 20, 1 / 16, 16, None, {})
