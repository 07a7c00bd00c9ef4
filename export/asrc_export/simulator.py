"""Run an integer network from Python: whole batches, or one sample as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asrc_core import meaning, preprocessing
from asrc_core.contract.file import network_file
from asrc_core.contract.file.network_file import integers
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result, checked_input, require_room_for_trace
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_core.meaning import Meaning
from asrc_export import windows
from asrc_export.engines import select
from asrc_export.engines.select import Stream
from asrc_export.windows import Decision

if TYPE_CHECKING:
    from asrc_export.report import Report
    from asrc_train.data.dataset import Dataset
    from asrc_train.trained.checkpoint import Checkpoint

__all__ = ["Decision", "Simulator", "Stream", "load", "run", "stream"]


class Simulator:
    """A network made ready to run on the fastest engine that runs it here; ``engine`` is its name.

    That is the native engine for chains of LIF layers, the generated one for all other networks, and NumPy where there
    is no compiler, all with the same bits. Any number of threads may call `run` at once.
    Raises UnknownName or InvalidSetting for a bad $ASRC_ISA, InvalidSetting for what is no network.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        if not isinstance(network, IntegerNetwork):
            why = f"it is a {type(network).__name__}; give an IntegerNetwork, such as load(path).network"
            raise InvalidSetting("network", why)
        self.network = network
        self.engine, self._prepared = select.prepared(network)
        self._preprocessing = preprocessing.of(network.provenance)

    def __repr__(self) -> str:
        return f"Simulator({self.network!r}, {self.engine})"

    def _repr_html_(self) -> str:
        return self.network._repr_html_()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers. Raises InvalidSetting for names that are none."""
        return preprocessing.classes_of(self.network.provenance, self.network.classes)

    @property
    def meaning(self) -> Meaning:
        """What the input's values and steps mean. Raises InvalidSetting for a file that states no such thing."""
        return meaning.of(self.network.provenance)

    def run(self, x: NDArray[np.generic], *, trace: bool = False) -> Result:
        """Run a batch on all cores; the GIL is released meanwhile.

        x: (B, T, channels), any integer type, values in the network's input range, steps in the order in which the
        network was trained on them. Returns logits (B, C) int64, counts for each layer, the readout last, and, with
        ``trace``, spikes (T, B, N) uint8 (int32 where a kind sends numbers), membranes (T, B, N) int32 and the readout
        (T, B, C) int32.

        Raises InvalidData for a wrong type, shape, width or range, an empty batch or empty samples, and, where the
        system tells (`asrc_core.memory`), for a trace that memory does not hold.
        """
        if trace:
            x = checked_input(self.network, x)
            require_room_for_trace(self.network, *x.shape[:2])
        try:
            return self._prepared.run(x, trace=trace)
        except MemoryError as error:
            raise InvalidData(
                "samples", "there is not enough memory for a run of them", "take fewer at a time"
            ) from error

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

    def run_each(self, batches: Iterable[NDArray[np.generic]]) -> Iterator[Result]:
        """The result of each batch as it is drawn, so that a data set of any length runs in constant memory.

        Raises InvalidData for what are no batches, and, as each is drawn, what `run` does.
        """
        if not isinstance(batches, Iterable):
            raise InvalidData(
                "batches", f"they are a {type(batches).__name__}", "give samples, one batch after the other"
            )
        return (self.run(x) for x in batches)

    def stream(self) -> Stream:
        """A sample fed frame by frame, from its first step on, in constant memory however long it is."""
        return self._prepared.stream()

    def decide(self, frames: Iterable[NDArray[np.generic]], every: int, *, carry: bool = False) -> Iterator[Decision]:
        """A decision after each ``every`` frames (channels,) of a sensor that never stops, in constant memory.

        The state is cleared after each decision, or goes on with ``carry`` (`asrc_export.windows`). Raises
        InvalidSetting for a window or a readout that does not allow it, InvalidData for a frame that does not fit.
        """
        return windows.decisions(self.network, self.stream(), frames, every, carry)

    def report(
        self,
        model: Checkpoint | str | Path,
        dataset: Dataset | None = None,
        *,
        data: str | Path | None = None,
        limit: int | None = None,
    ) -> Report:
        """The network beside the checkpoint that it came from, or its file, on test samples: `asrc_export.report.make`.

        ``dataset``: samples of one's own in the network's order; else the data set named ``data``, or raw samples at
        that path, by default the one trained on. A checkpoint's file is held to the hash that the network states; of
        a loaded one, only widths and spans can be compared, which the report says. Raises InvalidSetting, InvalidData,
        UnknownName, UnreadableFile, ExtraMissing.
        """
        from asrc_export import report
        from asrc_export.samples.dataset_samples import dataset_for

        own = dataset_for(self.network, data) if dataset is None else dataset
        if not isinstance(model, (str, Path)):
            return report.make(self.network, model, own, select.engine(), limit=limit)
        from asrc_train.trained import checkpoint

        loaded, sha256 = checkpoint.load(model), checkpoint.fingerprint(model)
        return report.make(self.network, loaded, own, select.engine(), limit=limit, float_sha256=sha256)


def load(path: str | Path) -> Simulator:
    """The simulator of a network file.

    Raises UnreadableFile for a file that is missing, truncated or not one of ours, and what Simulator raises.
    """
    return Simulator(network_file.load(path))


def run(network: IntegerNetwork | str | Path, x: NDArray[np.generic], *, trace: bool = False) -> Result:
    """A network, or a network's file, on samples x (B, T, channels): `Simulator.run`, made ready each time."""
    return _ready(network).run(x, trace=trace)


def stream(network: IntegerNetwork | str | Path) -> Stream:
    """A sample fed frame by frame to a network, or a network's file: `Simulator.stream`."""
    return _ready(network).stream()


def _ready(network: IntegerNetwork | str | Path) -> Simulator:
    return Simulator(integers(network))
