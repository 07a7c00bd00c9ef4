"""Kinds of neurons, one file each. A package of one's own adds more: any folder `asrc_kinds` on Python's path."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.machinery import PathFinder

from asrc_core import choices
from asrc_core.contract.neurons.kind import Kind
from asrc_core.errors import UnknownName

MORE = "asrc_kinds"
"""A namespace package: folders of this name, without an `__init__.py`, on Python's path."""


OWN = choices.names(__path__, besides=("kind",))
"""The kinds that come with the package."""


def names() -> list[str]:
    """All kinds, by their files."""
    return sorted({*OWN, *choices.names(folders())})


@cache
def kind(name: str) -> Kind:
    """The kind of that name, its file's name with "-" for "_". Raises UnknownName."""
    if name in OWN:
        package = __name__
    elif name in choices.names(folders()):
        package = MORE
    else:
        raise UnknownName("kind of neuron", name, names())
    made: Kind = importlib.import_module(f"{package}.{name.replace('-', '_')}").KIND
    return made


def folders() -> list[str]:
    """Folders that hold further kinds, in the order of Python's path."""
    found = PathFinder.find_spec(MORE)  # as the path is now: what is imported already may have left it
    return [] if found is None or found.submodule_search_locations is None else list(found.submodule_search_locations)
