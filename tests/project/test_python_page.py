"""docs/how-to/python.md: behind every command stands a function that is there, and is called so."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
ROWS = [row.strip("| ").split(" | ") for row in TEXT.splitlines() if row.startswith("| `asrc-")]
COMMANDS = re.findall(r"^(asrc-\w+) = \"", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
FUNCTIONS = sorted({name for _, cell in ROWS for name in re.findall(r"`(asrc_[\w.]+)`", cell)})


def found(name: str) -> Any:
    """The object of a dotted name: the longest part that is a module, and what is within."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            here: Any = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for each in parts[end:]:
            here = getattr(here, each)
        return here
    raise AssertionError(name)


def test_every_command_but_the_demo_has_its_function() -> None:
    told = {command.split("`")[1].split()[0] for command, _ in ROWS}
    assert told == {*COMMANDS} - {"asrc-demo"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_is_named_is_there(name: str) -> None:
    assert found(name) is not None
