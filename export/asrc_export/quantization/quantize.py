"""From a frozen float network to integers: post-training quantization within a target's number formats.

Each layer gets one scale, the number of membrane units in one unit of the float membrane. Its two weight matrices,
bias and threshold share it; the two weight exponents are the only freedom between the matrices. The scale is the
one with the least expected error among those for which, whatever the input, no membrane can saturate. First the
scales are chosen (`choose`), then parameters are rounded at them (`layer_at`, `readout_at`): a checkpoint that was
trained at given scales is only rounded, by the very functions that rounded it in training. Where samples are at hand,
`search` chooses better, by what comes out: its `Plan` is rounded here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from asrc_core import __version__
from asrc_core.contract.chain import Chain, Readout, SkipLayer
from asrc_core.contract.connection import INPUT, Tap, require_reach
from asrc_core.contract.file.network_file import contract_version
from asrc_core.contract.grid import WeightGrid, widths
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX, Ints, Mapping
from asrc_core.contract.proof import LayerRanges, layer_ranges
from asrc_core.contract.ranges import BIT, Range
from asrc_core.errors import InvalidNetwork, InvalidSetting, NonFiniteWeights
from asrc_export.chip import rules
from asrc_export.chip.targets import Formats, Target
from asrc_export.quantization import taps
from asrc_export.quantization.scales import PROVENANCE_KEY, LayerScales, ReadoutScales, Scales, kept
from asrc_train.trained.freeze import Floats, FrozenLayer, FrozenNetwork

ASSUMED_RATE = 0.1
"""Spikes per neuron and step that the expected error is weighed with."""
PARTS = 4
"""Scales are tried in steps of this fraction of an octave."""
ROOM_TO_TRAIN = 2
"""Scales for training leave a membrane's worst case this many times below saturation: weights grow."""


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


@dataclass(frozen=True, eq=False)
class Quantized:
    """An integer network, how it was rounded, and the hardware limits worth knowing that do not block it."""

    network: IntegerNetwork
    rounding: list[Rounded]
    findings: list[rules.Finding]


class Plan(NamedTuple):
    """Scales, and the float network with its parameters moved to where rounding at them gives the integers wanted."""

    frozen: FrozenNetwork
    scales: Scales


class Feed(NamedTuple):
    """What comes into a layer: the real value of an input of 1, the inputs' range, and their mean square."""

    unit: float
    low: int
    high: int
    power: float


def quantize(
    frozen: FrozenNetwork,
    target: Target,
    *,
    bits: int | tuple[int, ...] = 8,
    mapping: Mapping = "delay-line",
    plan: Plan | None = None,
) -> Quantized:
    """The integer network that stands for a frozen float network on a target.

    ``bits``: the width of all weights, or one for each layer and the readout. Scales that a network was trained at
    (`scales.kept`), for this target and these bits, are used as they are, and then stand in its provenance. Otherwise
    a ``plan`` found by `search` for this target and these bits is, or else the scales that `choose` finds.

    Raises NonFiniteWeights, SpanTooLong (naming the layer), InvalidSetting (bits, or weights that no scale fits, or
    not the one trained at), RulesBroken (all hardware limits that block, at once).
    """
    require_spans(frozen, mapping)
    require_finite(frozen)
    stated, frozen = frozen, taps.whole(frozen)
    trained, formats = trained_at(frozen, target, bits), target.formats
    moved, scales = Plan(frozen, trained) if trained else plan or Plan(frozen, choose(frozen, target, bits))
    *grids, readout_grid = (WeightGrid(width) for width in widths(bits, len(frozen.layers)))
    assert (scales.target, scales.widths) == (target.name, widths(bits, len(frozen.layers))), "another plan's bits"
    layers: list[SkipLayer] = []
    rounding: list[Rounded] = []
    for i, (float_layer, at, grid) in enumerate(zip(moved.layers, scales.layers, grids, strict=True)):
        into = feed(frozen, i)
        integers = layer_at(float_layer, into.unit, at, grid, formats)
        if not cannot_overflow(integers, into, formats):
            raise _outgrown(integers.name)
        layers.append(integers)
        rounding.extend(_layer_log(stated.layers[i], integers, into.unit))
    readout = readout_at(moved.readout_weight, moved.readout_bias, scales.readout, readout_grid, formats)
    if _readout_may_saturate(readout, frozen.steps):
        raise _outgrown(readout.name)
    rounding.extend(_readout_log(frozen, readout))
    provenance = {key: value for key, value in frozen.provenance.items() if key != PROVENANCE_KEY}
    made = Chain(
        input=InputFormat(frozen.channels, 0, frozen.maximum, frozen.scale),
        layers=tuple(layers),
        readout=readout,
        mapping=mapping,
        target=target.name,
        steps=frozen.steps,
        permutation=frozen.permutation,
    ).network()
    network = replace(
        made,
        provenance={
            **provenance,
            **(trained.carried() if trained else {}),
            "asrc": __version__,
            "contract": contract_version(made),
            "rounding": [_plain(line) for line in rounding],
        },
    )
    return Quantized(network, rounding, rules.require(network, target))


