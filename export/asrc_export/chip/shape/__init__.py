"""Sizes of a network without its weights, of an integer network or of a recipe's."""

from asrc_export.chip.shape.network import NetworkShape, fan_out, mapped, of_network, resized
from asrc_export.chip.shape.recipe import chain, of_recipe
from asrc_export.chip.shape.sizes import ConnectionShape, LayerShape, common_mapping, delay_bits

__all__ = [
    "ConnectionShape",
    "LayerShape",
    "NetworkShape",
    "chain",
    "common_mapping",
    "delay_bits",
    "fan_out",
    "mapped",
    "of_network",
    "of_recipe",
    "resized",
]
