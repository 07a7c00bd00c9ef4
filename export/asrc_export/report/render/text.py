"""Tables for a terminal, or as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from tabulate import tabulate

from asrc_export.report.table import Group, Table


def as_text(title: str, summary: str, parts: Iterable[Table | Group]) -> str:
    """Tables, or groups of them, for a terminal."""
    return _assembled(title, summary, parts, lambda title, depth: f"{title}\n{'-=-'[depth] * len(title)}", "simple")


def as_markdown(title: str, summary: str, parts: Iterable[Table | Group]) -> str:
    """Tables, or groups of them, as GitHub Markdown."""
    return _assembled(title, summary, parts, lambda title, depth: f"##{'#' * (depth == 2)} {title}", "github")


def _in_markdown(cell: object) -> str:
    """A cell that cannot end its row, its column or the table, nor begin a tag."""
    return re.sub(r"[|<`]", lambda sign: f"&#{ord(sign[0])};", " ".join(str(cell).split()))


def _assembled(
    title: str, summary: str, parts: Iterable[Table | Group], heading: Callable[[str, int], str], style: str
) -> str:
    """Headings are of depth 0 (the title and tables of no group), 1 (groups) and 2 (tables of a group)."""
    lines = [heading(title, 0), summary]
    for part in parts:
        if isinstance(part, Table):
            lines += _table(part, heading(part.title, 0), style)
            continue
        lines += [heading(part.title, 1), part.about]
        for table in part.tables:
            lines += _table(table, heading(table.title, 2), style)
    return "\n\n".join(lines) + "\n"


def _table(table: Table, heading: str, style: str) -> list[str]:
    made = [heading]
    if table.rows:
        rows = [[_in_markdown(cell) for cell in row] for row in table.rows] if style == "github" else table.rows
        made.append(tabulate(rows, table.headers, tablefmt=style, disable_numparse=True))
    return [*made, table.note] if table.note else made
