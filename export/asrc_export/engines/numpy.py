"""The reference engine: the contract's own interpreter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import interpreter
from asrc_core.contract.interpreter import NumpyStream, run
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result

__all__ = ["NumpyEngine", "prepared", "run"]


@dataclass(frozen=True)
class NumpyEngine:
    """A network, any network, as it is."""

    network: IntegerNetwork

    def run(self, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """As the interpreter's `run`."""
        return interpreter.run(self.network, x, trace=trace)

    def stream(self) -> NumpyStream:
        """One sample fed frame by frame, from its first step on."""
        return NumpyStream(self.network)


def prepared(network: IntegerNetwork) -> NumpyEngine:
    """There is nothing to make ready."""
    return NumpyEngine(network)
