"""Scales without samples: the ones with the least expected error among those at which nothing can saturate.

Each layer gets one scale, the number of membrane units in one unit of the float membrane. Its weights and its neurons'
constants share it; the exponents of what comes from before and of what comes back are the only freedom between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asrc_core.contract.network import Layer
from asrc_core.contract.neurons.integrator import MAX_WEIGHT_SHIFT
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX
from asrc_core.contract.rounding.constants import Unfit
from asrc_core.contract.rounding.grid import WeightGrid, widths
from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_export.chip.targets import Formats, Target
from asrc_export.quantization import resonators, taps
from asrc_export.quantization.checks import cannot_overflow, readout_may_saturate, require_finite
from asrc_export.quantization.compact import compact
from asrc_export.quantization.integers import (
    Feed,
    deciding_at,
    feeds,
    layer_at,
    readout_at,
    rounding,
    with_shift,
)
from asrc_export.quantization.scales import LayerScales, ReadoutScales, Scales, kept
from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork

MOST_VALUES = 64
"""Different values of a layer among which a common divisor is looked for."""
SINGLE = 2.0**-22
"""Relative error of numbers that were single precision, and of their products."""
PARTS = 4
"""Scales are tried in steps of this fraction of an octave."""
FINE_PARTS = 16
"""The largest scale is found to this fraction of an octave."""
ROOM_TO_TRAIN = 2
"""Scales for training leave a membrane's worst case this many times below saturation: weights grow."""


def trained_at(frozen: FrozenNetwork, target: Target, bits: int | tuple[int, ...]) -> Scales | None:
    """The scales that the network was trained at, if they are for this target and these bits.

    Raises InvalidSetting (bits, or scales that are not whole).
    """
    asked, trained = widths(bits, len(frozen.layers)), kept(frozen)
    return trained if trained is not None and (trained.target, trained.widths) == (target.name, asked) else None


def choose(
    frozen: FrozenNetwork,
    target: Target,
    bits: int | tuple[int, ...],
    *,
    to_train: bool = False,
    own_shifts: bool = True,
) -> Scales:
    """The feasible scales with the least expected error, each layer's for itself; no samples are needed.

    Where that lessens the square error, the largest weights are cut off at the grid's ends. ``to_train``: scales at
    which training goes on (`quantized_network`): they leave room for weights to grow and, where there are such, do not
    floor recurrent sums (exponents of at least 0), which is what the training kernels compute. ``own_shifts``: where
    neurons can be programmed, layers with a delay for each synapse may shift what arrives by less than the target does.
    Raises NonFiniteWeights, InvalidSetting (bits, or a layer without a feasible scale).
    """
    *grids, readout_grid = (WeightGrid(width) for width in widths(bits, len(frozen.layers)))
    require_finite(frozen)
    frozen, formats = resonators.balanced(taps.whole(frozen)), target.formats
    own = own_shifts and (target.neurons is None or target.neurons.programmable)
    layers = tuple(
        choose_layer(compact(layer), feeds(frozen, i), grid, formats, to_train, own_shift=own)
        for i, (layer, grid) in enumerate(zip(frozen.layers, grids, strict=True))
    )
    if frozen.decides is None:
        readout = choose_readout(frozen, readout_grid, formats)
    else:
        into = feeds(frozen, len(layers))
        readout = choose_deciding(compact(frozen.decides), into, frozen.steps, readout_grid, formats, own_shift=own)
    return Scales(target=target.name, bits=bits, layers=layers, readout=readout)


def choose_layer(
    layer: FrozenLayer,
    into: Sequence[Feed],
    grid: WeightGrid,
    formats: Formats,
    to_train: bool = False,
    steps: int = 1,
    own_shift: bool = True,
) -> LayerScales:
    """The feasible scale with the least expected error; of equals the largest.

    ``to_train`` asks for room, and for recurrent sums that are not floored unless no scale has both: where what is fed
    is large, unfloored recurrent sums take a scale at which membranes come near their ends. Layers with a delay for
    each synapse, whose exponents are never below 0, may shift what arrives by less than the target's neurons do, with
    ``own_shift``. Raises InvalidSetting if there is none.
    """
    ways = _Ways(layer, into, grid, formats, _room(layer, to_train), steps)
    shifts = shifts_to_try(layer, formats, own_shift)
    best = ways.best(shifts, floored=not to_train)
    if best is None and to_train:
        best = ways.best(shifts, floored=True)
    if best is None:
        _require_fading(layer)
        leaves = " and leaves room to train" if to_train else ""
        heard = max(max(abs(each.low), abs(each.high)) for each in into)
        smaller = f", or on smaller numbers (its inputs go up to {heard:,g})" if heard > 1 else ""
        raise InvalidSetting(
            f"layer '{layer.name}'",
            "no scale lets its weights, bias and threshold fit the target's formats without a membrane that could "
            f"saturate{leaves}; train with more weight decay or a gradient clip{smaller}",
        )
    return best


