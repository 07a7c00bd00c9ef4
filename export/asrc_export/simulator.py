"""Run an integer network from Python: whole batches, or one sample as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core import preprocessing
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result
from asrc_core.errors import InvalidSetting
from asrc_export.engines import select
from asrc_export.engines.select import Stream

__all__ = ["Simulator", "Stream", "load"]


class Simulator:
    """A network made ready to run on the fastest engine that runs it here; ``engine`` is its name.

    That is the native engine for chains of LIF layers, the generated one for all other networks, and NumPy where there
    is no compiler, all with the same bits. Any number of threads may call `run` at once.
    Raises UnknownName or InvalidSetting for a bad $ASRC_ISA.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self.engine, self._prepared = select.prepared(network)
        self._preprocessing = preprocessing.of(network.provenance)

    def run(self, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Run a batch on all cores; the GIL is released meanwhile.

        x: (B, T, channels), any integer type, values in the network's input range, steps in the order in which the
        network was trained on them. Returns logits (B, C) int64, counts for each layer, the readout last, and, with
        ``trace``, spikes (T, B, N) uint8 (int32 where a kind sends numbers), membranes (T, B, N) int32 and the readout
        (T, B, C) int32.

        Raises InvalidData for a wrong type, shape, width or range, an empty batch or empty samples.
        """
        return self._prepared.run(x, trace=trace)

    def ordered(self, x: NDArray[np.generic]) -> NDArray[np.generic]:
        """Samples (B, T, channels) with their steps in the order in which the network takes them."""
        order = self.network.permutation
        return x if order is None else x[:, order]

    def integers(self, raw: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Raw samples (..., channels), or one frame (channels,), as the network takes them: by the zeros and scales
        that its file states, cut to its range. For recordings and events, raw is what the front end gives.

        Raises InvalidSetting if its file states none, InvalidData for other channels, or NaN.
        """
        if self._preprocessing is None:
            raise InvalidSetting("raw samples", "the network's file does not state what makes integers of them")
        return self._preprocessing.integers(np.asarray(raw)).x

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers."""
        return preprocessing.classes_of(self.network.provenance, self.network.classes)

    def run_each(self, batches: Iterable[NDArray[np.generic]]) -> Iterator[Result]:
        """The result of each batch as it is drawn, so that a data set of any length runs in constant memory."""
        return (self.run(x) for x in batches)

    def stream(self) -> Stream:
        """A sample fed frame by frame, from its first step on, in constant memory however long it is."""
        return self._prepared.stream()


def load(path: str | Path) -> Simulator:
    """The simulator of a network file.

    Raises UnreadableFile for a file that is missing, truncated or not one of ours, and what Simulator raises.
    """
    return Simulator(network_file.load(path))
