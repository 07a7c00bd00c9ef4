"""What does not fit a form: the first thing is told, in words; a misspelt key before all that it leaves missing."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asrc_core.forms import toml
from asrc_core.forms.first_problem import first_problem
from asrc_export.chip import targets
from asrc_export.chip.targets import Target
from asrc_train.settings import recipe
from asrc_train.settings.config import Config


class _Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    weight: Annotated[int, Field(ge=0)]


class _Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    leaves: tuple[_Leaf, ...] | None = None
    title: str


def _told(form: type[BaseModel], content: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        form.model_validate(content)
    problem = first_problem(caught.value, form)
    return f"{problem.key}: {problem.why}"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"title": "t", "leaves": [{"weight": 1}, {"wieght": 1}]},
            "leaves.1.wieght: there is no such key; did you mean 'weight'",
        ),
        ({"titel": "t"}, "titel: there is no such key; did you mean 'title'"),
        ({"title": "t", "xyzzy": 1}, "xyzzy: there is no such key; known are leaves, title"),
        ({"title": "t", "leaves": [{"weight": -1}]}, "leaves.0.weight: input should be greater than or equal to 0"),
        ({}, "title: field required"),
        (3, "the whole: input should be a valid dictionary or instance of _Tree"),
    ],
)
def test_the_first_problem_in_words(content: Any, told: str) -> None:
    assert _told(_Tree, content) == told


def _tables(content: Any, at: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    """Where the tables of plain data lie."""
    if isinstance(content, dict):
        yield at
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        yield from _tables(value, (*at, key))


@pytest.mark.parametrize(
    ("form", "content"),
    [
        *((Target, toml.loads((targets.FOLDER / f"{name}.toml").read_text())) for name in ("loihi1", "loihi2")),
        (Config, toml.loads(recipe.find("digits").read_text()) | {"network": {"hidden": [3], "layers": [{"span": 1}]}}),
    ],
    ids=["loihi1", "loihi2", "recipe"],
)
def test_an_unknown_key_is_found_in_every_table_of_real_files(form: type[BaseModel], content: dict[str, Any]) -> None:
    for at in _tables(content):
        changed = deepcopy(content)
        table: Any = changed
        for key in at:
            table = table[key]
        table["surprise"] = 1
        assert _told(form, changed).startswith(".".join(map(str, (*at, "surprise"))) + ": there is no such key")
