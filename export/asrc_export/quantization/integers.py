"""A layer in integers at given scales: the one place where floats are rounded, in training and at export.

The weights of all connections from before share one exponent, those that come back another; biases and thresholds share
their scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from asrc_core.contract.chain import Readout
from asrc_core.contract.network import Layer, Neuron
from asrc_core.contract.numbers import Ints, Mapping
from asrc_core.contract.ranges import Range, product_bounds, shifted
from asrc_core.contract.rounding.constants import Rounding, Unfit
from asrc_core.contract.rounding.grid import MantissaExponentGrid, WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection, Tap
from asrc_core.errors import InvalidSetting
from asrc_export.chip.targets import Formats
from asrc_export.quantization.scales import LayerScales, ReadoutScales
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenLayer, FrozenNetwork

ASSUMED_RATE = 0.1
"""Spikes per neuron and step that the expected error is weighed with."""


class Feed(NamedTuple):
    """What comes into a connection: the real value of 1, the range and the mean square of what is sent, and whether it
    is sent by what is computed before the layer.
    """

    unit: float
    low: int
    high: int
    power: float
    before: bool = True


def feeds(frozen: FrozenNetwork, index: int) -> tuple[Feed, ...]:
    """What each connection of the layer of that index is fed with.

    The input is integers: their scale moves into the weights.
    """
    parts = parts_of(frozen)
    names = [layer.name for layer in parts]
    return tuple(_feed(frozen, names, index, each.source) for each in parts[index].connections)


def parts_of(frozen: FrozenNetwork) -> tuple[FrozenLayer, ...]:
    """All layers, the readout last where it is one."""
    return frozen.layers if frozen.decides is None else (*frozen.layers, frozen.decides)


def _feed(frozen: FrozenNetwork, names: Sequence[str], index: int, source: str) -> Feed:
    if source == INPUT:
        return Feed(frozen.scale, 0, frozen.maximum, frozen.maximum**2 / 3)
    place = names.index(source)
    low, high = frozen.layers[place].of_kind.sends or (0, 0)
    power = ASSUMED_RATE if (low, high) == (0, 1) else (low * low + high * high) / 3
    return Feed(1.0, low, high, power, before=place < index)


def layer_at(
    layer: FrozenLayer,
    into: Sequence[Feed],
    at: LayerScales,
    grid: WeightGrid,
    formats: Formats,
    mapping: Mapping = "delay-line",
) -> Layer:
    """The layer in integers at given scales; weights and biases beyond a grid's ends come to lie on them.

    Taps weigh whole numbers (`taps.whole`). Raises InvalidSetting if a threshold has no integer there.
    """
    formats = with_shift(formats, at.activation_shift)
    connections = tuple(
        _connection(each, source, at, grid, formats, mapping)
        for each, source in zip(layer.connections, into, strict=True)
    )
    try:
        own = replace(rounding(at.scale, formats), drive=drive(connections, into))
        kept = {name: bits for name in ("pole_bits", "mode_bits") if (bits := getattr(at, name)) is not None}
        parameters = layer.of_kind.rounded({**layer.constants, **kept}, own)
    except Unfit as error:
        raise InvalidSetting(f"layer '{layer.name}'", str(error)) from error
    parameters = layer.of_kind.checked(f"layer '{layer.name}'", parameters, layer.neurons)
    return Layer(layer.name, connections, Neuron(layer.kind, parameters), at.scale)


def _connection(
    connection: FrozenConnection, source: Feed, at: LayerScales, grid: WeightGrid, formats: Formats, mapping: Mapping
) -> Connection:
    scaled = connection.weight * weight_factor(source, at, formats)
    # A delay line holds spikes: numbers on their way are kept in the synapses, as delays of single synapses are.
    in_synapses = connection.delays is not None or ((source.low, source.high) != (0, 1) and connection.span > 0)
    return Connection(
        connection.source,
        grid.nearest(np.clip(scaled, grid.low, grid.high)),
        exponent(source, at),
        grid.bits,
        tuple(Tap(span, int(weight)) for span, weight in connection.taps),
        connection.delays,
        "synaptic-delay" if in_synapses else mapping,
        connection.convolution,
    )


def drive(connections: Sequence[Connection], into: Sequence[Feed]) -> tuple[Ints, Ints]:
    """Least and greatest sum of all connections of each neuron, (N,)."""
    ends = []
    for each, source in zip(connections, into, strict=True):
        message = each.message(Range(source.low, source.high))
        ends.append(shifted(product_bounds(each.weights, message.low, message.high), each.exponent))
    low, high = (np.sum([end[side] for end in ends], axis=0) for side in (0, 1))
    return low, high


def deciding_at(
    layer: FrozenLayer, into: Sequence[Feed], at: ReadoutScales, grid: WeightGrid, formats: Formats
) -> Layer:
    """A readout that is a layer of its own, in integers at given scales. Raises InvalidSetting as `layer_at` does."""
    made = layer_at(layer, into, at.of_layer(), grid, formats)
    if layer.of_kind.at_scale is not None:
        return made
    shift = with_shift(formats, at.activation_shift).activation_shift.count
    parameters = {**made.neuron.parameters, "activation_shift": shift}
    if "weight_shift" in parameters:
        parameters["weight_shift"] = at.weight_shift
    return replace(made, neuron=replace(made.neuron, parameters=parameters))


def with_shift(formats: Formats, shift: int | None) -> Formats:
    """The formats of a layer that shifts what arrives by so much; those of the target if it says nothing of its own."""
    if shift is None or shift == formats.activation_shift.count:
        return formats
    return formats.model_copy(
        update={"activation_shift": formats.activation_shift.model_copy(update={"value": float(shift)})}
    )


def exponent(source: Feed, at: LayerScales) -> int:
    """The exponent of a connection that is fed so."""
    return at.feedforward_exponent if source.before else at.recurrent_exponent


def weight_factor(source: Feed, at: LayerScales, formats: Formats) -> float:
    """Grid units in one unit of the weights of a connection that is fed so."""
    return source.unit * (at.scale / 2.0**formats.activation_shift.count) / 2.0 ** exponent(source, at)


def readout_at(weight: Floats, bias: Floats, at: ReadoutScales, grid: WeightGrid, formats: Formats) -> Readout:
    """The readout in integers at given scales; what lies beyond a grid's ends comes to lie on them."""
    most = formats.bias_grid.high
    return Readout(
        name="readout",
        weight=grid.nearest(np.clip(weight * (at.scale / 2.0**at.exponent), grid.low, grid.high)),
        exponent=at.exponent,
        bias=formats.bias_grid.nearest(np.clip(bias * at.scale, -most, most)),
        weight_bits=grid.bits,
        scale=at.scale,
    )


def rounding(scale: float, formats: Formats, *, cut_biases: bool = True) -> Rounding:
    """How a target's formats round neurons' constants at a scale; what they do not hold raises `Unfit`.

    ``cut_biases``: biases beyond the format's ends come to lie on them instead.
    """
    grid = formats.bias_grid

    def bias(values: Floats) -> Any:
        if not cut_biases and not np.abs(values).max() <= grid.high:
            raise Unfit(f"the target holds no bias of {np.abs(values).max():g} units")
        return grid.nearest(np.clip(values, -grid.high, grid.high))

    def threshold(values: Floats) -> Any:
        return _nearest_threshold(values, formats.threshold_grid)

    return Rounding(scale, formats.activation_shift.count, bias, threshold)


def _nearest_threshold(values: Floats, grid: MantissaExponentGrid) -> Any:
    beyond = ~((2.0**grid.min_exponent <= values) & (values <= grid.high))  # NaN, too
    if beyond.any():
        raise Unfit(f"the target holds no threshold of {values[beyond][0]:g} units")
    return grid.nearest(values)
