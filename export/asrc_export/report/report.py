"""The report as a whole: the deployed network beside the float model it came from.

Every number about the deployed network comes from running that network. A section is a file in a room of this package:
its part of the model, how it is computed, how it reads as a table. Here they are put together; `tables` puts their
tables in order, and `render` writes them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asrc_core import html
from asrc_core.counts import plural
from asrc_export.report.accuracy.answers import Accuracy, Confusion
from asrc_export.report.accuracy.baselines import Baseline
from asrc_export.report.accuracy.scores import Scores
from asrc_export.report.behaviour.ablation import Ablation
from asrc_export.report.behaviour.activity import Inactive, LayerFiring, LayerNeurons
from asrc_export.report.behaviour.kernels import Kernels
from asrc_export.report.behaviour.layers import Layer, Readout
from asrc_export.report.behaviour.raster import Raster
from asrc_export.report.cost.devices import Device
from asrc_export.report.cost.energy import Energy
from asrc_export.report.cost.neurobench import NeuroBench, NeuroBenchAbsent
from asrc_export.report.cost.placement import ReportedPlacement
from asrc_export.report.cost.storage import Storage
from asrc_export.report.origin.confirmations import Confirmation
from asrc_export.report.origin.limits import LimitMet
from asrc_export.report.origin.provenance import Provenance
from asrc_export.report.origin.rounding import RoundedParameter
from asrc_export.report.part import Index, Part, SampleCount, Share, StepCount


class Report(Part):
    """The deployed network beside the float model it came from, as asrc-report writes it."""

    def __repr__(self) -> str:
        said = f"{self.accuracy.deployed:.1%} deployed, {self.accuracy.in_float:.1%} float, {self.agreement:.1%} agree"
        return f"Report({plural(self.samples, 'sample')} for {self.provenance.target}: {said})"

    def __str__(self) -> str:
        """The summary and the verdict; `text` is all of it."""
        from asrc_export.report.render import formats

        return formats.opening(self)

    def text(self) -> str:
        """All tables as text, as asrc-report writes them into a .txt file."""
        from asrc_export.report.render import formats

        return formats.text(self)

    def _repr_html_(self) -> str:
        from asrc_export.report import tables  # which knows this module

        shown = (html.table(each.title, each.headers, each.rows) for each in tables.tables(self))
        return html.title(tables.summary(self)) + "".join(shown)

    format: Literal["asrc-report"]
    version: Literal[1]
    schema_path: Literal["asrc_export/report/schema.json"] = Field(
        alias="schema", description="The JSON Schema that the report obeys, in the installed package."
    )
    samples: Annotated[SampleCount, Field(ge=1)] = Field(description="Test samples that both networks ran on.")
    test_samples: Annotated[SampleCount, Field(ge=1)] = Field(
        description="Of the test split; where these are more, the report is of the first of them."
    )
    steps: Annotated[StepCount, Field(ge=1)] = Field(description="Steps of a sample.")
    accuracy: Accuracy
    agreement: Share = Field(description="Share of samples on which deployed and hard-max float answer alike.")
    disagreeing_samples: tuple[Index, ...] = Field(description="Indices of the others.")
    confusion: Confusion
    scores: Scores
    baselines: tuple[Baseline, ...] = Field(description="Dense float networks trained beside it, if asked for.")
    ablation: Ablation = Field(alias="ladder")
    neurons: tuple[LayerNeurons, ...]
    firing: tuple[LayerFiring, ...]
    inactive: tuple[Inactive, ...] = Field(
        alias="firing_findings", description="Inactive neurons, on the ablation's samples."
    )
    raster: Raster
    neurobench: NeuroBench | NeuroBenchAbsent
    kernels: Kernels
    layers: tuple[Layer, ...]
    readout: Readout
    placement: ReportedPlacement | None = Field(description="Null if the network fits no number of cores.")
    storage: Storage = Field(alias="storage_bits")
    energy: Energy
    devices: tuple[Device, ...] = Field(description="Microcontrollers and FPGAs that the package knows.")
    findings: tuple[LimitMet, ...] = Field(description="Hardware limits met.")
    rounding: tuple[RoundedParameter, ...] = Field(description="Of each parameter, the entry with the worst error.")
    confirmations: tuple[Confirmation, ...] = Field(description="Other backends that ran the same network.")
    provenance: Provenance
