"""What a table of changes holds: one typed model, whose numbers know their unit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asrc_export.report.cost.latency import Microseconds
from asrc_export.report.part import (
    BitCount,
    ChipCount,
    CoreCount,
    Nanojoules,
    NeuronCount,
    Part,
    SampleCount,
    Share,
    StepCount,
    Unit,
)

Lag = Annotated[int, Field(ge=0), Unit("step")]
WeightBits = Annotated[int, Field(ge=1), Unit("bit")]


class ModelledRange(Part):
    """What a modelled figure rests on: the target whose constants it is made of, what it covers, their sources."""

    target: str
    covers: str = Field(description="What is in it and what is not.")
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    basis: Literal["modelled"]


class Price(ModelledRange):
    """Modelled energy of a sample, with its citations."""

    low_nj: Nanojoules
    high_nj: Nanojoules


class Duration(ModelledRange):
    """Modelled time of a sample, with its citations."""

    low_us: Microseconds
    high_us: Microseconds


class Costs(Part):
    """What a network takes on its target."""

    neurons: NeuronCount = Field(description="Of all layers but the readout.")
    cores: CoreCount
    chips: ChipCount
    storage: BitCount = Field(description="Weights, constants, states and past spikes.")
    energy: Price | None = Field(description="Null where no data were run, or no target has published prices.")
    latency: Duration | None


class Outcome(Part):
    """A network after a change, or why there is none."""

    name: str = Field(description="The change in words.")
    bits: WeightBits = Field(description="Of every weight.")
    spans: tuple[Lag, ...] = Field(description="The longest lag of what comes to each layer.")
    widths: tuple[NeuronCount, ...] = Field(description="Neurons of each layer.")
    trained: bool = Field(description="False where only a training would tell the accuracy: layers are narrower.")
    accuracy: Share | None = Field(description="Of the integer network on the test split; null where it is not known.")
    costs: Costs | None
    problem: str | None = Field(description="Why the changed network cannot be had on this target.")


class WhatIf(Part):
    """What changes with the bits, the spans and the widths of a network, as asrc-export writes it."""

    format: Literal["asrc-what-if"]
    version: Literal[1]
    asrc: str = Field(description="Version that wrote it.")
    model: str = Field(description="The checkpoint's file name.")
    target: str
    mapping: str
    steps: StepCount = Field(description="Of a sample.")
    data: str | None = Field(description="The data set whose test split was run.")
    samples: SampleCount
    outcomes: tuple[Outcome, ...] = Field(description="The network as it is first.")
