"""Events (t, x, y, p) or (t, unit) as counts of steps: how wide a step and how large the field is, is learned once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidData
from asrc_core.preprocessing import EventFrontEnd
from asrc_train.data.dataset import Samples
from asrc_train.data.sources.events import UNITS, Binning, Tally, binned
from asrc_train.data.sources.spike_times import steps_of

STEPS = 100
COVERED = 0.99
"""Share of the training samples that end within the steps."""
SHORTEST, LONGEST = 1e-9, 60.0
"""Seconds of a sample, in the middle, up to which it is taken for empty, and from which on its times are taken for
another unit."""
MOST_CHANNELS = 2048
MOST_UNITS = 1 << 20
FORMS = (("t", "x", "y", "p"), ("t", "unit"))


@dataclass(frozen=True, eq=False)
class Events:
    """Those of one sample: columns t (seconds), and x, y, p or unit, (m,) each."""

    columns: dict[str, NDArray[np.float64]]

    @property
    def pixels(self) -> bool:
        """Whether they are of pixels."""
        return "x" in self.columns

    @property
    def end(self) -> float:
        """Time of the last, in seconds."""
        return float(self.columns["t"].max(initial=0.0))


def is_form(names: Iterable[str]) -> bool:
    """Whether columns of these names are events."""
    return set(names) in map(set, FORMS)


def named(values: NDArray[np.float64], names: Sequence[str]) -> NDArray[Any]:
    """Rows of events whose columns have these names, as `of_array` takes them."""
    made = np.empty(len(values), [(name, np.float64) for name in names])
    for name, column in zip(names, values.T, strict=True):
        made[name] = column
    return made


def of_array(array: NDArray[Any], where: str) -> Events:
    """Events of a structured array with these fields, or of (m, 4) or (m, 2) in this order. Raises InvalidData."""
    if array.dtype.names and is_form(array.dtype.names):
        columns = {name: np.asarray(array[name], np.float64).ravel() for name in array.dtype.names}
    elif array.ndim == 2 and array.shape[1] in (2, 4) and array.dtype.kind in "iufb":
        form = FORMS[array.shape[1] == 2]
        columns = {name: array[:, i].astype(np.float64) for i, name in enumerate(form)}
        _require_time_first(columns, where)
    else:
        why = f"it is {array.dtype} of shape {array.shape}"
        raise InvalidData(where, why, "give columns t, x, y, p or t, unit, one row for each event")
    if "p" in columns:
        columns["p"] = _from_zero(columns["p"])
    for name, values in columns.items():
        if not np.isfinite(values).all() or (len(values) and values.min() < 0):
            raise InvalidData(
                where, f"its '{name}' has values that are negative or not finite", "leave those events out"
            )
        if name != "t" and (np.floor(values) != values).any():
            raise InvalidData(where, f"its '{name}' has values that are not whole", "give whole numbers")
        if name != "t" and len(values) and values.max() >= MOST_UNITS:
            raise InvalidData(where, f"its '{name}' goes up to {values.max():,.0f}", f"give less than {MOST_UNITS:,}")
    return Events(columns)


def _from_zero(polarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Polarities as they are, but those of -1 and 1, as some cameras' readers give them, as 0 and 1."""
    return np.maximum(polarity, 0) if (np.abs(polarity) == 1).all() else polarity


def _require_time_first(columns: dict[str, NDArray[np.float64]], where: str) -> None:
    """Raise InvalidData for columns without names whose last is the one in order of time, as in lava-dl's x, y, p, t.

    Units and two polarities may well rise where times do not: events are often kept by unit, or by polarity.
    """
    t, last = columns["t"], columns.get("p", np.zeros(0))
    if (np.diff(t) < 0).any() and (np.diff(last) >= 0).all() and len(np.unique(last)) > 2:
        why = "its last column is in order of time, and its first one, taken for t, is not"
        raise InvalidData(where, why, "give columns t (seconds), x, y, p, in this order")


