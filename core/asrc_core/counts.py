"""Counts in sentences: a noun and a verb that agree with how many there are."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def plural(count: int, noun: str) -> str:
    """The count, its thousands parted, and its noun: 1 chip, 2 chips, 1,000 classes, 3 entries."""
    return f"{count:,} {noun if count == 1 else _many(noun)}"


def agreeing(count: int, one: T, many: T) -> T:
    """The word that agrees with the count: ``one`` for 1, else ``many``, as in 1 value lies, 2 values lie."""
    return one if count == 1 else many


def _many(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("epoch"):  # whose ch is a k
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}s"
