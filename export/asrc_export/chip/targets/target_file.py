"""Target files: found by name or path, read, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from asrc_core.errors import InvalidSetting, UnknownName, UnreadableFile
from asrc_core.forms import toml_file
from asrc_core.forms.first_problem import first_problem
from asrc_export.chip.targets.target import Target

FOLDER = Path(__file__).parent
Form = TypeVar("Form", bound=BaseModel)


def names() -> list[str]:
    """Targets that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_path: str) -> Target:
    """A target by name, or from a file whose path ends in .toml.

    Raises UnknownName, or UnreadableFile naming the key that is missing, misspelt or out of range.
    """
    path = name_or_path if is_path(name_or_path, "target", names()) else str(FOLDER / f"{name_or_path}.toml")
    return validated(Target, read_toml(path, "target file"), path, "target file")


def is_path(name_or_path: object, kind: str, known: Sequence[str]) -> bool:
    """Whether a file is named, and not one of the known.

    Raises InvalidSetting for what is no text, UnknownName for what is neither.
    """
    if not isinstance(name_or_path, str):
        raise InvalidSetting("`target`", f"{name_or_path!r} is neither a {kind}'s name nor a path ending in .toml")
    if name_or_path.endswith(".toml"):
        return True
    if name_or_path not in known:
        raise UnknownName(kind, name_or_path, known, "a path ending in .toml")
    return False


def read_toml(path: str, kind: str) -> dict[str, Any]:
    """A TOML file's content. Raises UnreadableFile with the line where it is broken."""
    _, content = toml_file.read(path, kind, "see the files of the package's targets folder for the form")
    return content


def validated(form: type[Form], content: object, path: str, kind: str) -> Form:
    """The content as a form. Raises UnreadableFile naming the first key that is wrong, and why."""
    try:
        return form.model_validate(content)
    except ValidationError as error:
        problem = first_problem(error, form)
        raise UnreadableFile(path, kind, f"key '{problem.key}': {problem.why}", "correct that key") from error
