"""The spike raster: one sample's spikes, float beside deployed, packed into hexadecimal digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from asrc_export.report.behaviour.spike_differences import Spikes
from asrc_export.report.part import Index, Part, StepCount

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_export.report.behaviour.ablation_runs import AblationRuns

MAX_NEURONS = 48
"""At most so many neurons of a layer are shown, evenly chosen."""
MAX_STEPS = 256
"""At most so many steps are shown, the first ones."""

Digits = Annotated[str, Field(pattern="^[0-9a-f]*$")]


class LayerRaster(Part):
    """One layer: a row of hexadecimal digits for each neuron, four steps a digit, the earliest first."""

    name: str
    neurons: tuple[Index, ...] = Field(description="Neurons shown.")
    in_float: tuple[Digits, ...] = Field(alias="float", description="Spikes of hard-max float.")
    deployed: tuple[Digits, ...] = Field(description="Spikes of the integer network.")


class Raster(Part):
    """Spikes of one sample."""

    sample: Index
    steps: StepCount = Field(description="Steps shown, from the first on.")
    layers: tuple[LayerRaster, ...]


def of(runs: AblationRuns, names: Sequence[str]) -> Raster:
    """The first sample; ``names`` are the layers'."""
    steps = min(runs.steps, MAX_STEPS)
    layers = []
    for name, mine, theirs in zip(names, *runs.first_sample, strict=True):
        width = mine.shape[1]
        count = min(width, MAX_NEURONS)
        shown = [i * width // count for i in range(count)]
        layers.append(
            LayerRaster(
                name=name,
                neurons=tuple(shown),
                in_float=_rows(mine[:steps, shown]),
                deployed=_rows(theirs[:steps, shown]),
            )
        )
    return Raster(sample=0, steps=steps, layers=tuple(layers))


def _rows(spikes: Spikes) -> tuple[str, ...]:
    return tuple(bytes(row).hex() for row in np.packbits(spikes.T, axis=1))


def spikes_of(rows: Sequence[str], steps: int) -> Spikes:
    """The spikes (neurons, steps) that rows of hexadecimal digits stand for."""
    packed = np.array([list(bytes.fromhex(row)) for row in rows], np.uint8)
    return np.unpackbits(packed, axis=1)[:, :steps]
