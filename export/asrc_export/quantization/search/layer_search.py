"""A layer's scales, exponents, weights and bias by the spikes that they change on samples.

The layer is judged *teacher-forced* (`forced`): at every step it receives what the float layer received, its own past
spikes and resets included, and the cells (step, sample, neuron) whose spike differs are counted. So one flipped spike
counts once, instead of starting another trajectory, and layers do not depend on each other. For every pair of grid
units worth trying,

1. the weights are rounded so that the membrane's mean square error is least (`compensation.compensated`), with the
   second moments of the inputs as the membrane filters them, z[t] = alpha z[t-1] + (x[t], r[t]);
2. the biases take up the mean error that the rounding leaves;
3. the largest scale is taken at which no membrane can saturate, and the integer layer is run.

The first candidate is the choice that needs no samples (`scale_choice.choose_layer`), so none is worse on these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from asrc_core.contract.arithmetic import shift
from asrc_core.contract.network import Layer
from asrc_core.contract.neurons import lif
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import Connection
from asrc_export.chip.targets import Formats, Target
from asrc_export.quantization import taps
from asrc_export.quantization.checks import cannot_overflow
from asrc_export.quantization.integers import Feed, feeds, layer_at
from asrc_export.quantization.resonators import KIND as RESONATOR
from asrc_export.quantization.resonators import balanced
from asrc_export.quantization.scale_choice import ROOM_TO_TRAIN, choose_layer, extent, fits
from asrc_export.quantization.scales import LayerScales
from asrc_export.quantization.search import compensation, resonator_search
from asrc_export.quantization.search.activity import Cells, LayerActivity
from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork

PARTS = 8
"""Grid units are tried in steps of this fraction of an octave."""
CUT_OCTAVES = 3
"""Down to this many octaves below the unit at which the largest weight fits; what lies beyond is cut off."""
TRIED = 6
"""Pairs of units, those with the least error of plain rounding, that are rounded with compensation and run."""
CHUNK_STEPS = 64
"""Steps whose sums are held at a time."""


class Limits(NamedTuple):
    """The room that membranes keep to their ends, and whether recurrent sums may be floored."""

    room: int
    floored: bool


class LayerChoice(NamedTuple):
    """A layer's float parameters, moved to where they are rounded as wanted, and its scales.

    error: share of cells whose spike differs, teacher-forced; data_free: the same of the choice that needs no samples.
    """

    layer: FrozenLayer
    at: LayerScales
    error: float
    data_free: float


def choose(
    frozen: FrozenNetwork,
    index: int,
    target: Target,
    bits: int,
    activity: LayerActivity,
    *,
    to_train: bool = False,
) -> LayerChoice:
    """The layer of that index with the fewest differing spikes. Raises InvalidSetting if no scale is feasible.

    Skip-recurrent LIF layers are searched, and resonators (`resonator_search`); others keep the choice that needs no
    samples.
    """
    frozen = balanced(taps.whole(frozen))
    layer, into = frozen.layers[index], feeds(frozen, index)
    grid, formats = WeightGrid(bits), target.formats
    start = choose_layer(layer, into, grid, formats, to_train)
    least = data_free = forced(layer_at(layer, into, start, grid, formats), activity)
    best = layer, start
    floored = not to_train or start.recurrent_exponent < 0
    limits = Limits(ROOM_TO_TRAIN if to_train else 1, floored)
    candidates: Iterator[tuple[FrozenLayer, LayerScales]] = iter(())
    if _searched(layer):
        candidates = _candidates(layer, into, grid, formats, activity, limits)
    elif layer.kind == RESONATOR:
        candidates = resonator_search.candidates(layer, into, start, grid, formats, activity)
    for candidate, at in candidates:
        made = layer_at(candidate, into, at, grid, formats)
        found = forced(made, activity)
        if found < least:
            least, best = found, (candidate, at)
    cells = activity.spikes.size
    return LayerChoice(*best, least / cells, data_free / cells)


def _searched(layer: FrozenLayer) -> bool:
    """Whether the moments of `filtered_moments` are the layer's."""
    at_once = [each.source != layer.name and each.delays is None and each.span == 0 for each in layer.connections]
    undelayed = layer.connections[-1].delays is None
    return layer.kind == "lif" and at_once == [True, False] and layer.connections[1].source == layer.name and undelayed


