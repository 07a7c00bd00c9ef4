"""A layer's span, or the several spans that it taps at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from asrc_core.contract.synapses.connection import Tap
from asrc_export.report.part import Count, Part, Span


class ReportedTap(Part):
    """One of several spans that a layer taps at once."""

    span: Span = Field(description="Steps back.")
    weight: Count = Field(ge=1, description="How many times its spikes count.")


Taps = Annotated[
    tuple[ReportedTap, ...],
    Field(
        exclude_if=lambda taps: not taps,
        json_schema_extra={"minItems": 2},
        description="Where a layer taps several spans at once: each of them. Left out where it has one span.",
    ),
]


def of(taps: Sequence[Tap]) -> tuple[ReportedTap, ...]:
    """A layer's taps, as the report holds them."""
    return tuple(ReportedTap(span=tap.span, weight=tap.weight) for tap in taps)


def spans(span: int, taps: Sequence[ReportedTap]) -> list[int]:
    """All spans that a layer taps."""
    return [tap.span for tap in taps] or [span]


def written(span: int, taps: Sequence[ReportedTap]) -> str:
    """The layer's span, or its taps: 3 x 7 is span 7 counting three times."""
    return ", ".join(f"{tap.weight} x {tap.span}" for tap in taps) or str(span)