def trained_at(frozen: FrozenNetwork, target: Target, bits: int | tuple[int, ...]) -> Scales | None:
    """The scales that the network was trained at, if they are for this target and these bits.

    Raises InvalidSetting (bits, or scales that are not whole).
    """
    asked, trained = widths(bits, len(frozen.layers)), kept(frozen)
    return trained if trained is not None and (trained.target, trained.widths) == (target.name, asked) else None


def choose(frozen: FrozenNetwork, target: Target, bits: int | tuple[int, ...], *, to_train: bool = False) -> Scales:
    """The feasible scales with the least expected error, each layer's for itself; no samples are needed.

    Where that lessens the square error, the largest weights are cut off at the grid's ends. ``to_train``: scales at
    which training goes on (`quantized_network`). Their recurrent sums are never floored (exponents of at least 0), and
    they leave room for weights to grow. Raises NonFiniteWeights, InvalidSetting (bits, or a layer without a feasible
    scale).
    """
    *grids, readout_grid = (WeightGrid(width) for width in widths(bits, len(frozen.layers)))
    require_finite(frozen)
    frozen, formats = taps.whole(frozen), target.formats
    layers = tuple(
        choose_layer(layer, feed(frozen, i), grid, formats, to_train)
        for i, (layer, grid) in enumerate(zip(frozen.layers, grids, strict=True))
    )
    readout = choose_readout(frozen, readout_grid, formats)
    return Scales(target=target.name, bits=bits, layers=layers, readout=readout)


def feed(frozen: FrozenNetwork, index: int) -> Feed:
    """What the layer of that index is fed with: the first takes integers, so their scale moves into its weights."""
    if index == 0:
        return Feed(frozen.scale, 0, frozen.maximum, frozen.maximum**2 / 3)
    return Feed(1.0, 0, 1, ASSUMED_RATE)


def layer_at(layer: FrozenLayer, unit_in: float, at: LayerScales, grid: WeightGrid, formats: Formats) -> SkipLayer:
    """The layer in integers at given scales; weights and biases beyond a grid's ends come to lie on them.

    ``unit_in`` is the real value of an input of 1; taps weigh whole numbers (`taps.whole`). Raises InvalidSetting if
    the threshold has no integer there.
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
        taps=tuple(Tap(span, int(weight)) for span, weight in layer.taps),
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


def choose_layer(
    layer: FrozenLayer, into: Feed, grid: WeightGrid, formats: Formats, to_train: bool = False
) -> LayerScales:
    """The feasible scale with the least expected error; of equals the largest.

    Raises InvalidSetting if there is none.
    """
    best: tuple[float, float, LayerScales] | None = None
    for scale in _scales(layer, into.unit, grid, formats):
        at = _at_scale(layer, into.unit, scale, grid, formats, to_train)
        if at is None:
            continue
        made = layer_at(layer, into.unit, at, grid, formats)
        error = _expected_error(layer, made, into.unit, into.power)
        better = best is None or (error, -scale) < (best[0], -best[1])
        if better and cannot_overflow(made, into, formats, ROOM_TO_TRAIN if to_train else 1):
            best = error, scale, at
    if best is None:
        room = " and leaves room to train" if to_train else ""
        raise InvalidSetting(
            f"layer '{layer.name}'",
            "no scale lets its weights, bias and threshold fit the target's formats without a membrane that could "
            f"saturate{room}; train with more weight decay or a gradient clip",
        )
    return best[2]


def cannot_overflow(made: SkipLayer, into: Feed, formats: Formats, room: int = 1) -> bool:
    """Whether no input can saturate a membrane, nor wrap the synaptic accumulator where its width is known.

    With ``room``, not even if what it reaches were that many times as large.
    """
    try:
        ranges = _ranges(made, into)
    except InvalidNetwork:  # a register could leave 32 bits, or the state 24
        return False
    if ranges.state.magnitude * room > STATE_MAX:
        return False
    if formats.accumulator_bits is None:
        return True
    assert ranges.recurrent is not None
    reach = (ranges.feedforward.magnitude + ranges.recurrent.magnitude) << made.activation_shift
    return bool(reach * room < 2 ** (formats.accumulator_bits.count - 1))


def _ranges(made: SkipLayer, into: Feed) -> LayerRanges:
    """Worst-case ranges of a layer; it does not matter to them where past spikes are kept."""
    sent = [Range(into.low, into.high), BIT]
    return layer_ranges(_complete(made.layer(INPUT, "delay-line")), sent, ["before", "self"], steps=1)


def _readout_may_saturate(made: Readout, steps: int) -> bool:
    try:
        return layer_ranges(_complete(made.layer(INPUT, "delay-line")), [BIT], ["before"], steps).may_saturate
    except InvalidNetwork:  # a register could leave 32 bits
        return True


def _complete(layer: Layer) -> Layer:
    """The layer with all of its neurons' parameters."""
    neuron = layer.neuron
    parameters = neuron.of_kind.checked(f"layer '{layer.name}'", neuron.parameters, layer.neurons)
    return replace(layer, neuron=Neuron(neuron.kind, parameters))


