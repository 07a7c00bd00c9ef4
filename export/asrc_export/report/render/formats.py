"""The report as text, Markdown, JSON, CSV or a page, chosen by the output's suffix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from asrc_core.errors import InvalidSetting
from asrc_core.files import by_suffix
from asrc_export.report import tables, verdict
from asrc_export.report.part import Part
from asrc_export.report.render.page import page
from asrc_export.report.render.spreadsheet import as_csv
from asrc_export.report.render.text import as_markdown, as_text
from asrc_export.report.report import Report


def text(report: Report) -> str:
    """The report for a terminal."""
    return as_text(tables.title(report), opening(report), tables.groups(report))


def markdown(report: Report) -> str:
    """The report as GitHub Markdown."""
    return as_markdown(tables.title(report), opening(report), tables.groups(report))


def opening(report: Report) -> str:
    """The summary and the verdict."""
    told = (f"{each.question} {each.answer}: {each.why}" for each in verdict.verdict(report))
    return "\n\n".join((tables.summary(report), *told))


def as_json(report: Part) -> str:
    """The report's data."""
    return json.dumps(report.model_dump(mode="json"), indent=2) + "\n"


WRITERS: dict[str, Callable[[Report], str]] = {
    ".json": as_json,
    ".md": markdown,
    ".txt": text,
    ".csv": as_csv,
    ".html": page,
}


def write(report: Report, path: str | Path) -> None:
    """Write the report in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    if not isinstance(report, Report):
        raise InvalidSetting("report", f"it is a {type(report).__name__}; give a Report")
    by_suffix.write(report, path, WRITERS)
