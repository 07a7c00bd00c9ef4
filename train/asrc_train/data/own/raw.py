"""What every format is read into: samples as they were recorded, with labels, in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from asrc_core.errors import InvalidData
from asrc_train.data.own.columns import Names

ALL = "all"
"""The part of a file that comes without splits."""
PARTS = ("train", "validation", "test")
Kind = Literal["series", "events", "recordings"]


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of a kind, and a label for each: series (T, channels), T their own; events, a row each; paths of WAV."""

    samples: Sequence[Any]
    labels: Sequence[Any]

    def only(self, chosen: NDArray[np.int64]) -> Part:
        """Those at these places."""
        return Part([self.samples[i] for i in chosen], [self.labels[i] for i in chosen])


@dataclass(frozen=True, eq=False)
class Raw:
    """What a file holds: parts by name (`ALL`, or some of `PARTS`), of one kind."""

    kind: Kind
    parts: dict[str, Part]
    notes: tuple[str, ...] = ()
    """What a user has to know about how it was read."""
    columns: Names = None
    """Of series, the names of their channels."""
    class_names: frozenset[str] = frozenset()
    """Labels that are names whatever they look like: those of folders."""


class Single(NamedTuple):
    """A sample of a file of its own: (steps, channels), or events, a row each."""

    values: NDArray[Any]
    of_events: bool = False
    columns: Names = None
    """As in `Raw`."""
    left_out: tuple[str, ...] = ()
    """Columns that say which sample it is of, and no channel."""


def refuse(what: str | Path, why: str, way_out: str) -> NoReturn:
    """Raise InvalidData."""
    raise InvalidData(f"'{what}'", why, way_out)
