"""What a class is: anything that labels can be told apart by, in a fixed order, under a name."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidData, printable

MOST = 10_000
"""Classes."""
LONGEST = 100
"""Letters of a class's name that are kept in files."""
FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
MISSING = ("", "nan")


def names_of(labels: Sequence[Any], where: str, kept: Collection[str] = ()) -> list[str]:
    """The class's name of each label: a string as it is, a whole number in digits, whether or not it is text.

    What is ``kept`` is a name, whatever it looks like. Raises InvalidData for a label that is missing, or a number that
    is not whole.
    """
    return [_name(label, f"{where} sample {i}", kept) for i, label in enumerate(labels)]


def in_order(names: set[str]) -> tuple[str, ...]:
    """The classes: whole numbers by size if all are, else by the alphabet. Raises InvalidData for one class only."""
    if len(names) < 2:
        what = f"every label is '{next(iter(names))}'" if names else "there are no labels"
        raise InvalidData(
            "labels", f"{what}, and there is nothing to tell apart", "give samples of two classes at least"
        )
    if len(names) > MOST:
        why = f"there are {len(names):,} different ones, and at most {MOST:,} classes"
        raise InvalidData("labels", why, "give a class for each sample, not a number that is measured")
    by_name = sorted(names)  # also decides between numbers of one size, such as 1 and 01
    return tuple(sorted(by_name, key=int) if all(map(_is_whole, names)) else by_name)


def numbered(names: Sequence[str], classes: tuple[str, ...], where: str) -> NDArray[np.int64]:
    """The place of each name among the classes. Raises InvalidData for one that is not among them."""
    place = {name: i for i, name in enumerate(classes)}
    strange = sorted(set(names) - place.keys())
    if strange:
        why = (
            f"'{printable(strange[0])}' is none of the {plural(len(classes), 'class')} that the network was trained on"
        )
        raise InvalidData(where, f"{why} ({', '.join(classes[:10])})", "leave those samples out, or train with them")
    return np.array([place[name] for name in names], np.int64)


def _name(label: Any, where: str, kept: Collection[str] = ()) -> str:
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    if isinstance(label, str):
        name = printable(label.strip())
        if name.lower() in MISSING and name not in kept:
            raise InvalidData(where, f"it has no label{name and f', but {name}'}", "give one for each sample")
        if FRACTION.fullmatch(name) and name not in kept:
            name = _name(float(name), where)
        if len(name) > LONGEST:
            raise InvalidData(
                where, f"its label has {plural(len(name), 'letter')}, more than {LONGEST}", "give it a shorter name"
            )
        return name
    if isinstance(label, (bool, np.bool_)):
        return str(int(label))
    if isinstance(label, (int, np.integer)):
        return str(int(label))
    if isinstance(label, (float, np.floating)):
        if not math.isfinite(label):
            raise InvalidData(where, "its label is NaN or infinite", "give a class for each sample")
        if not float(label).is_integer():
            raise InvalidData(where, f"its label {label:g} is no class", "give whole numbers or names")
        return str(int(label))
    raise InvalidData(where, f"its label is {type(label).__name__}", "give whole numbers or names")


def _is_whole(name: str) -> bool:
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit()
