"""Recurrent connections, one file each; the file's `build` makes one for a layer (`connection.new_connection`)."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from asrc_core import choices


@cache  # each validation of settings asks
def names() -> list[str]:
    """All connections, by the files in this folder."""
    return choices.names(__path__, besides=("connection",))


def reading(setting: str) -> list[str]:
    """The connections that read a setting."""
    return [each for each in names() if setting in module(each).SETTINGS]


def module(name: str) -> ModuleType:
    """The connection's file. Raises UnknownName."""
    return choices.module(__name__, "connection", name, names())