def _scales(layer: FrozenLayer, unit_in: float, grid: WeightGrid, formats: Formats) -> Iterator[float]:
    """Scales at which one of the two matrices fills its grid exactly, or by a part of an octave less or more, over the
    octaves that exponents reach.
    """
    unit = 2.0**formats.activation_shift.count
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    for matrix in (layer.weight * unit_in, layer.recurrent):
        reach = extent(matrix, grid)
        if reach > 0:
            for part in range(PARTS * lowest, PARTS * highest + 1):
                yield unit * 2.0 ** (part / PARTS) / reach


def _at_scale(
    layer: FrozenLayer, unit_in: float, scale: float, grid: WeightGrid, formats: Formats, to_train: bool = False
) -> LayerScales | None:
    """The exponents that go with a scale, or None if some parameter has no integer there."""
    sums = scale / 2.0**formats.activation_shift.count
    scaled = [matrix * sums for matrix in (layer.weight * unit_in, layer.recurrent)]
    fitting = [_exponent(each, grid, formats) for each in scaled]
    e_ff, e_rec = fitting
    if not fits(layer, scale, formats) or e_ff is None or e_rec is None:
        return None
    e_ff, e_rec = (_cut_exponent(each, e, grid, formats) for each, e in zip(scaled, (e_ff, e_rec), strict=True))
    if to_train and e_rec < 0:
        return None
    return LayerScales(scale=scale, feedforward_exponent=e_ff, recurrent_exponent=e_rec)


def fits(layer: FrozenLayer, scale: float, formats: Formats) -> bool:
    """Whether the layer's threshold and biases have integers at the scale."""
    biases_fit = bool(np.abs(layer.bias * scale).max() <= formats.bias_grid.high)
    return biases_fit and _holds_threshold(layer.threshold * scale, formats)


def _holds_threshold(threshold: float, formats: Formats) -> bool:
    return 2.0**formats.threshold_exponent.count <= threshold <= formats.threshold_grid.high


def _exponent(scaled: Floats, grid: WeightGrid, formats: Formats) -> int | None:
    """The smallest exponent at which the matrix fits the grid: smallest, because it wastes no resolution."""
    reach = extent(scaled, grid)
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    if reach == 0:
        return 0
    # A hair of tolerance, so that the scale chosen to fill the grid exactly does.
    exponent = max(lowest, int(np.ceil(np.log2(reach) - 1e-9)))
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


def extent(matrix: Floats, grid: WeightGrid) -> float:
    """The matrix's reach in units of the grid's: 1 fills it."""
    return float(max(matrix.max() / grid.high, matrix.min() / grid.low, 0.0))


def _expected_error(layer: FrozenLayer, made: SkipLayer, into: float, power: float) -> float:
    """Mean square error of a step's drive in units of the threshold: rounding of W, U, b and theta, and the
    floor of negative exponents; inputs are taken as independent with mean square ``power``.
    """
    recalled = ASSUMED_RATE * sum(tap.weight**2 for tap in made.all_taps)
    unit = 2.0**made.activation_shift / made.scale
    w_error = layer.weight * into - made.feedforward * (unit * 2.0**made.feedforward_exponent)
    u_error = layer.recurrent - made.recurrent * (unit * 2.0**made.recurrent_exponent)
    floors = sum(unit**2 / 3 for e in (made.feedforward_exponent, made.recurrent_exponent) if e < 0)
    return (
        float(
            (np.square(w_error).sum(axis=1) * power + np.square(u_error).sum(axis=1) * recalled).mean()
            + np.square(layer.bias - made.bias / made.scale).mean()
            + (layer.threshold - made.threshold / made.scale) ** 2
            + floors
        )
        / layer.threshold**2
    )