def _require_fading(layer: FrozenLayer) -> None:
    """Raise InvalidSetting for a current that lasts for ever once its decay is rounded: its sum has no bound."""
    kept = layer.constants.get("current_decay_factor")
    if kept is None:
        return
    share = float(np.max(kept))
    if round((1 - share) * DECAY_ONE) <= 0:
        raise InvalidSetting(
            f"layer '{layer.name}'",
            f"its current keeps {share:.8g} of itself in a step, which rounds to all of it, so that it never fades "
            f"and no scale holds its sum; let it keep {1 - 1 / DECAY_ONE:.8g} or less (shorter tau_syn, longer steps)",
        )


def of_each_shift(
    layer: FrozenLayer,
    into: Sequence[Feed],
    grid: WeightGrid,
    formats: Formats,
    to_train: bool = False,
    steps: int = 1,
    own_shift: bool = True,
) -> list[LayerScales]:
    """For each shift at which there is one, the feasible scale with the least expected error, and the largest from
    there on: what states lose in each step, which is not expected, is least there. Sums of delayed synapses are never
    floored.
    """
    ways, found = _Ways(layer, into, grid, formats, _room(layer, to_train), steps), []
    for shift in shifts_to_try(layer, formats, own_shift):
        at = ways.best([shift], floored=False)
        if at is not None:
            most = ways.largest(at)
            found += [at] if most == at else [at, most]
    return found


def _room(layer: FrozenLayer, to_train: bool) -> int:
    """How many times a membrane's worst case is to fit. Kinds that round each neuron by itself shift more as weights
    grow, and fill the room that there is.
    """
    return ROOM_TO_TRAIN if to_train and layer.of_kind.meant is None else 1


@dataclass(frozen=True, eq=False)
class _Ways:
    """All that a layer's scale depends on; within it a membrane's worst case is to fit ``room`` times over."""

    layer: FrozenLayer
    into: Sequence[Feed]
    grid: WeightGrid
    formats: Formats
    room: int
    steps: int

    def best(self, shifts: Sequence[int | None], *, floored: bool) -> LayerScales | None:
        """The scale that `choose_layer` means, recurrent sums ``floored`` or not; None if there is none."""
        best: tuple[float, float, LayerScales] | None = None
        missing: str | None = None
        for shift in shifts:
            own = with_shift(self.formats, shift)
            for scale in scales_to_try(self.layer, self.into, self.grid, own):
                at = at_scale(self.layer, self.into, scale, self.grid, own, floored=floored)
                if at is None:
                    missing = missing or _missing(self.layer, scale, own)
                    continue
                at = at.model_copy(update={"activation_shift": shift})
                try:
                    made = self._made(at)
                except InvalidSetting as refused:  # of numbers that depend on the weights: another scale may have them
                    missing = refused.why
                    continue
                error = expected_error(self.layer, made, self.into)
                better = best is None or (error, -scale) < (best[0], -best[1])
                if better and self._holds(made, own):
                    best = error, scale, at
        if best is None and missing is not None and floored:
            why = f"at no scale do its neurons fit, and at the last {missing}"
            raise InvalidSetting(f"layer '{self.layer.name}'", why)
        return None if best is None else best[2]

    def largest(self, at: LayerScales) -> LayerScales:
        """The last feasible scale in small steps from a feasible one on, at the same shift."""
        shift = at.activation_shift
        own = with_shift(self.formats, shift)
        while True:
            larger = at_scale(self.layer, self.into, at.scale * 2 ** (1 / FINE_PARTS), self.grid, own, floored=False)
            if larger is None:
                return at
            larger = larger.model_copy(update={"activation_shift": shift})
            try:
                made = self._made(larger)
            except InvalidSetting:
                return at
            if not self._holds(made, own):
                return at
            at = larger

    def _made(self, at: LayerScales) -> Layer:
        return layer_at(self.layer, self.into, at, self.grid, self.formats)

    def _holds(self, made: Layer, formats: Formats) -> bool:
        return cannot_overflow(made, self.into, formats, self.room, self.steps)


def shifts_to_try(layer: FrozenLayer, formats: Formats, own: bool) -> list[int | None]:
    """How many bits what arrives may be shifted by; None is what the target does."""
    unsaid = layer.of_kind.at_scale is None
    if unsaid and "activation_shift" in layer.of_kind.parameters:  # nothing says so: what arrives is not shifted
        return [0]
    if not own or all(each.delays is None for each in layer.connections):
        return [None]
    if unsaid:
        return [0]
    return list(range(formats.activation_shift.count, -1, -1))