def learned(training: Sequence[Events], where: str, dt: float | None = None) -> EventFrontEnd:
    """Steps and field that suit the training samples, in steps of ``dt`` milliseconds if that is given.

    Raises InvalidData for times that are not in seconds, InvalidSetting for a ``dt`` that makes too few or too many
    steps.
    """
    if len({each.pixels for each in training}) != 1:
        raise InvalidData(where, "some samples have pixels and some have units", "give all in one form")
    ends = np.sort([each.end for each in training])
    middle = float(ends[len(ends) // 2])
    if middle <= SHORTEST:
        raise InvalidData(where, "half of its samples have no event after time 0", "give times in seconds from 0 on")
    if middle > LONGEST:
        fitting = [name for name, count in UNITS.items() if middle / count <= LONGEST]
        unit = f"as if they were {fitting[0]}" if fitting else "in whatever unit they are"
        why = f"its times are not in seconds: a sample in the middle ends at {middle:,.6g}, {unit}"
        raise InvalidData(where, why, "divide its times so that they are in seconds, from 0 on")
    end = float(ends[min(int(COVERED * len(ends)), len(ends) - 1)])
    steps, width = (STEPS, width_within(end, STEPS)) if dt is None else (_steps_within(end, dt), dt / 1000)

    def size(name: str) -> int:
        return 1 + int(max(each.columns[name].max(initial=0) for each in training))

    if not training[0].pixels:
        return EventFrontEnd(steps=steps, width=width, units=size("unit"))
    across, height, polarities = size("x"), size("y"), size("p")
    together = 1
    while -(-across // together) * -(-height // together) * polarities > MOST_CHANNELS:
        together *= 2
    w, h = -(-across // together), -(-height // together)
    return EventFrontEnd(steps=steps, width=width, units=w * h * polarities, across=w, height=h, together=together)


def width_within(end: float, steps: int) -> float:
    """The least width of three digits with which an event at ``end`` falls into one of so many steps."""
    digits = Context(prec=3, rounding=ROUND_FLOOR)
    width = digits.divide(Decimal(end), Decimal(steps))
    while end / float(width) >= steps:
        width = width.next_plus(digits)
    return float(width)


def _steps_within(end: float, dt: float) -> int:
    """How many steps of ``dt`` milliseconds there have to be for an event at ``end`` seconds to fall into one."""
    steps = steps_of(1000 * end, dt)
    return steps + (end / (dt / 1000) >= steps)


def counts(events: Events, front_end: EventFrontEnd, tally: Tally, where: str) -> Samples:
    """(steps, channels). Raises InvalidData for a pixel or a unit that the front end does not know."""
    columns = events.columns
    if events.pixels != (front_end.across is not None):
        mine, theirs = ("pixels", "units") if events.pixels else ("units", "pixels")
        raise InvalidData(where, f"its events are of {mine}, the network's of {theirs}", "give what it was trained on")
    if front_end.across is None or front_end.height is None:
        unit = columns["unit"]
    else:
        x, y = (np.floor(columns[name] / front_end.together) for name in "xy")
        if len(x) and (x.max() >= front_end.across or y.max() >= front_end.height):
            most = f"{front_end.across * front_end.together} x {front_end.height * front_end.together}"
            raise InvalidData(where, f"it has pixels beyond the {most} that training saw", "crop it, or train with it")
        unit = (columns["p"] * front_end.height + y) * front_end.across + x
    if len(unit) and unit.max() >= front_end.units:
        why = (
            f"it has unit or polarity {unit.max():,.0f}, beyond the {plural(front_end.units, 'channel')} that "
            "training saw"
        )
        raise InvalidData(where, why, "leave those events out, or train with them")
    binning = Binning(units=front_end.units, together=1, steps=front_end.steps, width=front_end.width)
    return binned(columns["t"], unit, binning, tally)
