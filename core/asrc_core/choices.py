"""Choices that are one file each in a folder: the file's name is the choice's, with "_" for "-"."""

from __future__ import annotations

import pkgutil
from collections.abc import Container, Iterable
from importlib import import_module
from types import ModuleType

from asrc_core import extras
from asrc_core.errors import UnknownName


def names(folder: Iterable[str], besides: Container[str] = (), *, folders: bool = False) -> list[str]:
    """All choices in a package's folder (its `__path__`); files named in ``besides`` are none, and folders only if
    ``folders`` says so: a choice that brings sources of its own is a package.
    """
    files = (module.name for module in pkgutil.iter_modules(folder) if folders or not module.ispkg)
    return sorted(name.replace("_", "-") for name in files if name not in besides)


def module(package: str, what: str, name: str, known: list[str], otherwise: str = "") -> ModuleType:
    """The choice's file. Raises UnknownName, which says what it is, lists the known ones and what else could stand
    there; ExtraMissing.
    """
    if not isinstance(name, str) or name not in known:
        raise UnknownName(what, str(name), known, otherwise)
    with extras.importing():
        return import_module(f"{package}.{name.replace('-', '_')}")
