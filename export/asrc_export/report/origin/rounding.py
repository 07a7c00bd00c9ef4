"""The rounding log that the exporter left in the integer network: each parameter's worst error."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict, Field, ValidationError

from asrc_core.errors import InvalidNetwork
from asrc_export.report.part import Count, Part
from asrc_export.report.table import Table


class RoundedParameter(Part):
    """Of one parameter, the entry with the worst error. Earlier exporters cut nothing off and moved nothing, and their
    logs do not say so.
    """

    model_config = ConfigDict(extra="ignore")  # a log may say more

    layer: str
    parameter: str
    in_float: float = Field(alias="float", description="In the float network, in its unit.")
    integer: int = Field(description="The integer that stands for it.")
    effective: float = Field(description="What the integer stands for, in the float network's unit.")
    error: float = Field(description="Effective less float, in the float network's unit.")
    cut_off: Count = Field(0, description="Entries beyond the ends of their grid.")
    moved: Count = Field(0, description="Entries not rounded to the nearest, to make up for others' errors.")


def of(log: object) -> tuple[RoundedParameter, ...]:
    """The log of an integer network's provenance. Raises InvalidNetwork if somebody put something else there."""
    try:
        return tuple(RoundedParameter.model_validate(line) for line in (log if isinstance(log, list) else [log]))
    except ValidationError as error:
        raise InvalidNetwork("rounding log", "it is not what asrc-export writes") from error


def table(log: Sequence[RoundedParameter]) -> Table:
    """Each parameter's worst error."""
    return Table(
        "rounding",
        "Rounding, worst case of each parameter",
        ("layer", "parameter", "float", "integer", "effective", "error", "cut off", "not to the nearest"),
        [
            (
                line.layer,
                line.parameter,
                f"{line.in_float:.6g}",
                line.integer,
                f"{line.effective:.6g}",
                f"{line.error:.2e}",
                f"{line.cut_off:,}",
                f"{line.moved:,}",
            )
            for line in log
        ],
        "Effective: the value that the integer stands for in the float network's unit. Cut off: entries beyond the "
        "ends of their grid. Not to the nearest: entries rounded the other way, or shifted, so that errors cancel.",
    )
