"""What an analysis gives: numbers, the figure that shows them, a short table. Files get numbers or figure by suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asrc_train import table_file
from asrc_train.analysis import figure
from asrc_train.errors import InvalidSetting
from asrc_train.table_file import Rows


@dataclass(frozen=True)
class Analysis:
    """Numbers, one observation a row; their figure; and what they come to in a few rows for the terminal."""

    rows: Rows
    draw: figure.Draw
    summary: Rows


def require_format(path: str | Path) -> None:
    """Raise InvalidSetting unless the suffix is that of a figure or of numbers."""
    known = (*figure.SUFFIXES, *table_file.WRITERS)
    if Path(path).suffix.lower() not in known:
        raise InvalidSetting(f"output '{path}'", f"its suffix is none of {', '.join(known)}")


def write(analysis: Analysis, path: str | Path) -> None:
    """Write the figure (.svg, .png, .pdf) or the numbers (.csv, .json). Raises InvalidSetting, UnwritableOutput."""
    require_format(path)
    if Path(path).suffix.lower() in figure.SUFFIXES:
        figure.write(analysis.draw, path)
    else:
        table_file.write(analysis.rows, path)
