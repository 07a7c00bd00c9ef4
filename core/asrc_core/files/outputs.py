"""Where an export may write: never over what it reads, and not twice to one place."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from asrc_core.errors import UnwritableOutput
from asrc_core.files.paths import as_path


def require_apart(read: Iterable[str | Path], written: Iterable[str | Path]) -> None:
    """Raise UnwritableOutput for an output that leads to a file that is read, or to the place of another output;
    InvalidSetting for what is no path.
    """
    taken = {_place(each): "it is read here, and would be lost" for each in read}
    for each in written:
        place = _place(each)
        if place in taken:
            raise UnwritableOutput(each, taken[place])
        taken[place] = "another output goes there, too"


def _place(path: str | Path) -> str:
    return os.path.realpath(as_path(path, "a file or a folder"))
