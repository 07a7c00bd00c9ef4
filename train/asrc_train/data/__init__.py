"""Data sets, one file each: the file's name is the data set's, `SHAPE` what is known of it without loading it, and
`load()` returns a `Dataset`. `ARCHIVES` lists what has to be fetched first, if anything has.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from asrc_core import choices
from asrc_core.errors import InvalidSetting

if TYPE_CHECKING:
    from asrc_train.data.dataset import Dataset, Shape


def names() -> list[str]:
    """All data sets, by the files in this folder."""
    return choices.names(__path__, besides=("dataset",))


def shape(name: str | None) -> Shape:
    """Steps, channels, classes and scale, whether or not the data are there. Raises UnknownName."""
    stated: Shape = _module(name).SHAPE
    return stated


def load(name: str | None) -> Dataset:
    """The data set of that name, from the data folder where it does not come with a package.

    Raises UnknownName listing the known ones, UnreadableFile saying what to put where, InvalidData, ExtraMissing.
    """
    loaded: Dataset = _module(name).load()
    return loaded


def download(name: str | None) -> None:
    """Fetch what the data set is made from into the data folder, unless it is there already.

    Raises UnknownName, InvalidSetting where nothing has to be fetched, UnreadableFile, UnwritableOutput.
    """
    from asrc_train.data.sources.archive import fetch

    archives = getattr(_module(name), "ARCHIVES", ())
    if not archives:
        raise InvalidSetting("`download`", f"data set '{name}' comes with the package, nothing has to be fetched")
    for archive in archives:
        fetch(archive)


def _module(name: str | None) -> ModuleType:
    return choices.module(__name__, "data set", str(name), names())
