"""Public names at a package's front door, imported when they are first asked for: a package by itself loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from asrc_core import extras


def opened(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The package's ``__getattr__``: each public name is what the module in its place calls so, or that module.

    A module that lacks its extra raises ExtraMissing, which names the extra.
    """

    def attribute(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        with extras.importing():
            found = import_module(places[name])
            return found if places[name] == f"{package}.{name}" else getattr(found, name)

    return attribute
