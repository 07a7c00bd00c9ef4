"""Text files whose format their suffix names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from asrc_core.errors import InvalidSetting
from asrc_core.files.atomic import replacing
from asrc_core.files.paths import as_path

Content = TypeVar("Content")


def require(path: str | Path, known: Iterable[str]) -> str:
    """The path's suffix in lower case. Raises InvalidSetting listing the known ones if it is none of them."""
    suffix, suffixes = as_path(path, "the file to write").suffix.lower(), tuple(known)
    if suffix not in suffixes:
        raise InvalidSetting(f"output '{path}'", f"its suffix is none of {', '.join(suffixes)}")
    return suffix


def write(content: Content, path: str | Path, writers: Mapping[str, Callable[[Content], str]]) -> None:
    """Write in the format that the suffix names, one of ``writers``. Raises InvalidSetting, UnwritableOutput."""
    made = writers[require(path, writers)](content)
    with replacing(path) as temporary:
        temporary.write_text(made, encoding="utf-8")