def choose_readout(frozen: FrozenNetwork, grid: WeightGrid, formats: Formats) -> ReadoutScales:
    """The grid unit with the least square error of the weights, the largest cut off where that lessens it.

    Raises InvalidSetting if no scale is feasible.
    """
    unit = extent(frozen.readout_weight, grid) or 1.0 / grid.high
    unit = min((unit / 2 ** (part / PARTS) for part in range(9)), key=_cut_error(frozen.readout_weight, grid))
    at = largest_readout(frozen.readout_weight, frozen.readout_bias, unit, frozen.steps, grid, formats)
    if at is None:
        raise InvalidSetting(
            "readout",
            f"its accumulators could exceed {STATE_MAX} within {frozen.steps} steps at every exponent; "
            "use a smaller last layer, shorter samples or more weight decay",
        )
    return at


def largest_readout(
    weight: Floats, bias: Floats, unit: float, steps: int, grid: WeightGrid, formats: Formats
) -> ReadoutScales | None:
    """The largest scale at which a grid unit has that value and no accumulator can saturate within the steps.

    Lowering the exponent floors the sum once a step, which costs less than coarser weights would.
    """
    for exponent in range(0, formats.min_weight_exponent.count - 1, -1):
        at = ReadoutScales(scale=2.0**exponent / unit, exponent=exponent)
        if np.abs(bias * at.scale).max() > formats.bias_grid.high:
            continue
        if not _readout_may_saturate(readout_at(weight, bias, at, grid, formats), steps):
            return at
    return None


def _layer_log(layer: FrozenLayer, made: SkipLayer, into: float) -> Iterator[Rounded]:
    unit = 2.0**made.activation_shift / made.scale
    divisor = made.largest_message / taps.gain(layer)
    w_unit, u_unit = unit * 2.0**made.feedforward_exponent / into, unit * 2.0**made.recurrent_exponent * divisor
    grid = WeightGrid(made.weight_bits)
    yield _worst(made.name, "feedforward weight", layer.weight, made.feedforward, w_unit, grid)
    yield _worst(made.name, "recurrent weight", layer.recurrent, made.recurrent, u_unit, grid)
    whole = {tap.span: tap.weight for tap in made.all_taps}
    for span, weight in layer.taps:
        m = whole.get(span, 0)
        yield Rounded(made.name, f"weight of the tap {span} steps back", weight, m, m / divisor)
    yield _worst(made.name, "bias", layer.bias, made.bias, 1 / made.scale)
    yield Rounded(made.name, "threshold", layer.threshold, made.threshold, made.threshold / made.scale)
    yield Rounded(made.name, "decay factor", layer.decay, made.decay, (DECAY_ONE - made.decay) / DECAY_ONE)


def _readout_log(frozen: FrozenNetwork, readout: Readout) -> Iterator[Rounded]:
    unit = 2.0**readout.exponent / readout.scale
    yield _worst(readout.name, "weight", frozen.readout_weight, readout.weight, unit, WeightGrid(readout.weight_bits))
    yield _worst(readout.name, "bias", frozen.readout_bias, readout.bias, 1 / readout.scale)


def _worst(
    layer: str, parameter: str, values: Floats, integers: Ints, unit: float, grid: WeightGrid | None = None
) -> Rounded:
    effective = integers * unit
    at = np.unravel_index(np.abs(effective - values).argmax(), values.shape)
    line = Rounded(layer, parameter, float(values[at]), int(integers[at]), float(effective[at]))
    if grid is None:
        return line
    wanted, half = values / unit, grid.step / 2 * (1 + 1e-9)
    beyond = (wanted < grid.low - half) | (wanted > grid.high + half)
    moved = (np.abs(np.clip(wanted, grid.low, grid.high) - integers) > half).sum()
    return replace(line, cut_off=int(beyond.sum()), moved=int(moved))


def _plain(line: Rounded) -> dict[str, Any]:
    return {
        "layer": line.layer,
        "parameter": line.parameter,
        "float": line.value,
        "integer": line.integer,
        "effective": line.effective,
        "error": line.error,
        "cut_off": line.cut_off,
        "moved": line.moved,
    }


def require_spans(frozen: FrozenNetwork, mapping: Mapping) -> None:
    """Raise SpanTooLong, naming the layer, if the mapping cannot reach back as far as a span; InvalidSetting if it has
    no taps and a layer hears several spans at once.
    """
    for layer in frozen.layers:
        require_reach(layer.name, layer.span, mapping)
        if layer.taps and mapping != "delay-line":
            why = f"layer '{layer.name}' hears {len(layer.taps)} spans at once, each of which would take a copy of U"
            raise InvalidSetting(f"`mapping='{mapping}'`", f"{why}; use delay-line")


def require_finite(frozen: FrozenNetwork) -> None:
    """Raise NonFiniteWeights, naming the tensor, for a weight or bias that is no number."""
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
