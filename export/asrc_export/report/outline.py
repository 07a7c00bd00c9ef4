"""What the report reads of an integer network's layers: the only place of its sections that looks into them."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_core.contract.connection import Tap
from asrc_core.contract.numbers import STATE_MAX
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.proof import LayerRanges
from asrc_core.contract.ranges import headroom_bits


@dataclass(frozen=True)
class Reach:
    """How far a layer's state could get over all inputs, and what is left to 24 bits."""

    magnitude: int
    can_saturate: bool
    headroom_bits: float


@dataclass(frozen=True)
class LayerOutline:
    """One spiking layer; ``taps`` is empty where it has a single span."""

    name: str
    neurons: int
    inputs: int
    span: int
    taps: tuple[Tap, ...]
    weight_bits: int
    membrane: Reach


@dataclass(frozen=True)
class ReadoutOutline:
    """The layer that integrates the answer."""

    name: str
    classes: int
    accumulator: Reach


@dataclass(frozen=True)
class Outline:
    """All layers in order, and the readout."""

    layers: tuple[LayerOutline, ...]
    readout: ReadoutOutline

    @property
    def layer_names(self) -> list[str]:
        """The spiking layers' names."""
        return [layer.name for layer in self.layers]

    @property
    def names(self) -> list[str]:
        """The spiking layers' names, and the readout's last."""
        return [*self.layer_names, self.readout.name]


def of(network: IntegerNetwork) -> Outline:
    """The outline of a network."""
    *ranges, last = network.ranges
    layers = (
        LayerOutline(
            layer.name, layer.neurons, layer.inputs, layer.span, tuple(layer.taps), layer.weight_bits, _reach(each)
        )
        for layer, each in zip(network.layers, ranges, strict=True)
    )
    readout = network.readout
    return Outline(tuple(layers), ReadoutOutline(readout.name, readout.classes, _reach(last)))


def _reach(ranges: LayerRanges) -> Reach:
    state = ranges.state
    return Reach(state.magnitude, not state.fits_state, headroom_bits(state.magnitude, STATE_MAX))
