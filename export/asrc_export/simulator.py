"""Run an integer network from Python: whole batches, or one sample as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, Result
from asrc_core.contract.result import StreamStep
from asrc_export.engines import native, select
from asrc_export.engines import numpy as reference
from asrc_export.engines.stepwise import NumpyStream


class Stream(Protocol):
    """One sample fed frame by frame, its state kept between steps; serves one thread at a time."""

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame: the logits so far, (C,) int64, and this step's spikes, (N,) uint8 for
        each layer. Raises InvalidData for a frame that does not fit the network's input.
        """

    def reset(self) -> None:
        """Begin the next sample: all state and all counts return to zero."""

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer and then the readout."""


class Simulator:
    """A network made ready to run, on the native engine or, where that is not built, on NumPy with the same bits.

    Any number of threads may call `run` at once. Raises InvalidNetwork or SpanTooLong for a network that breaks the
    contract, UnknownName or InvalidSetting for a bad $ASRC_ISA.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        self._native = native.NativeEngine(network) if select.native_or_told() else None
        self.network = self._native.network if self._native else network

    def run(self, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Run a batch on all cores; the GIL is released meanwhile.

        x: (B, T, channels), any integer type, values in the network's input range, steps in the order in which the
        network was trained on them. Returns logits (B, C) int64, counts for each layer and the readout and, with
        ``trace``, spikes (T, B, N) uint8, membranes (T, B, N) int32 and the readout (T, B, C) int32.

        Raises InvalidData for a wrong type, shape, width or range, an empty batch or empty samples.
        """
        return self._native.run(x, trace=trace) if self._native else reference.run(self.network, x, trace=trace)

    def run_each(self, batches: Iterable[NDArray[np.generic]]) -> Iterator[Result]:
        """The result of each batch as it is drawn, so that a data set of any length runs in constant memory."""
        return (self.run(x) for x in batches)

    def stream(self) -> Stream:
        """A sample fed frame by frame, from its first step on, in constant memory however long it is."""
        return self._native.stream() if self._native else NumpyStream(self.network)


def load(path: str | Path) -> Simulator:
    """The simulator of a network file.

    Raises UnreadableFile for a file that is missing, truncated or not one of ours, and what Simulator raises.
    """
    return Simulator(network_file.load(path))
