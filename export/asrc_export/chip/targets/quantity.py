"""A number with its unit, its source and how sure that is.

Where sources disagree, a quantity lists the other values as alternatives: the one in use is its value. Units are part
of the form: a number whose unit is not the one its key asks for is refused, never converted.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Certainty = Literal["printed", "vendor", "second-hand", "inferred", "uncertain"]
"""printed: read in source code or a tool's output; vendor: text of the maker or a paper; second-hand: quoted by
others; inferred: calculated from those; uncertain: sources are missing or disagree."""
Value = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False, strict=True)]
Source = Annotated[str, Field(min_length=1, max_length=500)]


class Strict(BaseModel):
    """A form without further keys, whose values stay as they were read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Alternative(Strict):
    """Another source's value of the same quantity, in the same unit."""

    value: Value
    source: Source
    certainty: Certainty


class Quantity(Strict):
    """A number with its unit and where it comes from; ``alternatives`` are what other sources say, not in use."""

    value: Value
    unit: Annotated[str, Field(min_length=1, max_length=40)]
    source: Source
    certainty: Certainty
    alternatives: Annotated[tuple[Alternative, ...], Field(max_length=20)] = ()

    @property
    def count(self) -> int:
        """The value as a whole number."""
        return int(self.value)

    @property
    def values(self) -> tuple[float, ...]:
        """What the sources give, the one in use first."""
        return (self.value, *(each.value for each in self.alternatives))

    @property
    def lowest(self) -> float:
        """The least value that any source gives."""
        return min(self.values)

    @property
    def highest(self) -> float:
        """The greatest value that any source gives."""
        return max(self.values)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the values come from and how sure each is, the one in use first."""
        others = tuple(f"{each.source}, {each.certainty}" for each in self.alternatives)
        return (f"{self.source}, {self.certainty}", *others)


def measured_in(unit: str, least: float, most: float = math.inf, *, whole: bool) -> AfterValidator:
    """Accept a quantity whose unit is ``unit`` and whose values are within both ends, whole numbers if asked."""

    def check(quantity: Quantity) -> Quantity:
        if quantity.unit != unit:
            raise ValueError(f"its unit is '{quantity.unit}', expected '{unit}'")
        for value in quantity.values:
            if value < least:
                raise ValueError(f"{value:g} is below {least:g}")
            if value > most:
                raise ValueError(f"{value:g} is above {most:g}")
            if whole and value != int(value):
                raise ValueError(f"{value:g} is not a whole number")
        return quantity

    return AfterValidator(check)


Exponent = Annotated[Quantity, measured_in("bits", -64, 64, whole=True)]
Bits = Annotated[Quantity, measured_in("bits", 0, whole=True)]
PartBits = Annotated[Quantity, measured_in("bits", 0, 31, whole=True)]
"""A mantissa, or a shift to the left: two of them together are a number of 62 bits at most."""
UnitBits = Annotated[Quantity, measured_in("bits", 1, whole=True)]
"""What memory is counted in."""
SignedBits = Annotated[Quantity, measured_in("bits with sign", 2, 64, whole=True)]
Steps = Annotated[Quantity, measured_in("steps", 0, whole=True)]
Cores = Annotated[Quantity, measured_in("cores", 1, whole=True)]
Chips = Annotated[Quantity, measured_in("chips", 1, whole=True)]
Neurons = Annotated[Quantity, measured_in("neurons", 1, whole=True)]
Compartments = Annotated[Quantity, measured_in("compartments", 1, whole=True)]
Axons = Annotated[Quantity, measured_in("axons", 1, whole=True)]
Entries = Annotated[Quantity, measured_in("entries", 1, whole=True)]
Synapses = Annotated[Quantity, measured_in("synapses", 1, whole=True)]
Tiles = Annotated[Quantity, measured_in("tiles", 1, 1024, whole=True)]
Picojoules = Annotated[Quantity, measured_in("pJ", 0, whole=False)]
Nanoseconds = Annotated[Quantity, measured_in("ns", 0, whole=False)]
Watts = Annotated[Quantity, measured_in("W", 0, whole=False)]


def quantities(section: BaseModel, prefix: str = "") -> list[tuple[str, Quantity]]:
    """All numbers of a target with their dotted names, in the order of the classes here."""
    found: list[tuple[str, Quantity]] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Quantity):
            found.append((prefix + name, value))
        elif isinstance(value, BaseModel):
            found.extend(quantities(value, f"{prefix}{name}."))
    return found
