"""Data sets, one file each: the file's name is the data set's, `SHAPE` what is known of it without loading it, and
`load()` returns a `Dataset`. `ARCHIVES` lists what has to be fetched first, if anything has. The path of a file or a
folder is the name of samples of one's own (`own/`).

Data sets of events in time have a `shape(dt)` in place of `SHAPE`, and a `load(dt)`: steps of dt milliseconds. So have
events of one's own; at the setting's default, which nobody has to have chosen, their steps are as long as they ask for.
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


def is_known(name: str) -> bool:
    """Whether it names a data set, or a path to one's own."""
    return name in names() or is_path(name)


VALIDATION = 0.125
"""Share of the samples of one's own that are left to train on, on which the best epoch is chosen."""
UNCHOSEN = 1.0
"""Milliseconds of a step where nobody chose them (`settings.config.NetworkConfig.dt`)."""
OWN = "the path of a file or a folder of your own, and nothing lies there"
"""What else an unknown data set's name could have been."""


def is_path(name: str | None) -> bool:
    """Whether it is the path of samples of one's own."""
    from asrc_train.data.own import read

    return isinstance(name, str) and name not in names() and read.is_path(name)


def is_own(name: str | None) -> bool:
    """Whether a checkpoint that names it was trained on samples of one's own, wherever they lie by now."""
    return name is not None and name not in names()


def may_have_moved(was: str | None, now: str | None) -> bool:
    """Whether samples of one's own that a checkpoint names may lie at another path by now."""
    return is_own(was) and is_path(now)


def shape(name: str | None, dt: float | None = None, validation_fraction: float = VALIDATION) -> Shape:
    """Steps, channels, classes and scale, whether or not the data are there; one's own are read.

    ``dt``: milliseconds of a step, if not the data set's own; of no meaning to data sets whose steps have no length.
    ``validation_fraction`` as in `load`: one's own are as long as the longest sample that is left to train on.
    Raises UnknownName; InvalidSetting for a dt that the data set does not take; and for one's own what `load` does.
    """
    if is_path(name):
        return load(name, dt, validation_fraction).shape
    module = _module(name)
    stated: Shape = module.shape(dt) if hasattr(module, "shape") else module.SHAPE
    return stated


def load(name: str | None, dt: float | None = None, validation_fraction: float = VALIDATION) -> Dataset:
    """The data set of that name, from the data folder where it does not come with a package; ``dt`` as in `shape`.

    ``validation_fraction`` is for one's own, whose validation part is drawn by class where the file has none.
    Raises UnknownName listing the known ones, UnreadableFile saying what to put where, InvalidData, InvalidSetting,
    ExtraMissing.
    """
    if is_path(name):
        from asrc_train.data.own import load as own

        return own.load(str(name), validation_fraction, dt=None if dt == UNCHOSEN else dt)
    module = _module(name)
    loaded: Dataset = module.load(dt) if hasattr(module, "shape") else module.load()
    return loaded


def in_time(name: str | None) -> bool:
    """Whether there is such a data set, and it is of events in time."""
    return name in names() and hasattr(_module(name), "shape")


def download(name: str | None) -> None:
    """Fetch what the data set is made from into the data folder, unless it is there already.

    Raises UnknownName, InvalidSetting where nothing has to be fetched, UnreadableFile, UnwritableOutput.
    """
    from asrc_train.data.sources.archive import fetch

    archives = () if is_path(name) else getattr(_module(name), "ARCHIVES", ())
    if not archives:
        raise InvalidSetting("`download`", f"data set '{name}' comes with the package, nothing has to be fetched")
    for archive in archives:
        fetch(archive)


def _module(name: str | None) -> ModuleType:
    return choices.module(__name__, "data set", str(name), names(), OWN)
