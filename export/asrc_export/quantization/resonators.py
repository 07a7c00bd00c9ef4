"""What can be settled of resonators before they are rounded: how many bits their poles and read-outs get."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from asrc_core.contract.rounding.resonators import (
    LEAST_MODE_BITS,
    LEAST_POLE_BITS,
    MOST_POLE_BITS,
    POLE_BITS,
    READOUT_BITS,
)
from asrc_core.errors import InvalidSetting
from asrc_export.quantization.scales import LayerScales, Scales
from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork

KIND = "resonator"
LARGEST_BIAS = 4.0
"""Of a neuron whose largest weight is 1: weights of one that hears less than that of its bias need not be finer."""
AUTO = "auto"
"""In place of a number: each layer its own, found on samples (`search.resonator_bits`)."""


def with_pole_bits(frozen: FrozenNetwork, bits: int) -> FrozenNetwork:
    """The network with poles of so many bits, the sign included, at its rounding: 16 where nothing is said.

    The longest time constant decides how many it takes: 16 serve memories of some 4,000 steps, 12 of some 200.
    Raises InvalidSetting beyond 12 to 20, or where no layer is of resonators.
    """
    return _with(frozen, "pole_bits", bits, LEAST_POLE_BITS, MOST_POLE_BITS)


def with_mode_bits(frozen: FrozenNetwork, bits: int) -> FrozenNetwork:
    """The same with so many bits of what reads the modes, 3 to 8, and 8 where nothing is said."""
    return _with(frozen, "mode_bits", bits, LEAST_MODE_BITS, READOUT_BITS)


def with_bits(
    frozen: FrozenNetwork, pole_bits: int | Literal["auto"] | None, mode_bits: int | Literal["auto"] | None
) -> FrozenNetwork:
    """The network with both where they are numbers. Raises InvalidSetting as `with_pole_bits` does."""
    for setting, bits, give in (("pole_bits", pole_bits, with_pole_bits), ("mode_bits", mode_bits, with_mode_bits)):
        if isinstance(bits, int):
            frozen = give(frozen, bits)
        elif bits is not None:
            require_resonators(frozen, setting)
    return frozen


def require_resonators(frozen: FrozenNetwork, setting: str) -> None:
    """Raise InvalidSetting where no layer is of resonators."""
    if all(layer.kind != KIND for layer in frozen.layers):
        raise InvalidSetting(f"`{setting}`", "no layer of the network has poles; leave it away")


def layer_with(layer: FrozenLayer, setting: str, bits: int) -> FrozenLayer:
    """The layer with so many bits."""
    return replace(layer, constants={**layer.constants, setting: bits})


def _with(frozen: FrozenNetwork, setting: str, bits: int, low: int, high: int) -> FrozenNetwork:
    if not low <= bits <= high:
        raise InvalidSetting(f"`{setting}`", f"{bits} is outside {low} to {high}")
    require_resonators(frozen, setting)
    layers = (layer_with(layer, setting, bits) if layer.kind == KIND else layer for layer in frozen.layers)
    return replace(frozen, layers=tuple(layers))


def balanced(frozen: FrozenNetwork) -> FrozenNetwork:
    """The network with each resonator's weights as large as the others': all of them fill the grid.

    A neuron is linear up to its threshold, so it fires as before if what it hears is multiplied by its gain
    (`gains_of`) and what reads it is divided by that: a scale for each neuron, which costs nothing.
    """
    return replace(frozen, layers=tuple(balanced_layer(layer) for layer in frozen.layers))


def balanced_layer(layer: FrozenLayer) -> FrozenLayer:
    """The same for one layer; one of another kind as it is."""
    if layer.kind != KIND:
        return layer
    by = gains_of(layer.weight, layer.bias)
    read = {name: layer.constants[name] / by[:, None] for name in ("readout", "taps")}
    moved = layer.moved(weight=layer.weight * by[:, None], bias=layer.bias * by)
    return replace(moved, constants={**moved.constants, **read, "direct": layer.constants["direct"] / by})


def gains_of(weight: Floats, bias: Floats) -> Floats:
    """What brings each neuron's largest weight to 1, (N,), or its bias to LARGEST_BIAS; 1 where there is neither."""
    largest = np.maximum(np.abs(weight).max(axis=1), np.abs(bias) / LARGEST_BIAS)
    return 1 / np.where(largest > 0, largest, 1.0)


def with_own_bits(at: LayerScales, layer: FrozenLayer) -> LayerScales:
    """The scales of a layer with the bits of its poles and read-outs, for a training that goes on with them."""
    if layer.kind != KIND:
        return at
    poles, modes = layer.constants.get("pole_bits", POLE_BITS), layer.constants.get("mode_bits", READOUT_BITS)
    return at.model_copy(update={"pole_bits": poles, "mode_bits": modes})


def require_trained_at(trained: Scales, setting: str, bits: int | str) -> None:
    """Raise InvalidSetting for other bits than those with which the network was trained on."""
    if bits == AUTO:
        return
    for at in trained.layers:
        of_training = getattr(at, setting)
        if of_training not in (None, bits):
            why = f"the checkpoint was fine-tuned with {of_training} bits, not {bits}; leave it away"
            raise InvalidSetting(f"`{setting}`", why)
