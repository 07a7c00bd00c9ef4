"""What an analysis gives: numbers, the figure that shows them, a short table. Files get numbers or figure by suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asrc_core.files import by_suffix, table_file
from asrc_core.files.table_file import Rows
from asrc_train.analysis import figure


@dataclass(frozen=True)
class Analysis:
    """Numbers, one observation a row; their figure; what they come to in a few rows for the terminal, and notes."""

    rows: Rows
    draw: figure.Draw
    summary: Rows
    notes: tuple[str, ...] = ()


def require_format(path: str | Path) -> str:
    """The suffix, which is that of a figure or of numbers. Raises InvalidSetting for any other."""
    return by_suffix.require(path, (*figure.SUFFIXES, *table_file.WRITERS))


def write(analysis: Analysis, path: str | Path) -> None:
    """Write the figure (.svg, .png, .pdf) or the numbers (.csv, .json). Raises InvalidSetting, UnwritableOutput."""
    if require_format(path) in figure.SUFFIXES:
        figure.write(analysis.draw, path)
    else:
        table_file.write(analysis.rows, path)
