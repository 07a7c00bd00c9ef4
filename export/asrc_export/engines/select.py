"""Engines by name; the native one hands over to NumPy where it was not built."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asrc_export.network import IntegerNetwork
from asrc_export.result import Result
from asrc_train.errors import UnknownName

NAMES = ("native", "numpy", "onnx")


class Run(Protocol):
    """Runs (B, T, channels) integer samples through a network."""

    def __call__(self, network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Raises InvalidData when the samples do not fit the network's input."""


@dataclass(frozen=True)
class Engine:
    """What runs a network; all engines give the same bits."""

    name: str
    run: Run


def engine(name: str = "native") -> Engine:
    """The engine of that name. Raises UnknownName; the ONNX engine raises BackendMissing without its packages.

    Without a native library (no compiler when the package was installed) NumPy takes over, and a line says so.
    """
    if name not in NAMES:
        raise UnknownName("engine", name, NAMES)
    if name == "native" and not native_or_told():
        name = "numpy"
    return Engine(name, import_module(f"asrc_export.engines.{name}").run)


def native_or_told() -> bool:
    """Whether the native engine can be used; if not, one line on stderr says why and what happens instead."""
    from asrc_export.engines import native

    why = native.unavailable()
    if why is not None:
        print(f"asrc: {why} The NumPy engine takes over: the same bits, more slowly.", file=sys.stderr)
    return why is None
