"""What a network's numbers mean to those who use it: no arithmetic depends on it, and engines do not look at it.

    real[t, c] = (x[t, c] - zero) * scale, in ``unit``        x: what the network is fed; scale: of its input

It stands in the provenance of a checkpoint and of an integer network, under `KEY`, beside the names of the classes and
the preprocessing (`asrc_core.preprocessing`). docs/file-keys.md lists all keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidSetting
from asrc_core.forms.first_problem import first_problem

KEY = "meaning"
MAX_TEXT = 200

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Meaning(BaseModel):
    """Of the input's values and steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zero: _Finite = Field(0.0, description="The integer that stands for a real value of 0.")
    unit: str = Field("", max_length=MAX_TEXT, description="Unit of the real value, such as g or mV.")
    step_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Seconds from one step to the next; null if it is not known."
    )


def of(provenance: Mapping[str, Any]) -> Meaning:
    """What a network's provenance states. Raises InvalidSetting if it is no such thing."""
    return stated(provenance.get(KEY, {}), "meaning in the network's file")


def stated(content: Any, where: str) -> Meaning:
    """The meaning in plain data. Raises InvalidSetting naming the first key that does not fit."""
    try:
        return Meaning.model_validate(content)
    except ValidationError as error:
        problem = first_problem(error, Meaning)
        raise InvalidSetting(problem.of(where), problem.why) from error


def class_names(given: object, classes: int) -> tuple[str, ...]:
    """The names as a tuple, one for each class. Raises InvalidSetting for what is none, or for a name taken twice."""
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise InvalidSetting("classes", f"{given!r} is no list of names")
    if len(given) != classes:
        raise InvalidSetting(
            "classes",
            f"there {agreeing(len(given), 'is', 'are')} {plural(len(given), 'name')} and the readout has "
            f"{plural(classes, 'class')}",
        )
    if len(set(given)) < classes:
        raise InvalidSetting("classes", "a name is taken twice; give each class its own")
    return tuple(given)
