"""CSV: a row for each step of a sample, or a row for each sample; with a header, which says which.

    sample,label,ax,ay         one step a row: the rows of a sample in order, every other column a channel
    label,0,1,2,...            one sample a row: every other column a step of the only channel

The label's column is `label`, `class`, or `y` where there is neither; `split`, if there is one, says train, validation
or test. Columns t, x, y, p or t, unit beside `sample` and `label` are events, a row for each. A file that is one sample
needs no header: a first row of numbers is its first step. In its header `y` is a channel, as x and z are, and what says
in a table of many samples which one it is, is left out.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Callable, Iterable, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import printable
from asrc_train.data.own import columns, events
from asrc_train.data.own.raw import ALL, PARTS, Part, Raw, Single, refuse

MAX_BYTES = 2**30
SAMPLE, SPLIT, LABELS, SHORT_LABEL = "sample", "split", ("label", "class"), "y"
FORM = (
    "name the columns in the first row: sample,label,channel,... with a row for each step, "
    "or label,0,1,... with a row for each sample"
)
FORM_OF_ONE = (
    "give a row for each step of the sample, its values with commas between them, below a row of names or none"
)
OfText = Callable[[Sequence[str]], set[str]]
"""Which of a file's columns hold no values."""


class Table(NamedTuple):
    """Names of the columns that hold numbers, the numbers (rows, columns), and the text columns by name."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    text: dict[str, list[str]]


def read(path: Path) -> Raw:
    """The samples of a table. Raises InvalidData naming the row that does not fit, OSError."""
    table = _table(path, lambda names: _of_many(path, names), one=False)
    label = next((name for name in (*LABELS, SHORT_LABEL) if name in table.text), None)
    if label is None:
        refuse(path, f"it has no labels: no column is called {' or '.join((*LABELS, SHORT_LABEL))}", FORM)
    each = [np.array([i]) for i in range(len(table.values))]
    if SAMPLE in table.text:
        each = _rows_of_samples(path, table.text[SAMPLE])
    for name in (label, SPLIT):
        if name in table.text:
            _require_one_each(path, table.text[name], each, name)
    samples = [table.values[rows] if SAMPLE in table.text else table.values[rows[0], :, None] for rows in each]
    of_events = SAMPLE in table.text and events.is_form(table.names)
    if of_events:
        samples = [events.named(sample, table.names) for sample in samples]
    parts = _parts(path, Part(samples, [table.text[label][rows[0]] for rows in each]), _splits(table, each))
    if of_events:
        return Raw("events", parts)
    if SAMPLE not in table.text:
        return Raw("series", parts, (f"the steps of a sample are the columns {columns.listed(table.names)}",))
    return Raw("series", parts, (said_of(table.names),), columns.given(table.names))


def one(path: Path, wanted: columns.Names = None) -> Single:
    """One sample of a file of its own, a row for each step or event.

    Its first row names the columns, or is the first step if it holds numbers only: those that count the columns from 0,
    as pandas names what has no names, are names. ``wanted`` are the channels that a network takes, if it names them: no
    other column called y is one, nor is one beside columns that count steps. Raises InvalidData, OSError.
    """

    def of_text(names: Sequence[str]) -> set[str]:
        others = [name for name in names if name != SHORT_LABEL]
        of_steps = bool(others) and columns.given(others) is None
        apart = {SAMPLE, SPLIT, *LABELS, *((SHORT_LABEL,) if wanted or of_steps else ())}
        return apart.difference(wanted or ()).intersection(names)

    table = _table(path, of_text, one=True)
    samples = len(set(table.text.get(SAMPLE, ())))
    if 1 < samples < len(table.values):  # with another one in each row it counts them
        refuse(path, f"its rows are of {plural(samples, 'sample')}", "give a file for each, or the table as a data set")
    left_out = tuple(sorted(table.text))
    if events.is_form(table.names):
        return Single(events.named(table.values, table.names), True, None, left_out)
    return Single(table.values, False, columns.given(table.names), left_out)


def said_of(names: Sequence[str]) -> str:
    """So that a column that only counts steps is not fed unseen."""
    return f"channels are the columns {columns.listed(names)}"


def _of_many(path: Path, names: Sequence[str]) -> set[str]:
    """As `OfText`. Raises InvalidData where y is a channel, and the label's column has a name that is not known."""
    label = next((name for name in LABELS if name in names), None)
    others = set(names) - {SAMPLE, SPLIT}
    if label is None and SHORT_LABEL in names and not events.is_form(others):
        if {"x", "z"} <= others:
            why = "its column 'y' stands beside 'x' and 'z', and no column is called label"
            refuse(path, why, "name the label's column 'label'")
        label = SHORT_LABEL
    return {SAMPLE, SPLIT, label or SAMPLE} & set(names)


