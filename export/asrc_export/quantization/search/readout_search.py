"""The readout's scale, exponent, weights and bias by the error of the logits that they give on samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from asrc_core.contract.arithmetic import shift
from asrc_core.contract.chain import Readout
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_export.chip.targets import Formats, Target
from asrc_export.quantization.integers import readout_at
from asrc_export.quantization.scale_choice import choose_readout, extent, largest_readout
from asrc_export.quantization.scales import ReadoutScales
from asrc_export.quantization.search import compensation
from asrc_export.quantization.search.activity import Activity
from asrc_export.quantization.search.layer_search import CHUNK_STEPS, CUT_OCTAVES, PARTS
from asrc_train.trained.frozen import Floats, FrozenNetwork


class ReadoutChoice(NamedTuple):
    """The readout's float parameters, moved to where they are rounded as wanted, and its scale.

    error: root mean square error of the logits against their spread; data_free: that of the choice without samples.
    """

    weight: Floats
    bias: Floats
    at: ReadoutScales
    error: float
    data_free: float


def choose(frozen: FrozenNetwork, target: Target, bits: int, activity: Activity) -> ReadoutChoice:
    """The readout with the least error of the logits. Raises InvalidSetting if no exponent is feasible."""
    grid, formats = WeightGrid(bits), target.formats
    start = choose_readout(frozen, grid, formats)
    best = frozen.readout_weight, frozen.readout_bias, start
    least = data_free = _logit_error(*best, grid, formats, activity)
    for candidate in _candidates(frozen, grid, formats, activity):
        error = _logit_error(*candidate, grid, formats, activity)
        if error < least:
            least, best = error, candidate
    return ReadoutChoice(*best, least, data_free)


def _candidates(
    frozen: FrozenNetwork, grid: WeightGrid, formats: Formats, activity: Activity
) -> Iterator[tuple[Floats, Floats, ReadoutScales]]:
    """Feasible ways to round the readout, compensated by how its inputs' spike counts vary together."""
    weight, bias = frozen.readout_weight, frozen.readout_bias
    spikes = activity.layers[-1].spikes
    counts = spikes.sum(axis=0, dtype=np.float64)
    moments = np.cov(counts.T, bias=True).reshape(weight.shape[1], weight.shape[1])
    moments = 0.5 * (moments + np.diag(moments.diagonal()))  # fewer samples than neurons: half of what they say
    moments = compensation.settled(moments, (slice(None),))
    reach = extent(weight, grid)
    for part in range(PARTS * CUT_OCTAVES + 1 if reach else 0):
        unit = reach * 2.0 ** (-part / PARTS)
        values = compensation.on_grid(weight, np.full(weight.shape[1], unit), grid, moments)
        moved = bias - (values - weight) @ counts.mean(axis=0) / len(spikes)
        at = largest_readout(values, moved, unit, frozen.steps, grid, formats)
        if at is not None:
            yield values, moved, at


def _logit_error(
    weight: Floats, bias: Floats, at: ReadoutScales, grid: WeightGrid, formats: Formats, activity: Activity
) -> float:
    """Root mean square error of the logits against the float ones' spread; what all classes share does not count."""
    logits = _accumulated(readout_at(weight, bias, at, grid, formats), activity) / at.scale
    off, spread = (_centred(each) for each in (logits - activity.logits, activity.logits))
    return float(np.sqrt(np.square(off).mean() / max(np.square(spread).mean(), 1e-30)))


def _accumulated(made: Readout, activity: Activity) -> Ints:
    """The readout's accumulators (B, C) after the float network's last spikes; none saturates, which is proven."""
    weights = made.weight.T.astype(np.float64)
    spikes = activity.layers[-1].spikes
    y = np.zeros((activity.samples, made.classes), np.int64)
    for first in range(0, len(spikes), CHUNK_STEPS):
        y += shift(compensation.exact(spikes[first : first + CHUNK_STEPS], weights), made.exponent).sum(axis=0)
    return y + len(spikes) * made.bias


def _centred(logits: Floats) -> Floats:
    centred: Floats = logits - logits.mean(axis=1, keepdims=True)
    return centred
