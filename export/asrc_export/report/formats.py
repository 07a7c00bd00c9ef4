"""The report as text, Markdown, JSON, CSV or a page, chosen by the output's suffix."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from asrc_export.report.flat import as_csv
from asrc_export.report.page import page
from asrc_export.report.sections import Report, sections, summary
from asrc_train.atomic import replacing
from asrc_train.errors import InvalidSetting


def text(report: Report) -> str:
    """The report for a terminal."""
    return _assembled(report, lambda title: f"{title}\n{'-' * len(title)}", "simple")


def markdown(report: Report) -> str:
    """The report as GitHub Markdown."""
    return _assembled(report, lambda title: f"## {title}", "github")


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


def writer_for(path: str | Path) -> Callable[[Report], str]:
    """The format that a file's suffix names. Raises InvalidSetting listing those there are."""
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise InvalidSetting(f"output '{path}'", f"its suffix is none of {', '.join(WRITERS)}")
    return WRITERS[suffix]


def write(report: Report, path: str | Path) -> None:
    """Write the report in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    content = writer_for(path)(report)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _in_markdown(cell: object) -> str:
    """A cell that cannot end its row, its column or the table, nor begin a tag."""
    return re.sub(r"[|<`]", lambda sign: f"&#{ord(sign[0])};", " ".join(str(cell).split()))


def _assembled(report: Report, heading: Callable[[str], str], style: str) -> str:
    parts = [heading(f"asrc report: {report['provenance']['data']}"), summary(report)]
    for section in sections(report):
        parts.append(heading(section.title))
        if section.rows:
            rows = [[_in_markdown(cell) for cell in row] for row in section.rows] if style == "github" else section.rows
            parts.append(tabulate(rows, section.headers, tablefmt=style, disable_numparse=True))
        if section.note:
            parts.append(section.note)
    return "\n\n".join(parts) + "\n"
