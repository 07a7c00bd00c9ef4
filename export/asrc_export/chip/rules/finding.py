"""What a rule finds, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip.shape import ConnectionShape, LayerShape, NetworkShape
from asrc_export.chip.targets import Target


@dataclass(frozen=True)
class Finding:
    """One limit met by one layer: what the layer has, what the chip allows, what to do."""

    rule: str
    layer: str
    value: str
    limit: str
    way_out: str
    blocks: bool

    def __str__(self) -> str:
        return f"{self.layer}: {self.rule} Here: {self.value}, limit: {self.limit}. Way out: {self.way_out}."


ShapeRule = Callable[[NetworkShape, Target], Iterator[Finding]]
NumberRule = Callable[[IntegerNetwork, Target], Iterator[Finding]]


def sentence(rule: Callable[..., object]) -> str:
    """The rule's sentence: its docstring."""
    return (rule.__doc__ or "").strip()


def connections(shape: NetworkShape) -> Iterator[tuple[LayerShape, ConnectionShape]]:
    """Every connection, with the layer that it leads to."""
    return ((layer, each) for layer in shape.layers for each in layer.connections)
