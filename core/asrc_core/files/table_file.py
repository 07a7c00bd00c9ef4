"""Rows of numbers as a file: CSV for spreadsheets or JSON for programs, by the suffix."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asrc_core.files import by_suffix

Rows = Sequence[Mapping[str, Any]]


def as_csv(rows: Rows) -> str:
    """A header of all columns in the order they come up, then the rows; what a row lacks stays empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_json(rows: Rows) -> str:
    """A list with an object for each row."""
    return json.dumps(list(rows), indent=1) + "\n"


WRITERS: dict[str, Callable[[Rows], str]] = {".csv": as_csv, ".json": as_json}


def write(rows: Rows, path: str | Path) -> None:
    """Write the rows in the format that the suffix names, one of `WRITERS`. Raises InvalidSetting, UnwritableOutput."""
    by_suffix.write(rows, path, WRITERS)
