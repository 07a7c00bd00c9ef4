"""Small float networks, ready to be quantized, that no training made."""

from __future__ import annotations

from typing import Any

import numpy as np

from asrc_core.contract.connection import INPUT
from asrc_train.trained.freeze import FrozenNetwork, skip_layer


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