def choose_deciding(
    layer: FrozenLayer,
    into: Sequence[Feed],
    steps: int,
    grid: WeightGrid,
    formats: Formats,
    *,
    own_shift: bool = True,
) -> ReadoutScales:
    """The scale of a readout that is a layer of its own, as `choose_layer`; then the least shift of weighted steps at
    which nothing saturates in a sample of so many steps. Raises InvalidSetting if there is none.
    """
    at = choose_layer(_unweighted(layer), into, grid, formats, steps=steps, own_shift=own_shift)
    found = _weighed(layer, into, at, steps, grid, formats)
    if found is None:
        _require_fading(layer)
        raise InvalidSetting(
            f"layer '{layer.name}'",
            f"its accumulators could exceed {STATE_MAX} within {plural(steps, 'step')}; use a smaller last layer or "
            "shorter samples",
        )
    return found


def deciding_of_each_shift(
    layer: FrozenLayer,
    into: Sequence[Feed],
    steps: int,
    grid: WeightGrid,
    formats: Formats,
    *,
    own_shift: bool = True,
) -> list[ReadoutScales]:
    """The same for each shift at which there is one."""
    each = of_each_shift(_unweighted(layer), into, grid, formats, steps=steps, own_shift=own_shift)
    weighed = (_weighed(layer, into, at, steps, grid, formats) for at in each)
    return [at for at in weighed if at is not None]


def _unweighted(layer: FrozenLayer) -> FrozenLayer:
    constants = {name: value for name, value in layer.constants.items() if name != "time_weights"}
    return replace(layer, constants=constants)


def _weighed(
    layer: FrozenLayer, into: Sequence[Feed], at: LayerScales, steps: int, grid: WeightGrid, formats: Formats
) -> ReadoutScales | None:
    """The scale with the least shift of weighted steps at which nothing saturates within so many steps, if any."""
    found = ReadoutScales(scale=at.scale, exponent=at.feedforward_exponent, activation_shift=at.activation_shift)
    for shift in range(MAX_WEIGHT_SHIFT + 1):
        shifted = found.model_copy(update={"weight_shift": shift})
        made = deciding_at(layer, into, shifted, grid, formats)
        if cannot_overflow(made, into, with_shift(formats, at.activation_shift), steps=steps):
            return shifted
        if "weight_shift" not in made.neuron.of_kind.parameters:
            break
    return None


def scales_to_try(layer: FrozenLayer, into: Sequence[Feed], grid: WeightGrid, formats: Formats) -> Iterator[float]:
    """Scales at which one of the matrices fills its grid exactly, or by a part of an octave less or more, over the
    octaves that exponents reach; first those at which all weights and potentials are on their grids, if there are any.
    """
    unit = 2.0**formats.activation_shift.count
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    exact = _exact_fill(layer, into, grid)
    if exact is not None:
        yield from (unit * 2.0**e * exact for e in range(lowest, highest + 1))
    for each, source in zip(layer.connections, into, strict=True):
        reach = extent(each.weight * source.unit, grid)
        if reach > 0:
            for part in range(PARTS * lowest, PARTS * highest + 1):
                yield unit * 2.0 ** (part / PARTS) / reach


def _exact_fill(layer: FrozenLayer, into: Sequence[Feed], grid: WeightGrid) -> float | None:
    """Grid units in a unit of the weights, such that all weights and potentials are whole multiples of the grid's step.

    None if there is no such number, or more than MOST_VALUES different values. Only then does a membrane that should
    equal the threshold equal it on integers.
    """
    weights = np.concatenate(
        [np.unique(np.abs(each.weight * s.unit)) for each, s in zip(layer.connections, into, strict=True)]
    )
    potentials = [
        np.unique(np.abs(layer.constants[name]))
        for name, constant in layer.of_kind.constants.items()
        if constant.potential and name in layer.constants
    ]
    values, largest = np.unique(np.concatenate([weights, *potentials])), float(weights.max(initial=0.0))
    if largest <= 0 or len(values) > MOST_VALUES:
        return None
    most = grid.high // grid.step
    for parts in range(1, most + 1):
        multiples = values / largest * parts
        if (np.abs(multiples - np.rint(multiples)) <= SINGLE * np.maximum(multiples, 1)).all():
            return most // parts * parts * grid.step / largest
    return None


def at_scale(
    layer: FrozenLayer, into: Sequence[Feed], scale: float, grid: WeightGrid, formats: Formats, *, floored: bool = True
) -> LayerScales | None:
    """The exponents that go with a scale, or None if some parameter has no integer there, or if recurrent sums would be
    floored and must not be.
    """
    if not fits(layer, scale, formats):
        return None
    found = []
    for before in (True, False):
        group = [(each, s) for each, s in zip(layer.connections, into, strict=True) if s.before == before]
        sums = scale / 2.0**formats.activation_shift.count
        scaled = [each.weight * source.unit * sums for each, source in group]
        delayed = any(each.delays is not None for each, _ in group)
        lowest = max(formats.min_weight_exponent.count, 0) if delayed else formats.min_weight_exponent.count
        exponent = _exponent(scaled, grid, lowest, formats.max_weight_exponent.count)
        if exponent is None:
            return None
        found.append(exponent)
    if found[1] < 0 and not floored:
        return None
    return LayerScales(scale=scale, feedforward_exponent=found[0], recurrent_exponent=found[1])


