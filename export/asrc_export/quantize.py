"""From a frozen float network to integers: post-training quantization within a target's number formats.

Each layer gets one scale, the number of membrane units in one unit of the float membrane. Its two weight matrices,
bias and threshold share it; the two weight exponents are the only freedom between the matrices. The scale is the
one with the least expected error among those for which, whatever the input, no membrane can saturate. First the
scales are chosen (`choose`), then parameters are rounded at them (`layer_at`, `readout_at`): a checkpoint that was
trained at given scales is only rounded, by the very functions that rounded it in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from asrc_export.arithmetic import CONTRACT_VERSION, DECAY_ONE, STATE_MAX, Mapping
from asrc_export.chip import rules
from asrc_export.chip.target import Formats, Target
from asrc_export.grid import WeightGrid, require_bits
from asrc_export.network import (
    InputFormat,
    IntegerNetwork,
    Readout,
    SkipLayer,
    check_span,
    layer_ranges,
    readout_ranges,
    validate,
)
from asrc_export.scales import PROVENANCE_KEY, LayerScales, ReadoutScales, Scales, kept
from asrc_train import __version__
from asrc_train.errors import InvalidSetting, NonFiniteWeights
from asrc_train.freeze import Floats, FrozenLayer, FrozenNetwork

ASSUMED_RATE = 0.1
"""Spikes per neuron and step that the expected error is weighed with."""
ROOM_TO_TRAIN = 2
"""Scales for training leave a membrane's worst case this many times below saturation: weights grow."""


@dataclass(frozen=True)
class Rounded:
    """One line of the rounding log: a parameter's float value, its integer, the value that integer stands for.

    Of a tensor, the entry is that of its worst error.
    """

    layer: str
    parameter: str
    value: float
    integer: int
    effective: float

    @property
    def error(self) -> float:
        """Effective - value, in the float network's unit."""
        return self.effective - self.value


@dataclass(frozen=True, eq=False)
class Quantized:
    """An integer network, how it was rounded, and the hardware limits worth knowing that do not block it."""

    network: IntegerNetwork
    rounding: list[Rounded]
    findings: list[rules.Finding]


class Feed(NamedTuple):
    """What comes into a layer: the real value of an input of 1, the inputs' range, and their mean square."""

    unit: float
    low: int
    high: int
    power: float


def quantize(frozen: FrozenNetwork, target: Target, *, bits: int = 8, mapping: Mapping = "delay-line") -> Quantized:
    """The integer network that stands for a frozen float network on a target.

    Scales that a network was trained at (`scales.kept`), for this target and this many bits, are used as they are,
    and then stand in its provenance.

    Raises NonFiniteWeights, SpanTooLong (naming the layer), InvalidSetting (bits, or weights that no scale fits, or
    not the one trained at), RulesBroken (all hardware limits that block, at once).
    """
    for layer in frozen.layers:
        check_span(layer.name, layer.span, mapping)
    _require_finite(frozen)
    trained = kept(frozen)
    if trained is not None and (trained.target, trained.bits) != (target.name, bits):
        trained = None
    scales = trained or choose(frozen, target, bits)
    grid, formats = WeightGrid(bits), target.formats
    layers: list[SkipLayer] = []
    rounding: list[Rounded] = []
    for i, (float_layer, at) in enumerate(zip(frozen.layers, scales.layers, strict=True)):
        into = feed(frozen, i)
        made = layer_at(float_layer, into.unit, at, grid, formats)
        if not _cannot_overflow(made, into, formats):
            raise _outgrown(made.name)
        layers.append(made)
        rounding.extend(_layer_log(float_layer, made, into.unit))
    readout = readout_at(frozen.readout_weight, frozen.readout_bias, scales.readout, grid, formats)
    if not readout_ranges(readout, (0, 1), frozen.steps).state.fits_state:
        raise _outgrown(readout.name)
    rounding.extend(_readout_log(frozen, readout))
    provenance = {key: value for key, value in frozen.provenance.items() if key != PROVENANCE_KEY}
    network = validate(
        IntegerNetwork(
            input=InputFormat(frozen.channels, 0, frozen.maximum, frozen.scale),
            layers=tuple(layers),
            readout=readout,
            mapping=mapping,
            target=target.name,
            steps=frozen.steps,
            permutation=frozen.permutation,
            provenance={
                **provenance,
                **(trained.carried() if trained else {}),
                "asrc": __version__,
                "contract": CONTRACT_VERSION,
                "rounding": [_plain(line) for line in rounding],
            },
        )
    )
    return Quantized(network, rounding, rules.require(network, target))


