"""What does not fit a pydantic form, the first thing only, in words for a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from inspect import isclass
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

Location = tuple[int | str, ...]


PLAINLY = {"tuple_type": "give a list of values, such as [64, 64]"}
"""What pydantic says of a form in its own words, said in those of whoever filled it in."""


class Problem(NamedTuple):
    """Where something does not fit, and why."""

    location: Location
    why: str

    @property
    def key(self) -> str:
        """The location with dots."""
        return ".".join(map(str, self.location)) or "the whole"

    def of(self, form: str) -> str:
        """Where in a form, for the begin of a sentence: what is wrong with all of it names the form alone."""
        return f"{form}, {self.key}" if self.location else form


def first_problem(error: ValidationError, form: type[BaseModel]) -> Problem:
    """The first problem that validation by ``form`` found; unknown keys come before all others."""
    # A misspelt key is missing, too: the misspelling is what helps.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    if first["type"] == "extra_forbidden":
        return Problem(first["loc"], _unknown(form, first["loc"]))
    why = PLAINLY.get(first["type"]) or str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return Problem(first["loc"], why[:1].lower() + why[1:])


def _unknown(form: type[BaseModel], location: Location) -> str:
    known = sorted(_section(form, location[:-1]).model_fields)
    near = get_close_matches(str(location[-1]), known, 1)
    hint = f"did you mean '{near[0]}'" if near else f"known are {', '.join(known)}"
    return f"there is no such key; {hint}"


def _section(form: type[BaseModel], location: Location) -> type[BaseModel]:
    """The form of a section within a form; numbers in its location are those of list entries."""
    for name in location:
        if isinstance(name, str):
            form = next(_forms_in(form.model_fields[name].annotation))
    return form


def _forms_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _forms_in(part)
