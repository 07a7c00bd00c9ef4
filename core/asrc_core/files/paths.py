"""What a caller gives as a path."""

from __future__ import annotations

import os
from pathlib import Path

from asrc_core.errors import InvalidSetting


def as_path(given: object, what: str) -> Path:
    """The path. Raises InvalidSetting for what is none; ``what`` it should lead to stands in the sentence."""
    if not isinstance(given, str | os.PathLike) or not str(given) or "\0" in str(given):
        raise InvalidSetting("path", f"{given!r:.60} is no path; give that of {what}, as text or a Path")
    return Path(given)


def beside(path: str | Path, suffix: str) -> Path:
    """The place beside a file under its name, the file's own last suffix replaced by ``suffix``, dots and all."""
    given = Path(path)
    stem = given.with_suffix("") if given.name else given  # the current folder has no name, and is refused when read
    return Path(f"{stem}{suffix}")


def model_name(path: str | Path, target: str) -> str:
    """An integer network's file name less what asrc-export puts behind a model's; other dots are the model's own."""
    name = Path(path).name
    for suffix in (".safetensors", f".{target}", ".imported"):
        name = name.removesuffix(suffix)
    return name or Path(path).name
