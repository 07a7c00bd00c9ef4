"""Tables for a terminal, or as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from tabulate import tabulate

from asrc_export.report.table import Table


def as_text(title: str, summary: str, tables: Iterable[Table]) -> str:
    """Tables for a terminal."""
    return _assembled(title, summary, tables, lambda title: f"{title}\n{'-' * len(title)}", "simple")


def as_markdown(title: str, summary: str, tables: Iterable[Table]) -> str:
    """Tables as GitHub Markdown."""
    return _assembled(title, summary, tables, lambda title: f"## {title}", "github")


def _in_markdown(cell: object) -> str:
    """A cell that cannot end its row, its column or the table, nor begin a tag."""
    return re.sub(r"[|<`]", lambda sign: f"&#{ord(sign[0])};", " ".join(str(cell).split()))


def _assembled(title: str, summary: str, tables: Iterable[Table], heading: Callable[[str], str], style: str) -> str:
    parts = [heading(title), summary]
    for table in tables:
        parts.append(heading(table.title))
        if table.rows:
            rows = [[_in_markdown(cell) for cell in row] for row in table.rows] if style == "github" else table.rows
            parts.append(tabulate(rows, table.headers, tablefmt=style, disable_numparse=True))
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts) + "\n"
