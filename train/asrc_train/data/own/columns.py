"""Channels that a header names: in one order, whichever a file has."""

from __future__ import annotations

from collections.abc import Sequence

from asrc_core.errors import InvalidData, printable

SHOWN, LONGEST = 12, 40
"""How many names a sentence has, and how many letters of each."""
Names = tuple[str, ...] | None
"""Those of the channels in their order; None where nothing named them."""


def given(names: Sequence[str]) -> Names:
    """What a header says: columns that are only counted from 0, as pandas does, have no names."""
    return None if list(names) == [str(i) for i in range(len(names))] else tuple(names)


def listed(names: Sequence[str]) -> str:
    """The first names, for a sentence."""
    return ", ".join(
        [printable(name)[:LONGEST] or "(no name)" for name in names[:SHOWN]] + ["..."] * (len(names) > SHOWN)
    )


def order(mine: Names, theirs: Names, where: str, whose: str) -> list[int] | None:
    """The places at which a file has the columns of others, which are ``whose``; None if as they are, or not known.

    Raises InvalidData for columns of other names.
    """
    if mine is None or theirs is None or mine == theirs:
        return None
    if sorted(mine) != sorted(theirs):
        why = f"its columns are {listed(mine)}, and {whose} {listed(theirs)}"
        raise InvalidData(where, why, "give the same ones, in whatever order, or rename them")
    return [mine.index(name) for name in theirs]
