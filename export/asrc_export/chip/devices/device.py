"""What every device says of itself, and what a network takes of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from asrc_export.chip.rules.finding import Finding
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets.quantity import Quantity, Strict, measured_in

Bytes = Annotated[Quantity, measured_in("bytes", 1, whole=True)]
Cells = Annotated[Quantity, measured_in("cells", 1, whole=True)]
Blocks = Annotated[Quantity, measured_in("blocks", 0, whole=True)]
Megahertz = Annotated[Quantity, measured_in("MHz", 0, whole=False)]


class Device(Strict):
    """What a device of any family has."""

    family: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    numbers: Annotated[str, Field(min_length=1, max_length=64)]
    """The chip in whose number formats a network for this device is rounded."""


@dataclass(frozen=True)
class Resource:
    """How much of one of its resources a network takes of a device."""

    name: str
    used: float
    unit: str
    limit: int | None
    """What there is of it; None where the number is told and nothing limits it."""
    basis: str
    """How the number came about: "counted", "measured" with what tool, or "estimated" from what."""


DeviceRule = Callable[[NetworkShape, Any], Iterator[Finding]]
"""As the chips' rules about sizes, for a device of one family: its docstring is the sentence."""
