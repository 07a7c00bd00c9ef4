"""What the report reads of an integer network's layers: the only place of its sections that looks into them."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.numbers import STATE_MAX
from asrc_core.contract.proof import LayerRanges
from asrc_core.contract.ranges import headroom_bits
from asrc_core.contract.synapses.connection import Tap


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
    layers = tuple(_layer(layer, each) for layer, each in zip(network.hidden, ranges, strict=True))
    return Outline(layers, ReadoutOutline(network.readout.name, network.classes, _reach(last)))


def _layer(layer: Layer, ranges: LayerRanges) -> LayerOutline:
    """Of a layer with several connections: all that feeds it forward, and the longest span of what comes back."""
    kinds = list(zip(layer.connections, ranges.recurrent_connections, strict=True))
    back = [each for each, recurrent in kinds if recurrent]
    return LayerOutline(
        name=layer.name,
        neurons=layer.neurons,
        inputs=sum(each.inputs for each, recurrent in kinds if not recurrent),
        span=max((each.longest_lag for each in back), default=0),
        taps=next((each.taps for each in back if len(each.taps) > 1), ()),
        weight_bits=max(each.weight_bits for each in layer.connections),
        membrane=_reach(ranges),
    )


def mappings_of(network: IntegerNetwork) -> str:
    """Where spikes under way are kept, of all connections with a lag."""
    used = {each.mapping for layer in network.layers for each in layer.connections if each.longest_lag}
    return " and ".join(sorted(used)) or "none"


def _reach(ranges: LayerRanges) -> Reach:
    return Reach(ranges.state.magnitude, ranges.may_saturate, headroom_bits(ranges.state.magnitude, STATE_MAX))
