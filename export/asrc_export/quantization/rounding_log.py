"""The rounding log: what every float became, and how far that is from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asrc_core.contract.chain import Readout
from asrc_core.contract.network import Layer
from asrc_core.contract.numbers import Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import Connection
from asrc_export.quantization import taps
from asrc_export.quantization.integers import Feed
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenLayer, FrozenNetwork


@dataclass(frozen=True)
class Rounded:
    """One line of the rounding log: a parameter's float value, its integer, the value that integer stands for.

    Of a tensor, the entry is that of its worst error; ``cut_off`` counts its values beyond the grid's ends, ``moved``
    those that went to another value of the grid than the nearest.
    """

    layer: str
    parameter: str
    value: float
    integer: int
    effective: float
    cut_off: int = 0
    moved: int = 0

    @property
    def error(self) -> float:
        """Effective - value, in the float network's unit."""
        return self.effective - self.value

    def plain(self) -> dict[str, Any]:
        """As a network's provenance keeps it."""
        return {
            "layer": self.layer,
            "parameter": self.parameter,
            "float": self.value,
            "integer": self.integer,
            "effective": self.effective,
            "error": self.error,
            "cut_off": self.cut_off,
            "moved": self.moved,
        }


def of_layer(stated: FrozenLayer, made: Layer, into: Sequence[Feed]) -> Iterator[Rounded]:
    """The lines of a layer: each connection's weights, then its taps, then the neurons' constants."""
    shift = made.neuron.parameters.get("activation_shift", 0)
    unit = 2.0**shift / made.scale
    pairs = list(zip(stated.connections, made.connections, into, strict=True))
    for before, after, source in pairs:
        weight_unit = unit * 2.0**after.exponent / source.unit * _divisor(before, after)
        name = _name(before, source, [each.source for each in stated.connections])
        yield _worst(made.name, name, before.weight, after.weights, weight_unit, WeightGrid(after.weight_bits))
    for before, after, _ in pairs:
        yield from _of_taps(made.name, before, after)
    kind = stated.of_kind
    known = kind.stands_for(made.neuron.parameters, made.scale)
    for name, effective in known.items():
        if name in stated.constants and not isinstance(effective, str):
            integers = made.neuron.parameters[kind.constants[name].parameter]
            yield _of_constant(made.name, name.replace("_", " "), stated.constants[name], integers, effective)
    if kind.meant is not None:
        for each in kind.meant(made.neuron.parameters, made.scale, stated.constants):
            yield _of_constant(made.name, each.name, each.stated, each.integers, each.effective)


def _name(before: FrozenConnection, source: Feed, sources: Sequence[str]) -> str:
    """What a connection's weights are called: where several come from before, or back, with their source."""
    if source.before:
        return "feedforward weight" if before.source == sources[0] else f"weight from '{before.source}'"
    return "recurrent weight" if len(sources) == 2 else f"weight from '{before.source}'"


def _divisor(before: FrozenConnection, after: Connection) -> float:
    """What whole taps give for each that the stated ones give."""
    return sum(tap.weight for tap in after.taps) / taps.gain_of(before) if after.delays is None else 1.0


def _of_taps(layer: str, before: FrozenConnection, after: Connection) -> Iterator[Rounded]:
    if len(before.taps) < 2:
        return
    whole = {tap.span: tap.weight for tap in after.taps}
    divisor = _divisor(before, after)
    for span, weight in before.taps:
        m = whole.get(span, 0)
        yield Rounded(layer, f"weight of the tap {span} steps back", weight, m, m / divisor)


def _of_constant(layer: str, parameter: str, value: Any, integers: Any, effective: Any) -> Rounded:
    """A number's line; of one for each neuron, the worst one's."""
    values = np.atleast_1d(np.asarray(value, np.float64))
    stand_for = np.broadcast_to(np.asarray(effective, np.float64), values.shape)
    at = int(np.abs(stand_for - values).argmax())
    integer = int(np.broadcast_to(np.asarray(integers), values.shape).flat[at])
    return Rounded(layer, parameter, float(values.flat[at]), integer, float(stand_for.flat[at]))


def of_readout(frozen: FrozenNetwork, readout: Readout) -> Iterator[Rounded]:
    """The lines of the readout."""
    unit = 2.0**readout.exponent / readout.scale
    yield _worst(readout.name, "weight", frozen.readout_weight, readout.weight, unit, WeightGrid(readout.weight_bits))
    yield _of_constant(readout.name, "bias", frozen.readout_bias, readout.bias, readout.bias * (1 / readout.scale))


def _worst(layer: str, parameter: str, values: Floats, integers: Ints, unit: Any, grid: WeightGrid) -> Rounded:
    effective = integers * unit
    at = np.unravel_index(np.abs(effective - values).argmax(), values.shape)
    line = Rounded(layer, parameter, float(values[at]), int(integers[at]), float(effective[at]))
    wanted, half = values / unit, grid.step / 2 * (1 + 1e-9)
    beyond = (wanted < grid.low - half) | (wanted > grid.high + half)
    moved = (np.abs(np.clip(wanted, grid.low, grid.high) - integers) > half).sum()
    return replace(line, cut_off=int(beyond.sum()), moved=int(moved))
