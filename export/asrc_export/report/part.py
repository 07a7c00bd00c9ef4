"""What the report's parts are made of: the base of their models, and numbers that know their unit.

The unit stands with the number's type, so that the JSON schema states it and the CSV carries it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Part(BaseModel):
    """A part of a report: frozen, exact about types, without unknown keys, and without NaN, which JSON has not."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        from_attributes=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,  # keys such as "float" are no good names in Python
    )


@dataclass(frozen=True)
class Unit:
    """The unit of a number, or of the numbers in a list or dict."""

    name: str

    def of(self, key: str) -> str:
        """The unit of the number under a key."""
        return self.name

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "unit": self.name}


@dataclass(frozen=True)
class Units:
    """The units of the numbers in a dict, by their keys."""

    names: Mapping[str, str]

    def of(self, key: str) -> str:
        """The unit of the number under a key; nothing for a key that has none."""
        return self.names.get(key, "")

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "units": dict(self.names)}


NO_UNIT = Unit("")

Index = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1), Unit("share")]
SampleCount = Annotated[int, Field(ge=0), Unit("sample")]
StepCount = Annotated[int, Field(ge=0), Unit("step")]
MedianSteps = Annotated[float, Field(ge=0), Unit("step")]
Span = Annotated[int, Field(ge=0), Unit("step")]
"""0 of a layer without a connection to itself."""
NeuronCount = Annotated[int, Field(ge=0), Unit("neuron")]
SpikeCount = Annotated[int, Field(ge=0), Unit("spike")]
OperationCount = Annotated[int, Field(ge=0), Unit("operation")]
UpdateCount = Annotated[int, Field(ge=0), Unit("update")]
BitCount = Annotated[int, Field(ge=0), Unit("bit")]
EntryCount = Annotated[int, Field(ge=0), Unit("entry")]
CoreCount = Annotated[int, Field(ge=0), Unit("core")]
ChipCount = Annotated[int, Field(ge=0), Unit("chip")]
Seconds = Annotated[float, Field(ge=0), Unit("s")]
MeanOperations = Annotated[float, Field(ge=0), Unit("operation")]
MeanUpdates = Annotated[float, Field(ge=0), Unit("update")]
MeanSpikes = Annotated[float, Field(ge=0), Unit("spike")]
MeanMessages = Annotated[float, Field(ge=0), Unit("message")]
MeanHops = Annotated[float, Field(ge=0), Unit("hop")]
MeanBits = Annotated[float, Field(ge=0), Unit("bit")]
Nanojoules = Annotated[float, Field(ge=0), Unit("nJ")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def unit_of(field: FieldInfo) -> Unit | Units:
    """The unit of a field's numbers, however deep in lists and dicts they lie."""
    found = [*field.metadata, *_within(field.annotation)]
    return next((each for each in found if isinstance(each, (Unit, Units))), NO_UNIT)


def _within(annotation: Any) -> Iterator[Any]:
    for each in get_args(annotation):
        yield each
        yield from _within(each)
