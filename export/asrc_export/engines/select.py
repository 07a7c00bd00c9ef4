"""Engines by name; the native one hands over to NumPy where it could not be built."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from asrc_export.result import Result
from asrc_train.errors import BackendMissing, UnknownName

NAMES = ("native", "numpy", "onnx")


@dataclass(frozen=True)
class Engine:
    """What runs a network: ``run(network, x, trace=False) -> Result``, all with the same bits."""

    name: str
    run: Callable[..., Result]


def engine(name: str = "native") -> Engine:
    """The engine of that name. Raises UnknownName, BackendMissing.

    Without a native library (no compiler when the package was installed) NumPy takes over, and a line says so.
    """
    if name not in NAMES:
        raise UnknownName("engine", name, NAMES)
    try:
        return Engine(name, import_module(f"asrc_export.engines.{name}").run)
    except (BackendMissing, ModuleNotFoundError) as error:
        if name != "native":
            raise
        print(f"native engine not available ({error}); the NumPy engine takes over, same bits", file=sys.stderr)
        return engine("numpy")
