"""Two or more reports side by side: which network is more often right, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting
from asrc_core.files.paths import as_path, model_name
from asrc_export.report import tables, verdict
from asrc_export.report.accuracy import scores
from asrc_export.report.accuracy.scores import Paired
from asrc_export.report.part import Index, Part
from asrc_export.report.report import Report
from asrc_export.report.table import Group, Table, memory


class Pair(Part):
    """Two of the networks on the same samples."""

    first: Index
    second: Index
    deployed: Paired


class Comparison(Part):
    """Reports on the same samples, as asrc-report writes them for several networks."""

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.names)}; {plural(self.reports[0].samples, 'sample')})"

    def __str__(self) -> str:
        return summary(self)

    format: Literal["asrc-reports"]
    version: Literal[1]
    names: Annotated[tuple[str, ...], Field(min_length=2)] = Field(description="What each is called here.")
    reports: Annotated[tuple[Report, ...], Field(min_length=2)]
    pairs: tuple[Pair, ...] = Field(description="Every two of them, deployed.")


def compared(reports: Iterable[Report], files: Iterable[str | Path]) -> Comparison:
    """Reports of these files' networks. Raises InvalidSetting unless all were made on the same samples, and for other
    than two or more reports with a file's name for each.
    """
    given = [*reports] if isinstance(reports, Iterable) else []
    named = [as_path(file, "a network's file") for file in files] if isinstance(files, Iterable) else []
    if len(given) < 2 or len(given) != len(named) or not all(isinstance(each, Report) for each in given):
        raise InvalidSetting("reports", "they are not two or more reports, with the name of a file for each")
    first = given[0]
    for each, file in zip(given, named, strict=True):
        if (each.provenance.data, each.samples) != (first.provenance.data, first.samples):
            mine, theirs = (f"{plural(one.samples, 'sample')} of '{one.provenance.data}'" for one in (first, each))
            raise InvalidSetting(
                "`networks`", f"'{named[0]}' is on {mine}, '{file}' on {theirs}; compare like with like"
            )
    stems = [model_name(file, each.provenance.target) for file, each in zip(named, given, strict=True)]
    names = stems if len(set(stems)) == len(stems) else [f"{stem} ({i + 1})" for i, stem in enumerate(stems)]
    right = [_right(each) for each in given]
    return Comparison(
        format="asrc-reports",
        version=1,
        names=tuple(names),
        reports=tuple(given),
        pairs=tuple(
            Pair(first=i, second=j, deployed=scores.paired(right[i], right[j]))
            for i in range(len(given))
            for j in range(i + 1, len(given))
        ),
    )


def _right(report: Report) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    right = np.ones(report.samples, np.bool_)
    right[list(report.scores.wrong)] = False
    return right


def title(found: Comparison) -> str:
    """The heading."""
    return f"{' beside '.join(found.names)}: {found.reports[0].provenance.data}"


def summary(found: Comparison) -> str:
    """Who is right more often, pair by pair, in sentences."""
    return " ".join(
        scores.difference(each.deployed, found.names[each.first], found.names[each.second]) for each in found.pairs
    )


def table(found: Comparison) -> Table:
    """What people compare, a column for each network."""
    reports = found.reports
    rows: list[tuple[object, ...]] = [
        ("accuracy deployed", *(f"{each.accuracy.deployed:.1%}" for each in reports)),
        ("95% interval", *(scores.span(each.scores.accuracy["deployed"]) for each in reports)),
        ("accuracy in float", *(f"{each.accuracy.in_float:.1%}" for each in reports)),
        ("mean F1 over classes that have samples", *(f"{each.scores.macro_f1:.1%}" for each in reports)),
        ("same answer as float", *(f"{each.agreement:.1%}" for each in reports)),
        ("cores", *("none" if each.placement is None else verdict.of_cores(each) for each in reports)),
        ("memory", *(memory(each.storage.deployed.total) for each in reports)),
        ("energy a sample, modelled", *(verdict.energy(each) or "unknown" for each in reports)),
        ("time a sample, modelled", *(verdict.time(each) or "unknown" for each in reports)),
        ("spikes a sample", *(f"{sum(layer.spikes for layer in each.layers) / each.samples:,.0f}" for each in reports)),
        ("synaptic operations a sample", *(f"{each.energy.own_operations_per_sample:,.0f}" for each in reports)),
        ("target", *(each.provenance.target for each in reports)),
    ]
    return Table(
        "comparison",
        "Side by side",
        ("what", *found.names),
        rows,
        f"All on the same {plural(reports[0].samples, 'test sample')} of {reports[0].provenance.data}. "
        "Energy and time are "
        "modelled, never measured; those of different price lists cannot be compared.",
    )


def parts(found: Comparison) -> list[Table | Group]:
    """The comparison, then the groups of every report under its network's name."""
    made: list[Table | Group] = [table(found)]
    for name, report in zip(found.names, found.reports, strict=True):
        made += [
            Group(f"{group.key}", f"{name}: {group.title}", group.about, group.tables)
            for group in tables.groups(report)
        ]
    return made
