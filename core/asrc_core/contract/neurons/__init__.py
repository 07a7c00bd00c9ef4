"""Kinds of neurons, one file each. A package of one's own adds more: any folder `asrc_kinds` on Python's path."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.machinery import PathFinder

from asrc_core import choices
from asrc_core.contract.neurons.kind import Kind
from asrc_core.errors import InvalidSetting, UnknownName

MORE = "asrc_kinds"
"""A namespace package: folders of this name, without an `__init__.py`, on Python's path."""


OWN = choices.names(__path__, besides=("kind",))
"""The kinds that come with the package."""


def names() -> list[str]:
    """All kinds, by their files."""
    return sorted({*OWN, *choices.names(folders())})


def known(name: str) -> bool:
    """Whether there is a kind of that name. Folders are only searched for those that do not come with the package."""
    return name in OWN or name in choices.names(folders())


@cache
def kind(name: str) -> Kind:
    """The kind of that name, its file's name with "-" for "_".

    Raises UnknownName; InvalidSetting for a file that fails when it is loaded, or has no KIND.
    """
    if name in OWN:
        package = __name__
    elif name in choices.names(folders()):
        package = MORE
    else:
        raise UnknownName("kind of neuron", name, names())
    path = f"{package}.{name.replace('-', '_')}"
    try:
        made = importlib.import_module(path).KIND
    except Exception as error:  # it may be anybody's file
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise InvalidSetting(f"kind of neuron '{name}'", f"'{path}' does not load ({why})") from error
    if not isinstance(made, Kind):
        raise InvalidSetting(f"kind of neuron '{name}'", f"KIND of '{path}' is of type {type(made).__name__}, not Kind")
    return made


def folders() -> list[str]:
    """Folders that hold further kinds, in the order of Python's path."""
    found = PathFinder.find_spec(MORE)  # as the path is now: what is imported already may have left it
    return [] if found is None or found.submodule_search_locations is None else list(found.submodule_search_locations)
