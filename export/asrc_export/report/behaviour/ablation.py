"""The rounding ablation: the same samples on five networks, each rounding further, to tell which rounding cost what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from asrc_core.counts import plural
from asrc_export.report.behaviour import divergence
from asrc_export.report.behaviour.divergence import Divergence, LayerDrift
from asrc_export.report.behaviour.stages import FLOAT, StageName
from asrc_export.report.part import Part, SampleCount, Share, StepCount
from asrc_export.report.table import Table

if TYPE_CHECKING:  # it loads torch, which drawing a report from its JSON does not need
    from asrc_export.report.behaviour.ablation_runs import AblationRuns


class Stage(Part):
    """One network of the ablation."""

    name: StageName
    title: str
    change: str = Field(description="What it rounds that the stage before does not.")
    accuracy: Share = Field(description="Share of samples answered correctly.")
    agreement: Share = Field(description="Share of samples with the answer of hard-max float.")
    spike_difference: dict[str, Share] = Field(
        description="Share of (step, sample, neuron) cells whose spike differs from hard-max float, by layer."
    )


class Ablation(Part):
    """The same samples on five networks, each rounding further; compared with hard-max float."""

    samples: SampleCount = Field(description="All test samples of the report.")
    steps: StepCount = Field(description="Steps of a sample.")
    stages: tuple[Stage, ...] = Field(alias="rungs", description="From the trained network to the deployed one.")
    divergence: Divergence = Field(alias="parting", description="Where deployed and hard-max float spikes diverge.")
    drift: tuple[LayerDrift, ...] = Field(description="How many spikes differ over time, by layer.")


def of(runs: AblationRuns, names: Sequence[str]) -> Ablation:
    """From the five networks' runs; ``names`` are the layers'."""
    stages = tuple(
        Stage(
            name=stage.name,
            title=stage.title,
            change=stage.change,
            accuracy=stage.accuracy,
            agreement=stage.agreement,
            spike_difference=dict(zip(names, stage.differing, strict=True)),
        )
        for stage in runs.stages
    )
    return Ablation(
        samples=runs.samples,
        steps=runs.steps,
        stages=stages,
        divergence=divergence.of(runs.first_divergences, names),
        drift=divergence.drift(runs.drift, names),
    )


def table(ablation: Ablation, agreement: float, names: Sequence[str], *, mixture: bool) -> Table:
    """Accuracy stage by stage; the first two are one where the network was trained without a ``mixture``."""
    stages, reference = list(ablation.stages), "hard-max" if mixture else FLOAT
    if not mixture:
        first, trained, *others = stages
        stages = [trained.model_copy(update={"title": FLOAT, "change": first.change}), *others]
    note = (
        "Each network rounds further than the one before, so where accuracy falls is where rounding costs it. Of "
        f"{plural(ablation.samples, 'test sample')} the deployed network and {reference} answer {agreement:.2%} alike."
    )
    return Table(
        "ablation",
        "Rounding ablation: accuracy from float to deployed",
        (
            "network",
            "what changes",
            "accuracy",
            f"same answer as {reference}",
            *(f"spikes that differ, {name}" for name in names),
        ),
        [
            (
                stage.title,
                stage.change,
                f"{stage.accuracy:.2%}",
                f"{stage.agreement:.2%}",
                *(f"{stage.spike_difference[name]:.3%}" for name in names),
            )
            for stage in stages
        ],
        note,
    )
