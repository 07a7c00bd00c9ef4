"""Recurrent connections, one file each, named after it, with "_" for "-"; the file's `build` makes one for a layer."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from asrc_train.errors import UnknownName

if TYPE_CHECKING:
    from asrc_train.config import NetworkConfig
    from asrc_train.connections.connection import Connection


def names() -> list[str]:
    """All connections, by the files in this folder."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.replace("_", "-") for name in modules if name != "connection")


def build(config: NetworkConfig, steps: int | None) -> Connection:
    """A fresh connection of the configured kind for one layer; ``steps`` of a sample, where they are known.

    Raises UnknownName, and InvalidSetting for settings that such a connection cannot obey.
    """
    if config.connection not in names():
        raise UnknownName("connection", config.connection, names())
    module = import_module(f"asrc_train.connections.{config.connection.replace('-', '_')}")
    made: Connection = module.build(config, steps)
    return made
