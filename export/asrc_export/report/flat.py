"""The report as flat rows of name, value and unit, for spreadsheets: every number of the JSON by its path."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

LEFT_OUT = {"raster", "schema"}
"""Keys that hold no numbers to compare: the picture of one sample's spikes, the schema's place."""
UNITS = (
    (r"(^accuracy\..*|accuracy|agreement|spike_difference\..*|per_step\..*|rate|sparsity|weights\.\d+)$", "share"),
    (r"(^storage_bits\..*|_bits.*|bits)$", "bit"),
    (r"(_nj|\.breakdown\..*)$", "nJ"),
    (r"_ns_per_step$", "ns"),
    (r"_us_per_sample$", "us"),
    (r"_w$", "W"),
    (r"seconds$", "s"),
    (r"footprint$", "byte"),
    (r"(^steps|median_step|\.step|\.steps|span)$", "step"),
    (r"(^samples|\.samples|samples_that_part|samples_by_layer\..*)$", "sample"),
    (r"(^confusion\..*)$", "sample"),
    (r"(spikes|spikes_float|^firing\..*)$", "spike"),
    (r"(messages|messages_to_other_chips)$", "message"),
    (r"hops_\w+(\.\d)?$", "hop"),
    (r"(cores_used|lower_bound)$", "core"),
    (r"(operations|macs|acs|dense|operations_per_sample)$", "operation"),
    (r"(updates)$", "update"),
    (r"(neurons|silent_float|silent_deployed|always_firing_float|always_firing_deployed|saturated)$", "neuron"),
)
FORMULA = re.compile(r"^[=+\-@\t\r]")


def as_csv(report: dict[str, Any]) -> str:
    """The rows, header first. Text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "value", "unit"))
    for name, value in _leaves("", {key: part for key, part in report.items() if key not in LEFT_OUT}):
        writer.writerow((harmless(name), harmless(value), _unit(name, value)))
    return out.getvalue()


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Dotted path and value of each leaf; members of a list go by their name, or else by their index."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), part)
    elif isinstance(value, list):
        names = [part.get("name", i) if isinstance(part, dict) else i for i, part in enumerate(value)]
        keys = names if len(set(map(str, names))) == len(names) else range(len(value))
        for key, part in zip(keys, value, strict=True):
            yield from _leaves(f"{path}.{key}", part)
    else:
        yield path, value


def _unit(name: str, value: Any) -> str:
    if isinstance(value, (str, bool)) or value is None:
        return ""
    return next((unit for pattern, unit in UNITS if re.search(pattern, name)), "")


def harmless(value: Any) -> Any:
    """The cell, with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value
