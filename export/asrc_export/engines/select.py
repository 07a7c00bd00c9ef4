"""Engines by name, imported only when asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result
from asrc_core.errors import UnknownName

NAMES = ("native", "numpy", "onnx")
DEFAULT = "native"


class Run(Protocol):
    """Runs (B, T, channels) integer samples through a network; every engine gives the same bits."""

    def __call__(self, network: IntegerNetwork, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Raises InvalidData when the samples do not fit the network's input."""


@dataclass(frozen=True)
class Engine:
    """An engine under the name by which results speak of it."""

    name: str
    run: Run


def engine(name: str = DEFAULT) -> Engine:
    """The engine of that name. Where the native one is missing, one line on stderr says so and NumPy takes over.

    Raises UnknownName, listing those there are; the ONNX engine raises ExtraMissing without its packages.
    """
    if name not in NAMES:
        raise UnknownName("engine", name, NAMES)
    if name == "onnx":
        from asrc_export.engines import onnx

        return Engine(name, onnx.run)
    if name == "native" and native_or_told():
        from asrc_export.engines import native

        return Engine(name, native.run)
    from asrc_export.engines import numpy

    return Engine("numpy", numpy.run)


def native_or_told() -> bool:
    """Whether the native engine can be used; if not, one line on stderr says why and what happens instead."""
    from asrc_export.engines import native

    why = native.unavailable()
    if why is not None:
        print(f"asrc: {why} The NumPy engine takes over: the same bits, more slowly.", file=sys.stderr)
    return why is None
