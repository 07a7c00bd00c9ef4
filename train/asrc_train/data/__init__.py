"""Data sets, one file each: the file's name is the data set's, its `load()` returns a `Dataset`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from asrc_train.errors import UnknownName

if TYPE_CHECKING:
    from asrc_train.data.dataset import Dataset


def names() -> list[str]:
    """All data sets, by the files in this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "dataset")


def load(name: str | None) -> Dataset:
    """The data set of that name. Raises UnknownName listing the known ones."""
    if name not in names():
        raise UnknownName("data set", str(name), names())
    loaded: Dataset = import_module(f"asrc_train.data.{name}").load()
    return loaded
