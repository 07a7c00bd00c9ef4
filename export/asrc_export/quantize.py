"""From a frozen float network to integers: post-training quantization within a target's number formats.

Each layer gets one scale, the number of membrane units in one unit of the float membrane. Its two weight matrices,
bias and threshold share it; the two weight exponents are the only freedom between the matrices. The scale is the
one with the least expected error among those for which, whatever the input, no membrane can saturate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_export import rules
from asrc_export.arithmetic import CONTRACT_VERSION, DECAY_ONE, STATE_MAX, Mapping
from asrc_export.grid import WeightGrid
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
from asrc_export.target import Formats, Target
from asrc_train import __version__
from asrc_train.errors import InvalidSetting, NonFiniteWeights
from asrc_train.freeze import Floats, FrozenLayer, FrozenNetwork

ASSUMED_RATE = 0.1
"""Spikes per neuron and step that the expected error is weighed with."""


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


def quantize(frozen: FrozenNetwork, target: Target, *, bits: int = 8, mapping: Mapping = "delay-line") -> Quantized:
    """The integer network that stands for a frozen float network on a target.

    Raises NonFiniteWeights, SpanTooLong (naming the layer), InvalidSetting (bits, or weights that no scale fits),
    RulesBroken (all hardware limits that block, at once).
    """
    if not 2 <= bits <= 8:
        raise InvalidSetting("--bits", f"{bits} is outside 2 to 8")
    for layer in frozen.layers:
        check_span(layer.name, layer.span, mapping)
    _require_finite(frozen)
    grid = WeightGrid(bits)
    entry = InputFormat(frozen.channels, 0, frozen.maximum, frozen.scale)
    layers: list[SkipLayer] = []
    rounding: list[Rounded] = []
    for i, float_layer in enumerate(frozen.layers):
        # The first layer takes integers, so their scale moves into its weights.
        into = frozen.scale if i == 0 else 1.0
        low, high = (entry.minimum, entry.maximum) if i == 0 else (0, 1)
        power = (low * low + high * high) / 3 if i == 0 else ASSUMED_RATE
        made = _quantize_layer(float_layer, into, (low, high), power, grid, target.formats)
        layers.append(made)
        rounding.extend(_layer_log(float_layer, made, into))
    readout = _quantize_readout(frozen, grid, target.formats)
    rounding.extend(_readout_log(frozen, readout))
    network = validate(
        IntegerNetwork(
            input=entry,
            layers=tuple(layers),
            readout=readout,
            mapping=mapping,
            target=target.name,
            steps=frozen.steps,
            permutation=frozen.permutation,
            provenance={
                **frozen.provenance,
                "asrc": __version__,
                "contract": CONTRACT_VERSION,
                "rounding": [_plain(line) for line in rounding],
            },
        )
    )
    return Quantized(network, rounding, rules.require(network, target))


def _quantize_layer(
    layer: FrozenLayer, into: float, inputs: tuple[int, int], power: float, grid: WeightGrid, formats: Formats
) -> SkipLayer:
    """The feasible scale with the least expected error; of equals the largest."""
    best: tuple[float, float, SkipLayer] | None = None
    for scale in _scales(layer, into, grid, formats):
        made = _at_scale(layer, into, scale, grid, formats)
        if made is None or not _cannot_overflow(made, inputs, formats):
            continue
        error = _expected_error(layer, made, into, power)
        if best is None or (error, -scale) < (best[0], -best[1]):
            best = error, scale, made
    if best is None:
        raise InvalidSetting(
            f"layer '{layer.name}'",
            "no scale lets its weights, bias and threshold fit the target's formats without a membrane that could "
            "saturate; train with more weight decay or a gradient clip",
        )
    return best[2]


def _cannot_overflow(made: SkipLayer, inputs: tuple[int, int], formats: Formats) -> bool:
    """Whether no input can saturate a membrane, nor wrap the synaptic accumulator where its width is known."""
    ranges = layer_ranges(made, *inputs)
    if not ranges.state.fits_state:
        return False
    if formats.accumulator_bits is None:
        return True
    assert ranges.recurrent is not None
    reach = (ranges.feedforward.magnitude + ranges.recurrent.magnitude) << made.activation_shift
    return bool(reach < 2 ** (formats.accumulator_bits.count - 1))


def _scales(layer: FrozenLayer, into: float, grid: WeightGrid, formats: Formats) -> Iterator[float]:
    """Scales at which one of the two matrices fills its grid exactly, over the octaves that exponents reach."""
    unit = 2.0**formats.activation_shift.count
    for matrix in (layer.weight * into, layer.recurrent):
        extent = _extent(matrix, grid)
        if extent > 0:
            for exponent in range(formats.min_weight_exponent.count, formats.max_weight_exponent.count + 1):
                yield unit * 2.0**exponent / extent


def _at_scale(layer: FrozenLayer, into: float, scale: float, grid: WeightGrid, formats: Formats) -> SkipLayer | None:
    """The layer in integers at a scale, or None if some parameter has no integer there."""
    unit = 2.0**formats.activation_shift.count
    exponents = [_exponent(matrix * scale / unit, grid, formats) for matrix in (layer.weight * into, layer.recurrent)]
    threshold = layer.threshold * scale
    bias = layer.bias * scale
    if (
        None in exponents
        or not 2.0**formats.threshold_exponent.count <= threshold <= formats.threshold_grid.high
        or np.abs(bias).max() > formats.bias_grid.high
    ):
        return None
    e_ff, e_rec = (exponent for exponent in exponents if exponent is not None)
    return SkipLayer(
        name=layer.name,
        feedforward=grid.nearest(layer.weight * into * (scale / unit / 2.0**e_ff)),
        feedforward_exponent=e_ff,
        recurrent=grid.nearest(layer.recurrent * (scale / unit / 2.0**e_rec)),
        recurrent_exponent=e_rec,
        bias=formats.bias_grid.nearest(bias),
        decay=round((1 - layer.decay) * DECAY_ONE),
        threshold=int(formats.threshold_grid.nearest(np.array([threshold]))[0]),
        span=layer.span,
        reset=layer.reset,
        activation_shift=formats.activation_shift.count,
        weight_bits=grid.bits,
        scale=scale,
    )


def _exponent(scaled: Floats, grid: WeightGrid, formats: Formats) -> int | None:
    """The smallest exponent at which the matrix fits the grid: smallest, because it wastes no resolution."""
    extent = _extent(scaled, grid)
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    if extent == 0:
        return 0
    # A hair of tolerance, so that the scale chosen to fill the grid exactly does.
    exponent = max(lowest, int(np.ceil(np.log2(extent) - 1e-9)))
    return exponent if exponent <= highest else None


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


def _quantize_readout(frozen: FrozenNetwork, grid: WeightGrid, formats: Formats) -> Readout:
    """Weights fill the grid; the exponent falls until no accumulator can saturate within the sample's steps.

    Lowering the exponent floors the sum once a step, which costs less than coarser weights would.
    """
    extent = _extent(frozen.readout_weight, grid) or 1.0 / grid.high
    for exponent in range(0, formats.min_weight_exponent.count - 1, -1):
        scale = 2.0**exponent / extent
        bias = frozen.readout_bias * scale
        if np.abs(bias).max() > formats.bias_grid.high:
            continue
        readout = Readout(
            name="readout",
            weight=grid.nearest(frozen.readout_weight / extent),
            exponent=exponent,
            bias=formats.bias_grid.nearest(bias),
            weight_bits=grid.bits,
            scale=scale,
        )
        if readout_ranges(readout, (0, 1), frozen.steps).state.fits_state:
            return readout
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