def forced(made: Layer, activity: LayerActivity) -> int:
    """Cells whose spike differs when the layer receives, at every step, what the float layer received.

    Its own spikes lead nowhere. Of LIF, resets are the float layer's, too; other kinds are reset by their own spikes.
    """
    if made.neuron.kind != "lif":
        return _differing(made, activity)
    p = made.neuron.parameters
    batch, neurons = activity.spikes.shape[1:]
    operations, v, differing = NumpyOperations(), np.zeros((batch, neurons), np.int64), 0
    sums = _sums(made, activity)
    for spikes in activity.spikes:
        u = lif.before_reset(operations, p, v, next(sums) << p["activation_shift"])
        differing += int(np.count_nonzero(lif.fires(operations, p, u) != spikes))
        v = lif.after_reset(operations, p, u, spikes)
    return differing


def _differing(made: Layer, activity: LayerActivity) -> int:
    batch, neurons = activity.spikes.shape[1:]
    operations, step, differing = NumpyOperations(), made.neuron.of_kind.step, 0
    state: Mapping[str, Any] = {name: np.zeros((batch, neurons), np.int64) for name in made.neuron.states}
    for a, spikes in zip(_sums(made, activity), activity.spikes, strict=True):
        after = step(operations, made.neuron.parameters, state, a)
        differing += int(np.count_nonzero(after.sent != spikes))
        state = after.states
    return differing


def _sums(made: Layer, activity: LayerActivity) -> Iterator[Ints]:
    """The sum of all connections at every step, (B, N)."""
    for first in range(0, len(activity.spikes), CHUNK_STEPS):
        parts = [
            shift(_weighed(each, arrived, first), each.exponent)
            for each, arrived in zip(made.connections, activity.arrived, strict=True)
        ]
        yield from sum(parts[1:], parts[0])


def _weighed(connection: Connection, arrived: Cells, first: int) -> Ints:
    """W x of a chunk of steps, (T, B, N); with delays, of what was sent so many steps before each."""
    if connection.delays is None:
        weights = connection.weights.T.astype(np.float64)
        return compensation.exact(arrived[first : first + CHUNK_STEPS], weights)
    parts = []
    for lag, own in connection.by_lag():
        earliest = max(0, first - lag)
        sent = arrived[earliest : max(0, min(first + CHUNK_STEPS, len(arrived)) - lag)]
        silent = min(first + CHUNK_STEPS, len(arrived)) - first - len(sent)
        padded = np.concatenate([np.zeros((silent, *arrived.shape[1:]), arrived.dtype), sent])
        parts.append(compensation.exact(padded, own.T.astype(np.float64)))
    whole: Ints = np.sum(parts, axis=0)
    return whole


def _candidates(
    layer: FrozenLayer,
    into: Sequence[Feed],
    grid: WeightGrid,
    formats: Formats,
    activity: LayerActivity,
    limits: Limits,
) -> Iterator[tuple[FrozenLayer, LayerScales]]:
    """Feasible ways to round the layer, compensated at the most promising pairs of units."""
    weights = np.concatenate([layer.weight * into[0].unit, layer.recurrent], axis=1)
    fan_in = layer.weight.shape[1]
    moments, with_bias, bias_power = filtered_moments(layer, activity)
    moments = compensation.settled(moments, (slice(0, fan_in), slice(fan_in, None)))
    for pair in _promising(weights, fan_in, grid, formats, moments):
        units = np.repeat(pair, [fan_in, len(layer.recurrent)])
        values = compensation.on_grid(weights, units, grid, moments)
        bias = layer.bias - (values - weights) @ with_bias / bias_power
        moved = layer.moved(weight=values[:, :fan_in] / into[0].unit, recurrent=values[:, fan_in:], bias=bias)
        at = _largest_scale(moved, into, pair, grid, formats, limits)
        if at is not None:
            yield moved, at


