"""Splits drawn by class: the same ones every time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import InvalidData

TEST = 0.2
"""Share of the samples that is the test, where a file has no splits."""
Places = NDArray[np.int64]


def drawn(
    y: NDArray[np.int64], classes: tuple[str, ...], share: float, parts: tuple[str, str], *, strict: bool = True
) -> tuple[Places, Places]:
    """Places of two parts, the second with ``share`` of each class: at least one sample of each, as the first has.

    ``parts`` are the names of the two. Raises InvalidData naming a class with one sample, if ``strict``: else that one
    is of the second part.
    """
    draw = np.random.default_rng(0)
    kept, held = [], []
    for i, name in enumerate(classes):
        mine = draw.permutation(np.flatnonzero(y == i))
        if len(mine) < 2 and strict:
            why = f"class '{name}' has {plural(len(mine), 'sample')} to share between {' and '.join(parts)}"
            raise InvalidData("samples", why, f"add some, leave the class out, or give a {parts[1]} part of your own")
        count = min(max(1, round(share * len(mine))), max(1, len(mine) - 1))
        held.append(mine[:count])
        kept.append(mine[count:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))


def require_all_classes(part: str, y: NDArray[np.int64], classes: tuple[str, ...]) -> None:
    """Raise InvalidData if a part lacks a class."""
    absent = np.flatnonzero(np.bincount(y, minlength=len(classes)) == 0)
    if len(absent):
        why = f"it has no sample of class '{classes[absent[0]]}'"
        raise InvalidData(f"split '{part}'", why, "add one, or give x and y without splits: they are drawn by class")
