"""Where in a TOML text a key stands, so that a complaint about its value can name the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asrc_core.forms import toml


def line_of(text: str, keys: Sequence[str | int]) -> int | None:
    """The line, counted from 1, on which the value at ``keys`` begins; of a value within it if it has no line itself.

    ``text`` is valid TOML. A key begins on the first line that, together with all lines before it and those that its
    value goes on for, holds it; so that tables, dotted keys and values of several lines are read by TOML's own rules.
    None if the text holds no part of ``keys``.
    """
    lines = text.split("\n")
    for path in (keys[:n] for n in range(len(keys), 0, -1)):
        name = next((str(key) for key in reversed(path) if isinstance(key, str)), "")
        for i, line in enumerate(lines):
            if name in line and not _holds(_before(lines, i), path) and _holds(_through(lines, i), path):
                return i + 1
    return None


def _before(lines: Sequence[str], end: int) -> Any:
    return _parsed(lines[:end]) or {}


def _through(lines: Sequence[str], line: int) -> Any:
    """What the lines to the end of the value that begins on this one say."""
    ends = range(line + 1, len(lines) + 1)
    return next((content for content in (_parsed(lines[:end]) for end in ends) if content is not None), {})


def _parsed(lines: Sequence[str]) -> Any:
    try:
        return toml.loads("\n".join(lines))
    except toml.TOMLDecodeError:
        return None


def _holds(content: Any, path: Sequence[str | int]) -> bool:
    for key in path:
        inside = isinstance(content, dict) if isinstance(key, str) else isinstance(content, list | tuple)
        if not inside or not (key in content if isinstance(key, str) else key < len(content)):
            return False
        content = content[key]
    return True
