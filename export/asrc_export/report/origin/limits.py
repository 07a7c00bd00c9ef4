"""Hardware limits that the network meets without being stopped by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import Field

from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip import rules
from asrc_export.chip.targets import Target
from asrc_export.report.part import Part
from asrc_export.report.table import Table


class LimitMet(Part):
    """One limit met by one layer."""

    rule: str = Field(description="The rule, in a sentence.")
    layer: str
    value: str = Field(description="What the layer has, with its unit.")
    limit: str = Field(description="What the chip allows, with its unit.")
    way_out: str
    blocks: bool = Field(description="Whether it stops the export.")


def of(network: IntegerNetwork, chip: Target) -> tuple[LimitMet, ...]:
    """All findings of all rules, blocking ones first."""
    return tuple(LimitMet(**asdict(finding)) for finding in rules.check(network, chip))


def table(found: Sequence[LimitMet]) -> Table:
    """Each limit with its way out."""
    return Table(
        "limits",
        "Hardware limits",
        ("layer", "rule", "here", "limit", "way out"),
        [(each.layer, each.rule, each.value, each.limit, each.way_out) for each in found],
        "None of these stopped the export.",
    )
