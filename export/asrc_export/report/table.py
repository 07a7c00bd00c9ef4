"""A table of the report as text, Markdown and the page show it, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_ROWS = 20
"""Rows of a list of the largest this or that."""


@dataclass(frozen=True)
class Table:
    """A heading, rows under headers, and a sentence below them; ``key`` names it for links and figures."""

    key: str
    title: str
    headers: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Tables that answer one question."""

    key: str
    title: str
    about: str
    tables: tuple[Table, ...]


def interval(low: float, high: float, digits: int = 1) -> str:
    """Both ends of a range, or the number that they both are."""
    return f"{low:,.{digits}f}" if low == high else f"{low:,.{digits}f} to {high:,.{digits}f}"


def number(value: float | None) -> str:
    """A number with the digits that its size deserves; nothing for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 1 else f"{value:,.1f}"
