"""Bits of resonators' poles and read-outs: for each layer the fewest that change hardly more spikes than the most do.

Long memories need many bits of their poles and short ones few, which only samples tell. A layer is judged by the spikes
that differ from the float layer's when it hears what that one hears (`layer_search.forced`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from asrc_core.contract.rounding.grid import WeightGrid, widths
from asrc_core.contract.rounding.resonators import LEAST_MODE_BITS, LEAST_POLE_BITS, MOST_POLE_BITS, READOUT_BITS
from asrc_core.errors import InvalidSetting
from asrc_export.chip.targets import Target
from asrc_export.quantization.checks import cannot_overflow
from asrc_export.quantization.integers import feeds, layer_at
from asrc_export.quantization.quantize import Plan
from asrc_export.quantization.resonators import KIND, layer_with
from asrc_export.quantization.search.activity import Activity
from asrc_export.quantization.search.layer_search import forced
from asrc_train.trained.frozen import FrozenLayer

MORE = 0.1
"""Share by which more spikes may differ than at the most bits."""


def fewest(plan: Plan, target: Target, activity: Activity, *, poles: bool, modes: bool) -> Plan:
    """The plan with the fewest bits of ``poles``, then of what reads the ``modes``, layer by layer."""
    grids = [WeightGrid(width) for width in widths(plan.scales.bits, len(plan.frozen.layers))]
    found = []
    for i, layer in enumerate(plan.frozen.layers):

        def differing(tried: FrozenLayer, i: int = i) -> int | None:
            into = feeds(plan.frozen, i)
            try:
                made = layer_at(tried, into, plan.scales.layers[i], grids[i], target.formats)
            except InvalidSetting:  # poles that a few bits put too near to the unit circle
                return None
            return forced(made, activity.layers[i]) if cannot_overflow(made, into, target.formats) else None

        if layer.kind == KIND and poles:
            layer = _least(layer, "pole_bits", LEAST_POLE_BITS, MOST_POLE_BITS, differing)
        if layer.kind == KIND and modes:
            layer = _least(layer, "mode_bits", LEAST_MODE_BITS, READOUT_BITS, differing)
        found.append(layer)
    return plan._replace(frozen=replace(plan.frozen, layers=tuple(found)))


def _least(
    layer: FrozenLayer, setting: str, low: int, high: int, differing: Callable[[FrozenLayer], int | None]
) -> FrozenLayer:
    """The layer with the fewest bits, found by halving: fewer are taken to change more."""
    at_most = differing(layer_with(layer, setting, high))
    if at_most is None:
        return layer
    while low < high:
        middle = (low + high) // 2
        changed = differing(layer_with(layer, setting, middle))
        low, high = (low, middle) if changed is not None and changed <= (1 + MORE) * at_most else (middle + 1, high)
    return layer_with(layer, setting, high)
