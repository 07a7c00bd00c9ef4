"""Networks with convolutions, drawn."""

from __future__ import annotations

import math

import numpy as np

from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.synapses.connection import INPUT, Connection, span
from asrc_core.contract.synapses.convolution import Convolution

FIRST = Convolution((2, 9, 11), (8, 5, 6), (3, 3), (2, 2), (1, 1), (1, 1))
GROUPED = Convolution(FIRST.layer, (12, 4, 5), (2, 2), (1, 1), (0, 0), (1, 1), groups=4)
IN_A_ROW = Convolution((6, 40), (16, 12), (5,), (3,), (2,), (2,))


def network(seed: int, *convolutions: Convolution, steps: int = 30) -> IntegerNetwork:
    """A layer for each convolution; the first one hears itself, too, and the last the input with delays."""
    rng = np.random.default_rng(seed)
    first = convolutions[0]
    layers: list[Layer] = []
    for i, convolution in enumerate(convolutions):
        kernel = 2 * rng.integers(-60, 90, convolution.kernel_shape) * (rng.random(convolution.kernel_shape) < 0.8)
        weights, neurons = convolution.unrolled(kernel), convolution.shape[0]
        before = f"layer{i - 1}" if i else INPUT
        connections = [Connection(before, weights, 0, 8, convolution=convolution)]
        if i == 0:
            back = 2 * rng.integers(-20, 20, (neurons, neurons)) * (rng.random((neurons, neurons)) < 0.1)
            connections.append(Connection("layer0", back, 0, 8, span(2)))
        else:
            shape = (neurons, math.prod(first.source))
            late = rng.integers(0, 20, shape)
            connections.append(Connection(INPUT, 2 * rng.integers(-3, 4, shape), 0, 8, (), late, "synaptic-delay"))
        parameters = {
            "bias": rng.integers(-40, 60, neurons),
            "decay": 600,
            "threshold": rng.integers(300, 500, neurons) if i else 400,
            "activation_shift": 0,
            "reset": "soft",
        }
        layers.append(Layer(f"layer{i}", tuple(connections), Neuron("lif", parameters)))
    last = 2 * rng.integers(-100, 100, (3, layers[-1].neurons))
    layers.append(Layer("readout", (Connection(layers[-1].name, last, 0, 8),), Neuron("integrator", {"bias": 0})))
    entry = InputFormat(math.prod(first.source), 0, 1 if seed % 2 else 3, 1.0)
    return IntegerNetwork(entry, tuple(layers), "loihi2", steps)