def _missing(layer: FrozenLayer, scale: float, formats: Formats) -> str | None:
    """What a kind that rounds its neurons one by one says of the one that has no integers there."""
    return None if layer.of_kind.meant is None else _unfit(layer, scale, formats)


def fits(layer: FrozenLayer, scale: float, formats: Formats) -> bool:
    """Whether the neurons' constants have integers at the scale."""
    return _unfit(layer, scale, formats) is None


def _unfit(layer: FrozenLayer, scale: float, formats: Formats) -> str | None:
    """Why the neurons' constants have no integers at the scale; None if they have."""
    try:
        layer.of_kind.rounded(layer.constants, rounding(scale, formats, cut_biases=False))
    except Unfit as unfit:
        return str(unfit)
    return None


def _exponent(scaled: Sequence[Floats], grid: WeightGrid, lowest: int, highest: int) -> int | None:
    """The exponent of the least square error among the smallest at which all matrices fit the grid (smallest, because
    it wastes no resolution) and, at few bits, one or two below, at which the largest weights are cut off.
    """
    reach = max((extent(each, grid) for each in scaled), default=0.0)
    fitting = 0
    if reach > 0:
        # A hair of tolerance, so that the scale chosen to fill the grid exactly does.
        fitting = max(lowest, int(np.ceil(np.log2(reach) - 1e-9)))
    if fitting > highest:
        return None
    errors = [cut_error(each, grid) for each in scaled]
    tried = (e for e in range(fitting, fitting - 3, -1) if e >= min(fitting, lowest))
    return min(tried, key=lambda e: sum(error(2.0**e) for error in errors))


def cut_error(matrix: Floats, grid: WeightGrid) -> Callable[[float], float]:
    """From a grid unit's value to the square error of the matrix in such units, what lies beyond the ends cut off."""

    def error(unit: float) -> float:
        rounded = grid.nearest(np.clip(matrix / unit, grid.low, grid.high))
        return float(np.square(matrix - rounded * unit).sum())

    return error


def extent(matrix: Floats, grid: WeightGrid) -> float:
    """The matrix's reach in units of the grid's: 1 fills it."""
    return float(max(matrix.max() / grid.high, matrix.min() / grid.low, 0.0))


def expected_error(layer: FrozenLayer, made: Layer, into: Sequence[Feed]) -> float:
    """Mean square error of a step's drive in units of the threshold: rounding of weights and potentials, and the
    floor of negative exponents; what is sent is taken as independent.
    """
    unit = 2.0 ** made.neuron.parameters.get("activation_shift", 0) / made.scale
    drive, floors = 0.0, 0.0
    for each, integers, source in zip(layer.connections, made.connections, into, strict=True):
        off = each.weight * source.unit - integers.weights * (unit * 2.0**integers.exponent)
        power = source.power * (sum(tap.weight**2 for tap in integers.taps) or 1)
        drive = drive + np.square(off).sum(axis=1) * power
        floors += unit**2 / 3 if integers.exponent < 0 else 0.0
    error = np.mean(drive)
    constants = {name: each for name, each in layer.of_kind.constants.items() if each.potential}
    for name, constant in constants.items():
        if name in layer.constants:
            stands_for = made.neuron.parameters[constant.parameter] / made.scale
            error = error + np.square(layer.constants[name] - stands_for).mean()
    return float(error + floors) / float(np.square(layer.constants.get("threshold", 1.0)).mean())


def choose_readout(frozen: FrozenNetwork, grid: WeightGrid, formats: Formats) -> ReadoutScales:
    """The grid unit with the least square error of the weights, the largest cut off where that lessens it.

    Raises InvalidSetting if no scale is feasible.
    """
    unit = extent(frozen.readout_weight, grid) or 1.0 / grid.high
    unit = min((unit / 2 ** (part / PARTS) for part in range(9)), key=cut_error(frozen.readout_weight, grid))
    at = largest_readout(frozen.readout_weight, frozen.readout_bias, unit, frozen.steps, grid, formats)
    if at is None:
        raise InvalidSetting(
            "readout",
            f"its accumulators could exceed {STATE_MAX} within {plural(frozen.steps, 'step')} at every exponent; "
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
        if not readout_may_saturate(readout_at(weight, bias, at, grid, formats), steps):
            return at
    return None
