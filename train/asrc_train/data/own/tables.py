"""CSV: a row for each step of a sample, or a row for each sample; with a header, which says which.

    sample,label,ax,ay         one step a row: the rows of a sample in order, every other column a channel
    label,0,1,2,...            one sample a row: every other column a step of the only channel

The label's column is `label`, `class` or `y`; `split`, if there is one, says train, validation or test. Columns t, x,
y, p or t, unit beside `sample` and `label` are events, a row for each. A file that is one sample needs no header: a
first row of numbers is its first step.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_train.data.own import events
from asrc_train.data.own.raw import ALL, PARTS, Part, Raw, refuse

MAX_BYTES = 2**30
SAMPLE, SPLIT, LABELS = "sample", "split", ("label", "class", "y")
SHOWN = 12
FORM = (
    "name the columns in the first row: sample,label,channel,... with a row for each step, "
    "or label,0,1,... with a row for each sample"
)


class Table(NamedTuple):
    """Names of the columns that hold numbers, the numbers (rows, columns), and the text columns by name."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    text: dict[str, list[str]]


def read(path: Path) -> Raw:
    """The samples of a table. Raises InvalidData naming the row that does not fit, OSError."""
    table = _table(path)
    label = next((name for name in LABELS if name in table.text), None)
    if label is None:
        refuse(path, f"it has no labels: no column is called {' or '.join(LABELS)}", FORM)
    each = [np.array([i]) for i in range(len(table.values))]
    if SAMPLE in table.text:
        each = _rows_of_samples(path, table.text[SAMPLE])
    for name in (label, SPLIT):
        if name in table.text:
            _require_one_each(path, table.text[name], each, name)
    samples = [table.values[rows] if SAMPLE in table.text else table.values[rows[0], :, None] for rows in each]
    form = next((each for each in events.FORMS if set(each) == set(table.names)), None)
    of_events = SAMPLE in table.text and form is not None
    if of_events and form is not None:
        samples = [sample[:, [table.names.index(name) for name in form]] for sample in samples]
    whole = Part(samples, [table.text[label][rows[0]] for rows in each])
    notes = () if of_events or SAMPLE not in table.text else (_channels(table.names),)
    return Raw("events" if of_events else "series", _parts(path, whole, _splits(table, each)), notes)


def one(path: Path) -> tuple[NDArray[np.float64], bool]:
    """One sample of a file of its own, a row for each step or event, and whether it is of events.

    Its first row names the columns, or is the first step if it holds numbers only: those that count the columns from 0,
    as pandas names what has no names, are names. Raises InvalidData, OSError.
    """
    table = _table(path, names_may_lack=True)
    form = next((each for each in events.FORMS if set(each) == set(table.names)), None)
    if form is None:
        return table.values, False
    return table.values[:, [table.names.index(name) for name in form]], True


def _channels(names: Sequence[str]) -> str:
    """So that a column that only counts steps is not fed unseen."""
    return f"channels are the columns {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"


def _is_of_events(names: set[str]) -> bool:
    others = names - {SAMPLE, SPLIT}
    return any(others - {label} == set(form) for form in events.FORMS for label in ("label", "class", ""))


def _table(path: Path, names_may_lack: bool = False) -> Table:
    if path.stat().st_size > MAX_BYTES:
        refuse(path, f"it exceeds {MAX_BYTES:,} bytes", "give an .npz file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # Excel begins with a byte-order mark
            rows = csv.reader(file)
            names = [name.strip() for name in next(rows, [])]
            if names_may_lack and _are_values(path, names):
                return _parsed(path, [str(i) for i in range(len(names))], chain([names], rows), first_line=1)
            return _parsed(path, names, rows)
    except (UnicodeDecodeError, csv.Error) as error:
        refuse(path, f"it is no table ({error})", FORM)


def _are_values(path: Path, row: Sequence[str]) -> bool:
    """Whether a first row is a step's values, and no names. Raises InvalidData for one that may be either."""
    if not row or not all(map(_is_number, row)):
        return False
    if row == ["0"]:
        refuse(path, "its first row is 0, which may be the column's name or its first value", "name the column")
    return list(row) != [str(i) for i in range(len(row))]


def _parsed(path: Path, names: Sequence[str], rows: Iterable[list[str]], first_line: int = 2) -> Table:
    low = [name.lower() for name in names]
    if not names or len(set(low)) != len(low):
        refuse(path, "its first row does not name each column once", FORM)
    of_events = _is_of_events(set(low))
    label = next((name for name in LABELS if name in low and not (of_events and name == "y")), None)
    of_text = {SAMPLE, SPLIT, label} & set(low)
    numbers = [i for i, name in enumerate(low) if name not in of_text]
    text: dict[str, list[str]] = {name: [] for name in of_text if name}
    if not numbers:
        refuse(path, "no column holds values", FORM)
    values: list[list[float]] = []
    for line, row in enumerate(rows, start=first_line):
        if not row:
            continue
        if len(row) != len(names):
            refuse(path, f"row {line} has {plural(len(row), 'value')} for {plural(len(names), 'column')}", FORM)
        try:
            values.append([float(row[i]) for i in numbers])
        except ValueError:
            bad = next(i for i in numbers if not _is_number(row[i]))
            why = f"row {line} has '{row[bad][:40]}' in column '{names[bad]}', which is no number"
            refuse(path, why, "fill in what is missing, or leave the column out")
        for name, column in text.items():
            column.append(row[low.index(name)].strip())
    if not values:
        refuse(path, "it has no rows", FORM)
    return Table(tuple(low[i] for i in numbers), np.array(values), text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rows_of_samples(path: Path, names: Sequence[str]) -> list[NDArray[np.int64]]:
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(name, []).append(i)
    if "" in found:
        refuse(path, f"row {found[''][0] + 2} does not say which sample it belongs to", FORM)
    return [np.array(rows) for rows in found.values()]


def _require_one_each(path: Path, column: Sequence[str], each: Sequence[NDArray[np.int64]], name: str) -> None:
    for rows in each:
        said = {column[i] for i in rows}
        if len(said) > 1:
            why = f"the sample of row {rows[0] + 2} has several in column '{name}': {', '.join(sorted(said)[:3])}"
            refuse(path, why, "give one for each sample")


def _splits(table: Table, each: Sequence[NDArray[np.int64]]) -> list[str]:
    column = table.text.get(SPLIT)
    return [ALL] * len(each) if column is None else [column[rows[0]].lower() for rows in each]


def _parts(path: Path, whole: Part, splits: Sequence[str]) -> dict[str, Part]:
    strange = sorted(set(splits) - {ALL, *PARTS})
    if strange:
        refuse(path, f"a sample is of split '{strange[0]}'", f"the splits are {', '.join(PARTS)}")
    if ALL not in splits and not {"train", "test"} <= set(splits):
        refuse(path, "its column 'split' does not name both train and test", "name both, or leave the column out")
    members = {split: np.array([i for i, its in enumerate(splits) if its == split]) for split in dict.fromkeys(splits)}
    return {split: whole.only(places) for split, places in members.items()}
