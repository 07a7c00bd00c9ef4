"""Quantization that searches: scales, exponents, roundings and biases chosen by what they change on real samples.

Each layer is chosen by the spikes that differ from the float layer's (`layer_search`), the readout by the error of its
logits (`readout_search`). What is chosen is given back as float parameters on the grid and scales (`quantize.Plan`):
`integers.layer_at` rounds them as ever, so there is one place where a layer becomes integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from asrc_core.contract.rounding.grid import widths
from asrc_export.chip.targets import Target
from asrc_export.quantization.checks import require_finite
from asrc_export.quantization.quantize import Plan
from asrc_export.quantization.scales import Scales
from asrc_export.quantization.search import layer_search, readout_search
from asrc_export.quantization.search.activity import Activity
from asrc_export.quantization.search.layer_search import LayerChoice
from asrc_export.quantization.search.readout_search import ReadoutChoice
from asrc_train.trained.frozen import FrozenNetwork

Progress = Callable[[float, str], None]


class Measured(NamedTuple):
    """One layer, or the readout: how far it is from the float one on the calibration samples.

    Of a layer, the share of cells whose spike differs, teacher-forced; of the readout, the root mean square error of
    the logits against their spread; of all parts of a network with delays, the latter. ``data_free``: the same of the
    choice that needs no samples.
    """

    name: str
    bits: int
    error: float
    data_free: float


@dataclass(frozen=True, eq=False)
class Found:
    """What a search chose, and how each layer, then the readout, does on the samples it was chosen by."""

    plan: Plan
    measured: tuple[Measured, ...]
    samples: int


def search(
    frozen: FrozenNetwork,
    target: Target,
    bits: int | tuple[int, ...],
    activity: Activity,
    progress: Progress = lambda done, note: None,
    *,
    to_train: bool = False,
) -> Found:
    """The plan with the fewest differing spikes found for a network, for one width of weights or one for each part.

    ``to_train``: within what `scale_choice.choose` means by it. ``progress`` is told how many of the layers and the
    readout are done. Raises NonFiniteWeights, InvalidSetting.
    """
    require_finite(frozen)
    each = widths(bits, len(frozen.layers))
    layers = []
    for i, width in enumerate(each[:-1]):
        progress(i, frozen.layers[i].name)
        layers.append(layer_search.choose(frozen, i, target, width, activity.layers[i], to_train=to_train))
    progress(len(layers), "readout")
    readout = readout_search.choose(frozen, target, each[-1], activity)
    progress(len(each), "")
    chosen: list[LayerChoice | ReadoutChoice] = [*layers, readout]
    parts = zip((*(layer.name for layer in frozen.layers), "readout"), each, chosen, strict=True)
    measured = tuple(Measured(name, width, choice.error, choice.data_free) for name, width, choice in parts)
    return Found(together(frozen, target, bits, layers, readout), measured, activity.samples)


def together(
    frozen: FrozenNetwork,
    target: Target,
    bits: int | tuple[int, ...],
    layers: Sequence[LayerChoice],
    readout: ReadoutChoice,
) -> Plan:
    """The choices for all layers and the readout as one plan."""
    moved = replace(
        frozen,
        layers=tuple(choice.layer for choice in layers),
        readout_weight=readout.weight,
        readout_bias=readout.bias,
    )
    at = tuple(choice.at for choice in layers)
    return Plan(moved, Scales(target=target.name, bits=bits, layers=at, readout=readout.at))
