"""The robustness report: accuracy over levels for every network and perturbation, as one typed model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asrc_core.counts import plural
from asrc_export.report.part import Count, Index, Part, SampleCount, Sha256, Share, Span, StepCount, Unit

Version = Literal["deployed", "float"]
VERSIONS: tuple[Version, ...] = ("deployed", "float")

Spread = Annotated[float, Field(ge=0), Unit("share")]
"""Standard deviation of a sample."""
Difference = Annotated[float, Field(ge=-1, le=1), Unit("share")]


class MeasuredNetwork(Part):
    """One integer network, with the float network that it came from if given."""

    file: str = Field(description="Name of the integer network's file.")
    variant: str = Field(description="The line that it belongs to: its connection with its constant.")
    seed: int | None = Field(description="Of the training; null where the checkpoint was not given.")
    spans: tuple[Span, ...] = Field(description="Of each layer.")
    network_sha256: Sha256
    accuracy: dict[Version, Share] = Field(description="Without any perturbation.")


class Curve(Part):
    """One variant and version under one perturbation. Spread is over networks where a variant has several, else over
    draws; null where there is one of either.
    """

    variant: str
    version: Version
    networks: tuple[Index, ...] = Field(description="Which of the networks the curve stands for.")
    mean: tuple[Share, ...] = Field(description="Mean accuracy at each level.")
    spread: tuple[Spread, ...] | None = Field(description="Standard deviation at each level.")
    spread_over: Literal["networks", "draws"]
    mean_loss: Difference = Field(description="Accuracy lost, mean over the levels above 0.")
    mean_loss_spread: Spread | None
    mean_kept: Annotated[float, Field(ge=0)] | None = Field(
        description="Accuracy left as a part of that at level 0, mean over the levels above 0; null where that is 0."
    )
    mean_kept_spread: Annotated[float, Field(ge=0)] | None
    accuracy: tuple[tuple[tuple[Share, ...], ...], ...] = Field(description="By network, level and draw.")


class PerturbationCurves(Part):
    """One perturbation."""

    name: str
    title: str
    axis: str = Field(description="What a level is, with its unit.")
    logarithmic: bool = Field(description="Whether levels are best shown on a logarithmic axis.")
    levels: tuple[float, ...] = Field(description="Ascending from 0.")
    notes: dict[str, tuple[float, ...]] = Field(description="What came to pass, as a share at each level.")
    curves: tuple[Curve, ...]


class RobustnessReport(Part):
    """Accuracy over levels, as asrc-robustness writes it."""

    def __repr__(self) -> str:
        over = plural(len(self.perturbations), "perturbation")
        return f"RobustnessReport({plural(len(self.networks), 'network')} on {self.data}, {over})"

    def __str__(self) -> str:
        """What was run; `formats.write` writes all of it."""
        from asrc_export.robustness import formats  # which knows this module

        return formats.summary(self)

    format: Literal["asrc-robustness"]
    version: Literal[1]
    asrc: str = Field(description="Version that wrote it.")
    data: str = Field(description="The data set whose test split was run.")
    samples: SampleCount
    steps: StepCount = Field(description="Steps of a sample.")
    seed: int = Field(description="Of the draws.")
    draws: Count = Field(description="At each level.")
    networks: tuple[MeasuredNetwork, ...]
    perturbations: tuple[PerturbationCurves, ...]
