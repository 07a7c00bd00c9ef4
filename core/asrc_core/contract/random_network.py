"""Random valid integer networks, for parity suites and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import STATE_MAX, Mapping, Reset, Tap
from asrc_core.contract.grid import WeightGrid
from asrc_core.contract.network import InputFormat, IntegerNetwork, Readout, SkipLayer, validate


def random_network(
    seed: int,
    *,
    channels: int = 1,
    widths: Sequence[int] = (64, 128, 128),
    spans: Sequence[int | Sequence[tuple[int, int]]] = (9, 25, 11),
    classes: int = 10,
    steps: int = 784,
    input_range: tuple[int, int] = (0, 255),
    exponents: tuple[int, int] = (0, 0),
    weight_bits: int = 8,
    activation_shift: int = 6,
    decay: int = 2048,
    reset: Reset = "soft",
    mapping: Mapping = "delay-line",
    threshold: int | None = None,
) -> IntegerNetwork:
    """A network with random weights and biases that fires a little, unless told otherwise.

    An entry of ``spans`` is a layer's span, or its taps as pairs of span and weight. ``exponents`` are those of the
    feed-forward and recurrent connections. Without ``threshold``, each layer gets one at about the spread of its
    drive, so that neurons of every layer fire now and then.
    """
    rng = np.random.default_rng(seed)
    grid = WeightGrid(weight_bits)

    def weights(rows: int, columns: int) -> NDArray[np.int64]:
        return grid.nearest(rng.normal(0, 60, (rows, columns)).clip(grid.low, grid.high))

    layers: list[SkipLayer] = []
    fan_in = channels
    low, high = input_range
    power = max(1.0, (low * low + high * high) / 3)  # mean square of an input
    for i, (width, heard) in enumerate(zip(widths, spans, strict=True)):
        taps = () if isinstance(heard, int) else tuple(Tap(*pair) for pair in heard)
        drive = 60 * np.sqrt(fan_in * power) * 2.0 ** (exponents[0] + activation_shift)
        level = int(np.clip(drive * 1.5, 1, STATE_MAX)) if threshold is None else threshold
        layers.append(
            SkipLayer(
                name=f"layer{i}",
                feedforward=weights(width, fan_in),
                feedforward_exponent=exponents[0],
                recurrent=weights(width, width),
                recurrent_exponent=exponents[1],
                bias=rng.integers(-level // 4, level // 2 + 1, width),
                decay=decay,
                threshold=level,
                span=heard if isinstance(heard, int) else taps[-1].span,
                reset=reset,
                activation_shift=activation_shift,
                weight_bits=weight_bits,
                scale=float(level),
                taps=taps,
            )
        )
        fan_in, power = width, 0.1
    readout = Readout("readout", weights(classes, fan_in), 0, rng.integers(-9, 10, classes), weight_bits, 1.0)
    entry = InputFormat(channels, low, high, 1.0 / max(1, abs(low), abs(high)))
    network = IntegerNetwork(entry, tuple(layers), readout, mapping, "loihi2", steps)
    return validate(network)


def with_spike_rate(network: IntegerNetwork, x: NDArray[np.generic], rate: float) -> IntegerNetwork:
    """The same network with each layer's threshold moved so that on ``x`` about ``rate`` of its cells spike."""
    from asrc_export.engines import numpy as engine

    for i, layer in enumerate(network.layers):
        low, high = 1, STATE_MAX
        while high - low > max(1, low // 50):
            middle = (low + high) // 2
            layers = (*network.layers[:i], replace(layer, threshold=middle), *network.layers[i + 1 :])
            network = replace(network, layers=layers)
            count = engine.run(network, x).counts[i]
            low, high = (middle, high) if count.spikes > rate * count.neuron_updates else (low, middle)
    return validate(network)