def _promising(
    weights: Floats, fan_in: int, grid: WeightGrid, formats: Formats, moments: Floats
) -> list[tuple[float, float]]:
    """Values of one grid unit of W and of U, a power of two apart, with the least error of plain compensation."""
    blocks = (slice(0, fan_in), slice(fan_in, None))
    extents = [extent(weights[:, block], grid) for block in blocks]
    if not any(extents):
        return []
    extents = [reach or max(extents) for reach in extents]
    octaves = formats.max_weight_exponent.count - formats.min_weight_exponent.count

    def error(block: slice, unit: float) -> float:
        own = weights[:, block]
        values = np.clip(np.rint(own / (unit * grid.step)) * grid.step, grid.low, grid.high) * unit
        return compensation.error(own, values, moments[block, block])

    found: list[tuple[float, tuple[float, float]]] = []
    for part in range(-PARTS, PARTS * CUT_OCTAVES + 1):
        w_unit = extents[0] * 2.0 ** (-part / PARTS)
        w_error = error(blocks[0], w_unit)
        nearest = round(np.log2(extents[1] / w_unit))
        for apart in range(max(-octaves, nearest - CUT_OCTAVES), min(octaves, nearest + 1) + 1):
            u_unit = w_unit * 2.0**apart
            found.append((w_error + error(blocks[1], u_unit), (w_unit, u_unit)))
    return [pair for _, pair in sorted(found)[:TRIED]]


def _largest_scale(
    layer: FrozenLayer,
    into: Sequence[Feed],
    pair: tuple[float, float],
    grid: WeightGrid,
    formats: Formats,
    limits: Limits,
) -> LayerScales | None:
    """The largest scale at which one grid unit of W and of U have the values asked for and no membrane can saturate.

    Larger only refines bias, threshold and membrane: the weights are the same integers at all of them.
    """
    lowest, highest = formats.min_weight_exponent.count, formats.max_weight_exponent.count
    apart = round(np.log2(pair[1] / pair[0]))
    for exponent in range(min(highest, highest - apart), max(lowest, lowest - apart) - 1, -1):
        scale = 2.0 ** (exponent + formats.activation_shift.count) / pair[0]
        at = LayerScales(scale=scale, feedforward_exponent=exponent, recurrent_exponent=exponent + apart)
        if not fits(layer, scale, formats) or (exponent + apart < 0 and not limits.floored):
            continue
        if cannot_overflow(layer_at(layer, into, at, grid, formats), into, formats, limits.room):
            return at
    return None


def filtered_moments(layer: FrozenLayer, activity: LayerActivity) -> tuple[Floats, Floats, float]:
    """Second moments of the inputs as the membrane filters them, what the bias explains taken out.

    With z[t] = alpha z[t-1] + (x[t], r[t]) and z_b its like for a constant input of 1, the membrane's error is
    (q - w)^T z + (b' - b) z_b. Returns E[z z^T] - E[z z_b] E[z z_b]^T / E[z_b^2], E[z z_b] and E[z_b^2]. A reset is
    taken to subtract (a hard one forgets a part of the error), and alpha is the neurons' mean.
    """
    decay_factor = float(np.mean(layer.decay))
    steps, batch, fan_in = activity.fed.shape
    size = fan_in + activity.recalled.shape[2]
    z, z_b = np.zeros((batch, size)), 0.0
    moments, with_bias, bias_power = np.zeros((size, size)), np.zeros(size), 0.0
    for first in range(0, steps, CHUNK_STEPS):
        kept = []
        for t in range(first, min(first + CHUNK_STEPS, steps)):
            z = decay_factor * z + np.concatenate([activity.fed[t], activity.recalled[t]], axis=1)
            z_b = decay_factor * z_b + 1.0
            kept.append(z)
            with_bias += z.sum(axis=0) * z_b
            bias_power += z_b**2 * batch
        stacked = np.concatenate(kept)
        moments += stacked.T @ stacked
    cells = steps * batch
    moments, with_bias, bias_power = moments / cells, with_bias / cells, bias_power / cells
    moments -= np.outer(with_bias, with_bias) / bias_power
    return moments, with_bias, bias_power