def choose(frozen: FrozenNetwork, target: Target, bits: int, *, to_train: bool = False) -> Scales:
    """The feasible scales with the least expected error, each layer's for itself.

    ``to_train``: scales at which training goes on (`quantized_network`). Their recurrent sums are never floored
    (exponents of at least 0), they leave room for weights to grow, and, where that lessens the error, the largest
    weights are cut off at the grid's ends. Raises NonFiniteWeights, InvalidSetting (bits, or a layer without a
    feasible scale).
    """
    require_bits(bits)
    _require_finite(frozen)
    grid, formats = WeightGrid(bits), target.formats
    layers = tuple(
        _choose_layer(layer, feed(frozen, i), grid, formats, to_train) for i, layer in enumerate(frozen.layers)
    )
    return Scales(
        target=target.name, bits=bits, layers=layers, readout=_choose_readout(frozen, grid, formats, to_train)
    )


def feed(frozen: FrozenNetwork, index: int) -> Feed:
    """What the layer of that index is fed with: the first takes integers, so their scale moves into its weights."""
    if index == 0:
        return Feed(frozen.scale, 0, frozen.maximum, frozen.maximum**2 / 3)
    return Feed(1.0, 0, 1, ASSUMED_RATE)


def layer_at(layer: FrozenLayer, unit_in: float, at: LayerScales, grid: WeightGrid, formats: Formats) -> SkipLayer:
    """The layer in integers at given scales; weights and biases beyond a grid's ends come to lie on them.

    ``unit_in`` is the real value of an input of 1. Raises InvalidSetting if the threshold has no integer there.
    """
    w_factor, u_factor = weight_factors(unit_in, at, formats)
    threshold = layer.threshold * at.scale
    if not _holds_threshold(threshold, formats):
        raise InvalidSetting(f"layer '{layer.name}'", f"the target holds no threshold of {threshold:g} units")
    most = formats.bias_grid.high
    return SkipLayer(
        name=layer.name,
        feedforward=grid.nearest(np.clip(layer.weight * w_factor, grid.low, grid.high)),
        feedforward_exponent=at.feedforward_exponent,
        recurrent=grid.nearest(np.clip(layer.recurrent * u_factor, grid.low, grid.high)),
        recurrent_exponent=at.recurrent_exponent,
        bias=formats.bias_grid.nearest(np.clip(layer.bias * at.scale, -most, most)),
        decay=round((1 - layer.decay) * DECAY_ONE),
        threshold=int(formats.threshold_grid.nearest(np.array([threshold]))[0]),
        span=layer.span,
        reset=layer.reset,
        activation_shift=formats.activation_shift.count,
        weight_bits=grid.bits,
        scale=at.scale,
    )


def weight_factors(unit_in: float, at: LayerScales, formats: Formats) -> tuple[float, float]:
    """Grid units in one unit of W, and in one of U."""
    sums = at.scale / 2.0**formats.activation_shift.count
    return unit_in * sums / 2.0**at.feedforward_exponent, sums / 2.0**at.recurrent_exponent


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


def _outgrown(layer: str) -> InvalidSetting:
    return InvalidSetting(
        f"layer '{layer}'",
        "its weights have outgrown the scale that the checkpoint was fine-tuned at: some input could saturate it; "
        "fine-tune for fewer epochs or with more bits, or export the checkpoint that it started from",
    )


def _choose_layer(layer: FrozenLayer, into: Feed, grid: WeightGrid, formats: Formats, to_train: bool) -> LayerScales:
    """The feasible scale with the least expected error; of equals the largest."""
    best: tuple[float, float, LayerScales] | None = None
    for scale in _scales(layer, into.unit, grid, formats, parts=4 if to_train else 1):
        at = _at_scale(layer, into.unit, scale, grid, formats, to_train)
        if at is None:
            continue
        made = layer_at(layer, into.unit, at, grid, formats)
        if not _cannot_overflow(made, into, formats, ROOM_TO_TRAIN if to_train else 1):
            continue
        error = _expected_error(layer, made, into.unit, into.power)
        if best is None or (error, -scale) < (best[0], -best[1]):
            best = error, scale, at
    if best is None:
        room = " and leaves room to train" if to_train else ""
        raise InvalidSetting(
            f"layer '{layer.name}'",
            "no scale lets its weights, bias and threshold fit the target's formats without a membrane that could "
            f"saturate{room}; train with more weight decay or a gradient clip",
        )
    return best[2]


