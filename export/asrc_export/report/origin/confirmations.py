"""Other backends that ran the same network on the same samples."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from asrc_export.report.part import Part, SampleCount, Seconds
from asrc_export.report.table import Table


class Confirmation(Part):
    """Another backend's run: how many samples, and how many differed at all."""

    backend: str
    samples: SampleCount
    differing: SampleCount = Field(description="Samples with an integer that is not the engine's.")
    seconds: Seconds = Field(description="Time that the run took on the host.")


def table(confirmations: Sequence[Confirmation]) -> Table:
    """All of them."""
    return Table(
        "confirmations",
        "Confirmed on other backends",
        ("backend", "samples", "differing", "seconds"),
        [(each.backend, f"{each.samples:,}", each.differing, f"{each.seconds:.1f}") for each in confirmations],
        "Differing: samples whose logits are not equal, bit for bit, to the engine's.",
    )
