"""Scales of a network with delays, by what the whole network answers on samples.

Where synapses have delays of their own, a layer may shift what arrives by 0 bits to the target's 6 (`scale_choice`).
More bits below a weight's unit cost bits of the weights, since no state may saturate, and save what currents and
membranes lose in each step; which of the two matters depends on how often and how late neurons fire. So for one layer
after the other each shift is tried with its best scale, and the one is kept at which the answers err least.

The first candidate is the choice that needs no samples, so the one found is not worse on these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import InputFormat, IntegerNetwork
from asrc_core.contract.neurons.first_spike import LATEST
from asrc_core.contract.rounding.grid import WeightGrid, widths
from asrc_export import float_network
from asrc_export.chip.targets import Target
from asrc_export.engines import select
from asrc_export.quantization import scale_choice
from asrc_export.quantization.integers import deciding_at, feeds, layer_at
from asrc_export.quantization.quantize import Plan
from asrc_export.quantization.scales import Scales
from asrc_export.quantization.search.search import Found, Measured
from asrc_train.trained.frozen import Floats, FrozenNetwork

SAMPLES = 256
"""Samples that are run for each candidate."""


def search(
    frozen: FrozenNetwork,
    target: Target,
    bits: int | tuple[int, ...],
    samples: NDArray[np.generic],
    progress: Callable[[float, str], None] = lambda done, note: None,
    *,
    to_train: bool = False,
) -> Found:
    """The plan with the least error of the answers found for a network with a readout that is a layer of its own.

    samples: integers (n, T, channels), of which the first SAMPLES are run. What is measured of each part is the error
    of the network's answers once the part is chosen; a first spike that did not come counts as one after the last step.
    Raises NonFiniteWeights, InvalidSetting.
    """
    assert frozen.decides is not None, "its readout is a layer"
    samples = samples[:SAMPLES]
    wanted = float_network.logits(frozen, samples).astype(np.float64)
    chosen = scale_choice.choose(frozen, target, bits, to_train=to_train)
    grids = [WeightGrid(width) for width in widths(bits, len(frozen.layers))]
    engine, first_spike = select.engine(), frozen.decides.kind == "first-spike"

    def error(scales: Scales) -> float:
        network = _integers(frozen, target, grids, scales)
        answers = engine.run(network, samples).logits.astype(np.float64)
        return off(np.maximum(answers, LATEST - frozen.steps) if first_spike else answers, wanted)

    least = data_free = error(chosen)
    measured = []
    for i in range(len(frozen.layers) + 1):
        name = [*(layer.name for layer in frozen.layers), "readout"][i]
        progress(i, name)
        for candidate in _candidates(frozen, target, grids, chosen, i, to_train):
            found = error(candidate)
            if found < least:
                least, chosen = found, candidate
        measured.append(Measured(name, grids[i].bits, least, data_free))
    progress(len(grids), "")
    return Found(Plan(frozen, chosen), tuple(measured), len(samples))


def off(answers: Floats, wanted: Floats) -> float:
    """Root mean square error of answers (n, C) against the spread of those wanted, in the scale that fits best; what
    all classes share does not count.
    """
    a, b = (each - each.mean(axis=1, keepdims=True) for each in (answers, wanted))
    power = max(float(np.square(a).sum() * np.square(b).sum()), 1e-30)
    return float(np.sqrt(max(0.0, 1.0 - max(0.0, float((a * b).sum())) ** 2 / power)))


def _candidates(
    frozen: FrozenNetwork, target: Target, grids: list[WeightGrid], chosen: Scales, i: int, to_train: bool
) -> list[Scales]:
    """The scales with those of one part in place of its own, for each shift that is feasible."""
    into, formats = feeds(frozen, i), target.formats
    programmable = target.neurons is None or target.neurons.programmable
    if i < len(frozen.layers):
        tried = scale_choice.of_each_shift(frozen.layers[i], into, grids[i], formats, to_train, own_shift=programmable)
        return [chosen.model_copy(update={"layers": (*chosen.layers[:i], at, *chosen.layers[i + 1 :])}) for at in tried]
    assert frozen.decides is not None
    readouts = scale_choice.deciding_of_each_shift(
        frozen.decides, into, frozen.steps, grids[i], formats, own_shift=programmable
    )
    return [chosen.model_copy(update={"readout": at}) for at in readouts]


def _integers(frozen: FrozenNetwork, target: Target, grids: list[WeightGrid], scales: Scales) -> IntegerNetwork:
    assert frozen.decides is not None
    layers = [
        layer_at(layer, feeds(frozen, i), at, grid, target.formats)
        for i, (layer, at, grid) in enumerate(zip(frozen.layers, scales.layers, grids, strict=False))
    ]
    into = feeds(frozen, len(layers))
    last = deciding_at(frozen.decides, into, scales.readout, grids[-1], target.formats)
    return IntegerNetwork(
        input=InputFormat(frozen.channels, 0, frozen.maximum, frozen.scale),
        layers=(*layers, last),
        target=target.name,
        steps=frozen.steps,
        permutation=frozen.permutation,
    )
