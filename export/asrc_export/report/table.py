"""A table of the report as text, Markdown and the page show it, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Measure(NamedTuple):
    """A unit, how many of the report's own it is, and with how many digits behind the point it is read."""

    unit: str
    of: float
    digits: int


BITS = (Measure("KiB", 8 * 1024, 1), Measure("bytes", 8, 0))
NANOJOULES = (Measure("µJ", 1000, 1), Measure("nJ", 1, 1), Measure("pJ", 0.001, 0))
MICROSECONDS = (Measure("ms", 1000, 2), Measure("µs", 1, 1), Measure("ns", 0.001, 0))


def fitting(measures: Sequence[Measure], value: float) -> Measure:
    """The largest unit of which there is at least one, or the smallest."""
    return next((each for each in measures if value >= each.of), measures[-1])


def measured(measures: Sequence[Measure], low: float, high: float) -> str:
    """Both ends of a range, or the number that they both are, in the unit that its size deserves."""
    unit, of, digits = fitting(measures, high)
    return f"{interval(low / of, high / of, digits)} {unit}"


def memory(bits: int) -> str:
    """So many bits, in the unit that their number deserves."""
    return measured(BITS, bits, bits)


def number(value: float | None) -> str:
    """A number with the digits that its size deserves; nothing for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 1 else f"{value:,.1f}"
