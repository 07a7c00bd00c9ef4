"""Which delays a network has learned: a histogram for each of its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.errors import UnreadableFile
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.figure import panels
from asrc_train.trained.checkpoint import Checkpoint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIX = ".delay"


def delays(name: str, trained: Checkpoint) -> Analysis:
    """How many synapses of each connection have each delay, in whole steps as they are deployed, half to even.

    Raises UnreadableFile for a checkpoint of a network without a delay for each synapse.
    """
    found = {
        key.removesuffix(SUFFIX): np.rint(tensor.double().numpy()).astype(np.int64)
        for key, tensor in trained.tensors.items()
        if key.endswith(SUFFIX)
    }
    if not found:
        why = "its synapses have no delays of their own"
        raise UnreadableFile(name, "network with delays", why, "train with `connection='delays'`")
    counts = {connection: np.bincount(each.ravel()) for connection, each in found.items()}
    rows: list[dict[str, Any]] = [
        {"connection": connection, "delay": delay, "ms": delay * trained.config.network.dt, "synapses": int(many)}
        for connection, each in counts.items()
        for delay, many in enumerate(each)
        if many
    ]
    summary = [_told(connection, each, trained.config.network.dt) for connection, each in found.items()]
    return Analysis(rows, lambda: _figure(counts, trained.config.network.dt), summary)


def _told(connection: str, steps: NDArray[np.int64], dt: float) -> dict[str, Any]:
    return {
        "connection": connection,
        "synapses": steps.size,
        "median": f"{np.median(steps) * dt:g} ms",
        "longest": f"{steps.max() * dt:g} ms",
        "bits": max(1, int(steps.max()).bit_length()),
        "at the shortest": f"{(steps == steps.min()).mean():.0%}",
        "at the longest": f"{(steps == steps.max()).mean():.0%}",
    }


def _figure(counts: dict[str, NDArray[np.int64]], dt: float) -> Figure:
    figure, axes = panels(len(counts))
    for (connection, each), axis in zip(counts.items(), axes[0], strict=True):
        axis.bar(np.arange(len(each)) * dt, each, width=0.9 * dt)
        axis.set(xlabel="delay (ms)", title=connection)
    axes[0, 0].set_ylabel("synapses")
    return figure