def _table(path: Path, of_text: OfText, *, one: bool) -> Table:
    """What a file of ``one`` sample, whose header may lack, or of many holds. Raises InvalidData, OSError."""
    form = FORM_OF_ONE if one else FORM
    if path.stat().st_size > MAX_BYTES:
        refuse(path, f"it exceeds {MAX_BYTES:,} bytes", "give an .npz file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # Excel begins with a byte-order mark
            rows = csv.reader(file)
            names = [printable(name.strip()) for name in next(rows, [])]
            if len(names) == 1 and ";" in names[0]:
                why = "its first row has semicolons and no comma"
                refuse(path, why, "put commas between the columns, and points into the numbers")
            if one and _are_values(path, names):
                counted = [str(i) for i in range(len(names))]
                return _parsed(path, counted, chain([names], rows), set(), one=one, first_line=1)
            low = [name.lower() for name in names]
            if not names or len(set(low)) != len(low):
                refuse(path, "its first row does not name each column once", form)
            return _parsed(path, low, rows, of_text(low), one=one)
    except (UnicodeDecodeError, csv.Error) as error:
        refuse(path, f"it is no table ({error})", form)


def _are_values(path: Path, row: Sequence[str]) -> bool:
    """Whether a first row is a step's values, and no names. Raises InvalidData for one that may be either."""
    if not row or not all(map(_is_number, row)):
        return False
    if row == ["0"]:
        refuse(path, "its first row is 0, which may be the column's name or its first value", "name the column")
    return list(row) != [str(i) for i in range(len(row))]


def _parsed(
    path: Path, names: Sequence[str], rows: Iterable[list[str]], of_text: Set[str], *, one: bool, first_line: int = 2
) -> Table:
    form = FORM_OF_ONE if one else FORM
    numbers = [i for i, name in enumerate(names) if name not in of_text]
    text: dict[str, list[str]] = {name: [] for name in names if name in of_text}
    texts = [(i, text[name]) for i, name in enumerate(names) if name in text]
    if not numbers:
        refuse(path, "no column holds values", form)
    values = array("d")  # 8 bytes a number, where a list takes 32
    for line, row in enumerate(rows, start=first_line):
        if not row:
            continue
        if len(row) != len(names):
            refuse(path, f"row {line} has {plural(len(row), 'value')} for {plural(len(names), 'column')}", form)
        try:
            values.extend([float(row[i]) for i in numbers])
        except ValueError:
            bad = next(i for i in numbers if not _is_number(row[i]))
            why = f"row {line} has '{row[bad][:40]}' in column '{names[bad]}', which is no number"
            way_out = "fill in what is missing, or leave the column out"
            may_be_label = not one and of_text.isdisjoint(LABELS)
            refuse(path, why, f"{way_out}; if it is the label's, name it 'label'" if may_be_label else way_out)
        for i, column in texts:
            column.append(row[i].strip())
    if not values:
        refuse(path, "it has no rows", form)
    return Table(tuple(names[i] for i in numbers), np.frombuffer(values).reshape(-1, len(numbers)), text)


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
            or_else = ", or name the label's column 'label'" * (name == SHORT_LABEL)
            refuse(path, why, f"give one for each sample{or_else}")


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
