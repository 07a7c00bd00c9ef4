"""Small tables for notebooks: a title and rows, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def title(text: str) -> str:
    """A paragraph in bold."""
    return f"<p><b>{escape(text)}</b></p>"


def table(heading: str, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table under a title; numbers are aligned right."""
    head = "".join(f"<th>{escape(each)}</th>" for each in headers)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"{title(heading)}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    shown = f"{value:,}" if isinstance(value, int) and number else str(value)
    align = ' style="text-align: right"' if number else ""
    return f"<td{align}>{escape(shown)}</td>"