def _cannot_overflow(made: SkipLayer, into: Feed, formats: Formats, room: int = 1) -> bool:
    """Whether no input can saturate a membrane, nor wrap the synaptic accumulator where its width is known.

    With ``room``, not even if what it reaches were that many times as large.
    """
    ranges = layer_ranges(made, into.low, into.high)
    if ranges.state.magnitude * room > STATE_MAX:
        return False
    if formats.accumulator_bits is None:
        return True
    assert ranges.recurrent is not None
    reach = (ranges.feedforward.magnitude + ranges.recurrent.magnitude) << made.activation_shift
    return bool(reach * room < 2 ** (formats.accumulator_bits.count - 1))


def _scales(layer: FrozenLayer, unit_in: float, grid: WeightGrid, formats: Formats, parts: int = 1) -> Iterator[float]:
    """Scales at which one of the two matrices fills its grid exactly, over the octaves that exponents reach, each
    octave in so many parts.
    """
    unit = 2.0**formats.activation_shift.count
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    for matrix in (layer.weight * unit_in, layer.recurrent):
        extent = _extent(matrix, grid)
        if extent > 0:
            for part in range(parts * lowest, parts * highest + 1):
                yield unit * 2.0 ** (part / parts) / extent


def _at_scale(
    layer: FrozenLayer, unit_in: float, scale: float, grid: WeightGrid, formats: Formats, to_train: bool = False
) -> LayerScales | None:
    """The exponents that go with a scale, or None if some parameter has no integer there."""
    sums = scale / 2.0**formats.activation_shift.count
    scaled = [matrix * sums for matrix in (layer.weight * unit_in, layer.recurrent)]
    fitting = [_exponent(each, grid, formats) for each in scaled]
    if not _holds_threshold(layer.threshold * scale, formats):
        return None
    if np.abs(layer.bias * scale).max() > formats.bias_grid.high:
        return None
    e_ff, e_rec = fitting
    if e_ff is None or e_rec is None:
        return None
    if to_train:
        e_ff, e_rec = (_cut_exponent(each, e, grid, formats) for each, e in zip(scaled, (e_ff, e_rec), strict=True))
        if e_rec < 0:
            return None
    return LayerScales(scale=scale, feedforward_exponent=e_ff, recurrent_exponent=e_rec)


def _holds_threshold(threshold: float, formats: Formats) -> bool:
    return 2.0**formats.threshold_exponent.count <= threshold <= formats.threshold_grid.high


def _exponent(scaled: Floats, grid: WeightGrid, formats: Formats) -> int | None:
    """The smallest exponent at which the matrix fits the grid: smallest, because it wastes no resolution."""
    extent = _extent(scaled, grid)
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    if extent == 0:
        return 0
    # A hair of tolerance, so that the scale chosen to fill the grid exactly does.
    exponent = max(lowest, int(np.ceil(np.log2(extent) - 1e-9)))
    return exponent if exponent <= highest else None


def _cut_exponent(scaled: Floats, fitting: int, grid: WeightGrid, formats: Formats) -> int:
    """The exponent of the least square error, weights beyond the grid's ends cut off: at few bits, one or two below
    the one that fits.
    """
    error, lowest = _cut_error(scaled, grid), min(fitting, formats.min_weight_exponent.count)
    return min((e for e in range(fitting, fitting - 3, -1) if e >= lowest), key=lambda e: error(2.0**e))


def _cut_error(matrix: Floats, grid: WeightGrid) -> Callable[[float], float]:
    """From a grid unit's value to the square error of the matrix in such units, what lies beyond the ends cut off."""

    def error(unit: float) -> float:
        rounded = grid.nearest(np.clip(matrix / unit, grid.low, grid.high))
        return float(np.square(matrix - rounded * unit).sum())

    return error


def _extent(matrix: Floats, grid: WeightGrid) -> float:
    """The matrix's reach in units of the grid's: 1 fills it."""
    return float(max(matrix.max() / grid.high, matrix.min() / grid.low, 0.0))


