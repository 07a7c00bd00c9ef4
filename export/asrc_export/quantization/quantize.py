"""From a frozen float network to integers: post-training quantization within a target's number formats.

First the scales are chosen (`scale_choice`), then parameters are rounded at them (`integers`): a checkpoint that was
trained at given scales is only rounded, by the very functions that rounded it in training. Where samples are at hand,
`search` chooses better, by what comes out: its `Plan` is rounded here, too. Every rounding is logged (`rounding_log`),
and whatever the input, no membrane can saturate (`checks`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from asrc_core import __version__
from asrc_core.contract.file.network_file import contract_version
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer
from asrc_core.contract.numbers import Mapping
from asrc_core.contract.rounding.grid import WeightGrid, widths
from asrc_core.errors import InvalidSetting
from asrc_export.chip import devices, rules
from asrc_export.chip.devices import Device
from asrc_export.chip.targets import Target
from asrc_export.quantization import resonators, rounding_log, taps
from asrc_export.quantization.checks import cannot_overflow, readout_may_saturate, require_finite, require_spans
from asrc_export.quantization.integers import deciding_at, feeds, layer_at, readout_at, with_shift
from asrc_export.quantization.rounding_log import Rounded
from asrc_export.quantization.scale_choice import choose, trained_at
from asrc_export.quantization.scales import PROVENANCE_KEY, Scales
from asrc_train.trained.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Quantized:
    """An integer network, how it was rounded, and the hardware limits worth knowing that do not block it."""

    network: IntegerNetwork
    rounding: list[Rounded]
    findings: list[rules.Finding]


class Plan(NamedTuple):
    """Scales, and the float network with its parameters moved to where rounding at them gives the integers wanted."""

    frozen: FrozenNetwork
    scales: Scales


def quantize(
    frozen: FrozenNetwork,
    target: Target,
    *,
    bits: int | tuple[int, ...] = 8,
    mapping: Mapping = "delay-line",
    plan: Plan | None = None,
    device: Device | None = None,
    own_shifts: bool = True,
) -> Quantized:
    """The integer network that stands for a frozen float network on a target.

    ``bits``: the width of all weights, or one for each layer and the readout. Scales that a network was trained at
    (`scales.kept`), for this target and these bits, are used as they are, and then stand in its provenance. Otherwise
    a ``plan`` found by `search` for this target and these bits is, or else the scales that `choose` finds, for which
    ``own_shifts`` is meant. For a ``device`` the target gives the number formats only, and the limits are the device's.

    Raises NonFiniteWeights, SpanTooLong (naming the layer), InvalidSetting (bits, or weights that no scale fits, or
    not the one trained at), RulesBroken (all hardware limits that block, at once).
    """
    for name, given, kind in (("frozen", frozen, FrozenNetwork), ("target", target, Target)):
        if not isinstance(given, kind):
            raise InvalidSetting(name, f"it is a {type(given).__name__}; give a {kind.__name__}")
    require_spans(frozen, mapping)
    require_finite(frozen)
    stated = resonators.balanced(frozen)
    frozen = taps.whole(stated)
    trained, formats = trained_at(frozen, target, bits), target.formats
    moved, scales = (
        Plan(frozen, trained) if trained else plan or Plan(frozen, choose(frozen, target, bits, own_shifts=own_shifts))
    )
    *grids, readout_grid = (WeightGrid(width) for width in widths(bits, len(frozen.layers)))
    assert (scales.target, scales.widths) == (target.name, widths(bits, len(frozen.layers))), "another plan's bits"
    layers: list[Layer] = []
    rounding: list[Rounded] = []
    for i, (float_layer, at, grid) in enumerate(zip(moved.layers, scales.layers, grids, strict=True)):
        into = feeds(frozen, i)
        integers = layer_at(float_layer, into, at, grid, formats, mapping)
        if not cannot_overflow(integers, into, with_shift(formats, at.activation_shift)):
            raise _outgrown(integers.name)
        layers.append(integers)
        rounding.extend(rounding_log.of_layer(stated.layers[i], integers, into))
    if moved.decides is None or stated.decides is None:
        readout = readout_at(moved.readout_weight, moved.readout_bias, scales.readout, readout_grid, formats)
        if readout_may_saturate(readout, frozen.steps):
            raise _outgrown(readout.name)
        rounding.extend(rounding_log.of_readout(frozen, readout))
        last = readout.layer(layers[-1].name, mapping)
    else:
        into = feeds(frozen, len(layers))
        last = deciding_at(moved.decides, into, scales.readout, readout_grid, formats)
        if not cannot_overflow(last, into, with_shift(formats, scales.readout.activation_shift), steps=frozen.steps):
            raise _outgrown(last.name)
        rounding.extend(rounding_log.of_layer(stated.decides, last, into))
    made = IntegerNetwork(
        input=InputFormat(frozen.channels, 0, frozen.maximum, frozen.scale),
        layers=(*layers, last),
        target=target.name,
        steps=frozen.steps,
        permutation=frozen.permutation,
    )
    provenance = {key: value for key, value in frozen.provenance.items() if key != PROVENANCE_KEY}
    network = replace(
        made,
        provenance={
            **provenance,
            **(trained.carried() if trained else {}),
            "asrc": __version__,
            "contract": contract_version(made),
            "rounding": [line.plain() for line in rounding],
        },
    )
    met = rules.require(network, target) if device is None else devices.require(network, device)
    return Quantized(network, rounding, met)


def _outgrown(layer: str) -> InvalidSetting:
    return InvalidSetting(
        f"layer '{layer}'",
        "its weights have outgrown the scale that the checkpoint was fine-tuned at: some input could saturate it; "
        "fine-tune for fewer epochs or with more bits, or export the checkpoint that it started from",
    )
