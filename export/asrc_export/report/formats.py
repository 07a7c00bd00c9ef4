"""The report as text, Markdown, JSON, CSV or a page, chosen by the output's suffix."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tabulate import tabulate

from asrc_core.files import by_suffix
from asrc_export.report.flat import as_csv
from asrc_export.report.page import page
from asrc_export.report.sections import Report, Section, sections, summary


def text(report: Report) -> str:
    """The report for a terminal."""
    return as_text(_title(report), summary(report), sections(report))


def markdown(report: Report) -> str:
    """The report as GitHub Markdown."""
    return as_markdown(_title(report), summary(report), sections(report))


def as_json(report: Report) -> str:
    """The report's data."""
    return json.dumps(report, indent=2) + "\n"


WRITERS: dict[str, Callable[[Report], str]] = {
    ".json": as_json,
    ".md": markdown,
    ".txt": text,
    ".csv": as_csv,
    ".html": page,
}


def write(report: Report, path: str | Path) -> None:
    """Write the report in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    by_suffix.write(report, path, WRITERS)


def as_text(title: str, summary: str, sections: Iterable[Section]) -> str:
    """Sections for a terminal."""
    return _assembled(title, summary, sections, lambda title: f"{title}\n{'-' * len(title)}", "simple")


def as_markdown(title: str, summary: str, sections: Iterable[Section]) -> str:
    """Sections as GitHub Markdown."""
    return _assembled(title, summary, sections, lambda title: f"## {title}", "github")


def _title(report: Report) -> str:
    return f"asrc report: {report['provenance']['data']}"


def _in_markdown(cell: object) -> str:
    """A cell that cannot end its row, its column or the table, nor begin a tag."""
    return re.sub(r"[|<`]", lambda sign: f"&#{ord(sign[0])};", " ".join(str(cell).split()))


def _assembled(title: str, summary: str, sections: Iterable[Section], heading: Callable[[str], str], style: str) -> str:
    parts = [heading(title), summary]
    for section in sections:
        parts.append(heading(section.title))
        if section.rows:
            rows = [[_in_markdown(cell) for cell in row] for row in section.rows] if style == "github" else section.rows
            parts.append(tabulate(rows, section.headers, tablefmt=style, disable_numparse=True))
        if section.note:
            parts.append(section.note)
    return "\n\n".join(parts) + "\n"
