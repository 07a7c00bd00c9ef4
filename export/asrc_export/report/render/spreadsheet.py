"""The report as flat rows of name, value and unit, for spreadsheets: every number of the JSON by its path."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from asrc_export.report.part import NO_UNIT, Part, Unit, Units, unit_of

LEFT_OUT = {"raster", "schema"}
"""Keys that hold no numbers to compare: the picture of one sample's spikes, the schema's place."""
FORMULA = re.compile(r"^[=+\-@\t\r]")


def as_csv(report: Part) -> str:
    """The rows, header first. Text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "value", "unit"))
    for path, value, unit in _leaves("", report, NO_UNIT):
        counted = not isinstance(value, (str, bool)) and value is not None
        writer.writerow((harmless(path), harmless(value), unit if counted else ""))
    return out.getvalue()


def _leaves(path: str, value: Any, unit: Unit | Units) -> Iterator[tuple[str, Any, str]]:
    """Dotted path, value and unit of each leaf; members of a list go by their name, or else by their index."""
    if isinstance(value, Part):
        written = value.model_dump().keys()  # less those left out where they are empty
        for name, field in type(value).model_fields.items():
            key = field.alias or name
            if key in written and key not in LEFT_OUT:
                yield from _leaves(f"{path}.{key}" if path else key, getattr(value, name), unit_of(field))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(f"{path}.{key}", part, Unit(unit.of(key)))
    elif isinstance(value, tuple):
        for key, part in zip(_keys(value), value, strict=True):
            yield from _leaves(f"{path}.{key}", part, unit)
    else:
        yield path, value, unit.of("")


def _keys(members: tuple[Any, ...]) -> list[str]:
    names = [str(getattr(part, "name", i)) if isinstance(part, Part) else str(i) for i, part in enumerate(members)]
    return names if len(set(names)) == len(names) else [str(i) for i in range(len(members))]


def harmless(value: Any) -> Any:
    """The cell, with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value
