"""How much may arrive at a layer's neurons in a step at the layer's scale, whatever its weights become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from asrc_core.contract.network import Layer
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_export.chip.targets import Formats
from asrc_export.quantization.checks import cannot_overflow
from asrc_export.quantization.integers import Feed, drive


class MostDrive(NamedTuple):
    """The most that may arrive at a neuron in a step, of each sign; both are at least 0."""

    positive: int
    negative: int


def most_drive(made: Layer, into: Sequence[Feed], formats: Formats, steps: int) -> MostDrive:
    """At which no state can saturate if every neuron's weights add up to as much, of one sign or the other.

    A state's bounds grow with what arrives: each end with the weights of one sign, so that both may be used up at once.
    ``formats`` are the layer's (`with_shift`).
    """
    return MostDrive(*(_most(made, into, formats, steps, sign) for sign in (1, -1)))


def _most(made: Layer, into: Sequence[Feed], formats: Formats, steps: int, sign: int) -> int:
    inputs = [each.weights.shape[1] for each in made.connections]
    largest = min(min(grid.high, -grid.low) // grid.step for grid in _grids(made))

    def filled(multiples: int) -> Layer:
        each, more = divmod(multiples, sum(inputs))
        row = sign * np.where(np.arange(sum(inputs)) < more, each + 1, each)
        parts = np.split(row, np.cumsum(inputs)[:-1])
        connections = tuple(
            replace(connection, weights=np.broadcast_to(part * grid.step, connection.weights.shape).copy())
            for connection, part, grid in zip(made.connections, parts, _grids(made), strict=True)
        )
        return replace(made, connections=connections)

    most = _last(lambda n: cannot_overflow(filled(n), into, formats, steps=steps), largest * sum(inputs))
    low, high = drive(filled(most).connections, into)
    return int(high.max()) if sign > 0 else int(-low.min())


def _grids(made: Layer) -> list[WeightGrid]:
    return [WeightGrid(each.weight_bits) for each in made.connections]


def _last(holds: Callable[[int], bool], highest: int) -> int:
    """The greatest number up to ``highest`` of which something holds that does of 0 and of none once it stopped to."""
    low, beyond = 0, highest + 1
    while beyond - low > 1:
        middle = (low + beyond) // 2
        low, beyond = (middle, beyond) if holds(middle) else (low, middle)
    return low
