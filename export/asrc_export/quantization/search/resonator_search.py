"""Ways to round a layer of resonators, for `layer_search` to judge by the spikes that they change.

Each neuron filters what it hears by poles of its own, so there are no second moments that are right for all of them.
Those of the inputs themselves are taken, around their mean: what a neuron sums up is wrong by (q - w) x[t], of which
the biases take up the mean and compensation (`compensation.compensated`) lessens the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.errors import InvalidSetting
from asrc_export.chip.targets import Formats
from asrc_export.quantization.checks import cannot_overflow
from asrc_export.quantization.integers import Feed, layer_at
from asrc_export.quantization.scale_choice import extent, fits
from asrc_export.quantization.scales import LayerScales
from asrc_export.quantization.search import compensation
from asrc_export.quantization.search.activity import LayerActivity
from asrc_train.trained.frozen import Floats, FrozenLayer

PARTS = 8
"""Grid units are tried in steps of this fraction of an octave."""
CUT_OCTAVES = 2
"""Down to this many octaves below the unit at which the largest weight fits; what lies beyond is cut off."""
TRIED = 4
"""Units, those with the least error, that are run."""


def candidates(
    layer: FrozenLayer,
    into: Sequence[Feed],
    start: LayerScales,
    grid: WeightGrid,
    formats: Formats,
    activity: LayerActivity,
) -> Iterator[tuple[FrozenLayer, LayerScales]]:
    """The layer, its weights and biases moved to where they are rounded as wanted, and scales about as large as those
    of ``start`` at which no state can saturate.
    """
    unit = into[0].unit
    if any(each.unit != unit for each in into):
        return
    weights = layer.weight * unit
    mean, moments = spread(activity)
    moments = compensation.settled(moments, (slice(0, len(moments)),))
    for grid_unit in _promising(weights, grid, moments):
        values = compensation.on_grid(weights, np.full(len(moments), grid_unit), grid, moments)
        moved = layer.moved(weight=values / unit, bias=layer.bias - (values - weights) @ mean)
        at = _scales(moved, into, grid_unit, start, grid, formats)
        if at is not None:
            yield moved, at


def spread(activity: LayerActivity) -> tuple[Floats, Floats]:
    """Mean (I,) and covariance (I, I) of what the layer hears, over all steps and samples."""
    heard = np.concatenate(activity.arrived, axis=2)
    rows = heard.reshape(-1, heard.shape[2])
    mean = rows.mean(axis=0, dtype=np.float64)
    moments = (rows.T @ rows).astype(np.float64) / len(rows)
    return mean, moments - np.outer(mean, mean)


def _promising(weights: Floats, grid: WeightGrid, moments: Floats) -> list[float]:
    """Values of a grid unit with the least error of plain rounding."""
    reach = extent(weights, grid)
    if reach == 0:
        return []
    units = [reach * 2.0 ** (-part / PARTS) for part in range(PARTS * CUT_OCTAVES + 1)]

    def error(unit: float) -> float:
        values = grid.nearest(np.clip(weights / unit, grid.low, grid.high)) * unit
        return compensation.error(weights, values, moments)

    return sorted(units, key=error)[:TRIED]


def _scales(
    layer: FrozenLayer,
    into: Sequence[Feed],
    grid_unit: float,
    start: LayerScales,
    grid: WeightGrid,
    formats: Formats,
) -> LayerScales | None:
    """The largest scale up to twice that of the start at which a grid unit has that value and nothing can saturate."""
    shift = formats.activation_shift.count
    highest = min(int(np.floor(np.log2(2 * start.scale * grid_unit))) - shift, formats.max_weight_exponent.count)
    for exponent in range(highest, max(highest - 4, formats.min_weight_exponent.count - 1), -1):
        at = start.model_copy(update={"scale": 2.0 ** (exponent + shift) / grid_unit, "feedforward_exponent": exponent})
        if not fits(layer, at.scale, formats):  # a bias would be cut off
            continue
        try:
            made = layer_at(layer, into, at, grid, formats)
        except InvalidSetting:  # a neuron has no numbers there
            continue
        if cannot_overflow(made, into, formats):
            return at
    return None
