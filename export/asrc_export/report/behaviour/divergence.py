"""When and where the deployed network's spikes first differ from the float network's, and how that goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asrc_core.counts import plural
from asrc_export.report.behaviour.spike_differences import FirstDivergence
from asrc_export.report.part import Index, MedianSteps, Part, SampleCount, Share, StepCount
from asrc_export.report.table import Table


class FirstCell(Part):
    """The first (step, layer, neuron) cell that differs in any sample."""

    layer: str
    step: StepCount = Field(description="Counted from 0.")
    neuron: Index
    sample: Index


class Divergence(Part):
    """First differences of the samples' spikes, deployed against hard-max float."""

    diverging_samples: SampleCount = Field(alias="samples_that_part", description="Samples in which any spike differs.")
    median_step: MedianSteps | None = Field(description="Median step of their first difference; null if there is none.")
    first: FirstCell | None = Field(description="The earliest of all; null if no spike differs.")
    samples_by_layer: dict[str, SampleCount] = Field(description="Samples whose first difference lies in the layer.")


class LayerDrift(Part):
    """One layer's differences over time."""

    name: str
    per_step: tuple[Share, ...] = Field(description="Share of (sample, neuron) cells that differ at each step.")


def of(firsts: Sequence[FirstDivergence], names: Sequence[str]) -> Divergence:
    """All samples' first differences together; ``names`` are the layers'."""
    first = min(firsts, key=lambda each: (each.step, each.sample), default=None)
    return Divergence(
        diverging_samples=len(firsts),
        median_step=float(np.median([each.step for each in firsts])) if firsts else None,
        first=None
        if first is None
        else FirstCell(layer=names[first.layer], step=first.step, neuron=first.neuron, sample=first.sample),
        samples_by_layer={name: sum(each.layer == i for each in firsts) for i, name in enumerate(names)},
    )


def drift(shares: NDArray[np.float64], names: Sequence[str]) -> tuple[LayerDrift, ...]:
    """Of shares (L, T)."""
    return tuple(LayerDrift(name=name, per_step=tuple(row.tolist())) for name, row in zip(names, shares, strict=True))


def table(
    divergence: Divergence, drift: Sequence[LayerDrift], neurons: Mapping[str, int], samples: int, steps: int
) -> Table:
    """How much each layer differs, and where differences begin; ``neurons`` counts each layer's."""
    rows = [
        (
            each.name,
            f"{sum(each.per_step) / len(each.per_step):.3%}",
            f"{max(each.per_step):.3%}",
            each.per_step.index(max(each.per_step)),
            f"{divergence.samples_by_layer[each.name]:,}",
            neurons[each.name],
        )
        for each in drift
    ]
    return Table(
        "divergence",
        "Where deployed and float spikes diverge",
        (
            "layer",
            "spikes that differ",
            "at the worst step",
            "worst step",
            "samples that diverge here first",
            "neurons",
        ),
        rows,
        _sentence(divergence, samples, steps),
    )


def _sentence(divergence: Divergence, samples: int, steps: int) -> str:
    first = divergence.first
    if first is None:
        return f"No spike differs in {plural(samples, 'sample')} of {plural(steps, 'step')}."
    return (
        f"Deployed and float spikes diverge in {divergence.diverging_samples:,} of "
        f"{plural(samples, 'sample')}, at the median "
        f"at step {divergence.median_step:g} of {steps:,}; first of all in {first.layer}, step {first.step}, neuron "
        f"{first.neuron} (sample {first.sample})."
    )
