"""Several reports in one file: text, Markdown, JSON, CSV or a page, chosen by the output's suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from asrc_core.files import by_suffix
from asrc_export.report import comparison
from asrc_export.report.comparison import Comparison
from asrc_export.report.render.formats import as_json
from asrc_export.report.render.page import comparison_page
from asrc_export.report.render.spreadsheet import as_csv
from asrc_export.report.render.text import as_markdown, as_text


def text(found: Comparison) -> str:
    """The reports for a terminal."""
    return as_text(comparison.title(found), comparison.summary(found), comparison.parts(found))


def markdown(found: Comparison) -> str:
    """The reports as GitHub Markdown."""
    return as_markdown(comparison.title(found), comparison.summary(found), comparison.parts(found))


def summary(found: Comparison) -> str:
    """Who is right more often, in a sentence for each pair."""
    return comparison.summary(found)


WRITERS: dict[str, Callable[[Comparison], str]] = {
    ".json": as_json,
    ".md": markdown,
    ".txt": text,
    ".csv": as_csv,
    ".html": comparison_page,
}


def write(found: Comparison, path: str | Path) -> None:
    """Write the reports in the format that the suffix names. Raises InvalidSetting, UnwritableOutput."""
    by_suffix.write(found, path, WRITERS)