def _expected_error(layer: FrozenLayer, made: SkipLayer, into: float, power: float) -> float:
    """Mean square error of a step's drive in units of the threshold: rounding of W, U, b and theta, and the
    floor of negative exponents; inputs are taken as independent with mean square ``power``.
    """
    unit = 2.0**made.activation_shift / made.scale
    w_error = layer.weight * into - made.feedforward * (unit * 2.0**made.feedforward_exponent)
    u_error = layer.recurrent - made.recurrent * (unit * 2.0**made.recurrent_exponent)
    floors = sum(unit**2 / 3 for e in (made.feedforward_exponent, made.recurrent_exponent) if e < 0)
    return (
        float(
            (np.square(w_error).sum(axis=1) * power + np.square(u_error).sum(axis=1) * ASSUMED_RATE).mean()
            + np.square(layer.bias - made.bias / made.scale).mean()
            + (layer.threshold - made.threshold / made.scale) ** 2
            + floors
        )
        / layer.threshold**2
    )


def _choose_readout(frozen: FrozenNetwork, grid: WeightGrid, formats: Formats, to_train: bool) -> ReadoutScales:
    """Weights fill the grid; the exponent falls until no accumulator can saturate within the sample's steps.

    Lowering the exponent floors the sum once a step, which costs less than coarser weights would.
    """
    extent = _extent(frozen.readout_weight, grid) or 1.0 / grid.high
    if to_train:
        extent = min((extent / 2 ** (part / 4) for part in range(9)), key=_cut_error(frozen.readout_weight, grid))
    for exponent in range(0, formats.min_weight_exponent.count - 1, -1):
        at = ReadoutScales(scale=2.0**exponent / extent, exponent=exponent)
        if np.abs(frozen.readout_bias * at.scale).max() > formats.bias_grid.high:
            continue
        readout = readout_at(frozen.readout_weight, frozen.readout_bias, at, grid, formats)
        if readout_ranges(readout, (0, 1), frozen.steps).state.fits_state:
            return at
    raise InvalidSetting(
        "readout",
        f"its accumulators could exceed {STATE_MAX} within {frozen.steps} steps at every exponent; "
        "use a smaller last layer, shorter samples or more weight decay",
    )


def _layer_log(layer: FrozenLayer, made: SkipLayer, into: float) -> Iterator[Rounded]:
    unit = 2.0**made.activation_shift / made.scale
    w_unit, u_unit = unit * 2.0**made.feedforward_exponent / into, unit * 2.0**made.recurrent_exponent
    yield _worst(made.name, "feedforward weight", layer.weight, made.feedforward, w_unit)
    yield _worst(made.name, "recurrent weight", layer.recurrent, made.recurrent, u_unit)
    yield _worst(made.name, "bias", layer.bias, made.bias, 1 / made.scale)
    yield Rounded(made.name, "threshold", layer.threshold, made.threshold, made.threshold / made.scale)
    yield Rounded(made.name, "decay factor", layer.decay, made.decay, (DECAY_ONE - made.decay) / DECAY_ONE)


def _readout_log(frozen: FrozenNetwork, readout: Readout) -> Iterator[Rounded]:
    unit = 2.0**readout.exponent / readout.scale
    yield _worst(readout.name, "weight", frozen.readout_weight, readout.weight, unit)
    yield _worst(readout.name, "bias", frozen.readout_bias, readout.bias, 1 / readout.scale)


def _worst(layer: str, parameter: str, values: Floats, integers: np.ndarray[Any, Any], unit: float) -> Rounded:
    effective = integers * unit
    at = np.unravel_index(np.abs(effective - values).argmax(), values.shape)
    return Rounded(layer, parameter, float(values[at]), int(integers[at]), float(effective[at]))


def _plain(line: Rounded) -> dict[str, Any]:
    return {
        "layer": line.layer,
        "parameter": line.parameter,
        "float": line.value,
        "integer": line.integer,
        "effective": line.effective,
        "error": line.error,
    }


def _require_finite(frozen: FrozenNetwork) -> None:
    tensors = [("readout.weight", frozen.readout_weight), ("readout.bias", frozen.readout_bias)]
    for layer in frozen.layers:
        tensors += [
            (f"{layer.name}.weight", layer.weight),
            (f"{layer.name}.recurrent", layer.recurrent),
            (f"{layer.name}.bias", layer.bias),
        ]
    for name, tensor in tensors:
        broken = int((~np.isfinite(tensor)).sum())
        if broken:
            raise NonFiniteWeights(name, broken)
