"""What can be settled of resonators before they are rounded: how many bits their poles get."""

from __future__ import annotations

from dataclasses import replace

from asrc_core.contract.neurons.resonator import POLE_SHIFT
from asrc_core.contract.rounding.resonators import POLE_BITS
from asrc_core.errors import InvalidSetting
from asrc_export.quantization.scales import LayerScales, Scales
from asrc_train.trained.frozen import FrozenLayer, FrozenNetwork

KIND = "resonator"


def with_pole_bits(frozen: FrozenNetwork, bits: int) -> FrozenNetwork:
    """The network with poles of so many bits, the sign included, at its rounding: 16 where nothing is said.

    The longest time constant decides how many it takes: 16 serve memories of some 4,000 steps, 12 of some 200.
    Raises InvalidSetting beyond 12 to 20, or where no layer is of resonators.
    """
    low, high = POLE_SHIFT.low + 1, POLE_SHIFT.high + 1
    if not low <= bits <= high:
        raise InvalidSetting("`pole_bits`", f"{bits} is outside {low} to {high}")
    if all(layer.kind != KIND for layer in frozen.layers):
        raise InvalidSetting("`pole_bits`", "no layer of the network has poles; leave it away")
    layers = (
        replace(layer, constants={**layer.constants, "pole_bits": bits}) if layer.kind == KIND else layer
        for layer in frozen.layers
    )
    return replace(frozen, layers=tuple(layers))


def with_own_poles(at: LayerScales, layer: FrozenLayer) -> LayerScales:
    """The scales of a layer with the bits of its poles, for a training that goes on with them."""
    bits = layer.constants.get("pole_bits", POLE_BITS) if layer.kind == KIND else None
    return at.model_copy(update={"pole_bits": bits})


def require_trained_at(trained: Scales, bits: int) -> None:
    """Raise InvalidSetting for other bits than those with which the network was trained on."""
    for at in trained.layers:
        if at.pole_bits not in (None, bits):
            why = f"the checkpoint was fine-tuned with poles of {at.pole_bits} bits, not {bits}; leave it away"
            raise InvalidSetting("`pole_bits`", why)
