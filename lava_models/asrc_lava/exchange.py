"""What `run` and its worker hand to each other: files in a folder of their own, nothing of them pickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_export import network_file
from asrc_export.network import IntegerNetwork
from asrc_export.result import LayerCounts, LayerTrace, Result, Trace
from asrc_lava.plan import Graph

Job = tuple[IntegerNetwork, NDArray[np.int32]]
"""A network and (B, T, channels) samples that it can take."""


@dataclass(frozen=True)
class Order:
    """How to run the jobs of a folder."""

    jobs: int
    graph: Graph
    trace: bool
    board: str | None


def write_jobs(folder: Path, jobs: Sequence[Job], graph: Graph, trace: bool, board: str | None) -> None:
    """Lay out jobs for a worker."""
    for i, (network, samples) in enumerate(jobs):
        network_file.save(network, folder / f"{i}.network.safetensors")
        np.save(folder / f"{i}.samples.npy", samples, allow_pickle=False)
    (folder / "order.json").write_text(json.dumps(asdict(Order(len(jobs), graph, trace, board))))


def read_jobs(folder: Path) -> tuple[Order, list[Job]]:
    """The jobs laid out in a folder."""
    order = Order(**json.loads((folder / "order.json").read_text()))
    return order, [
        (
            network_file.load(folder / f"{i}.network.safetensors"),
            np.load(folder / f"{i}.samples.npy", allow_pickle=False),
        )
        for i in range(order.jobs)
    ]


def write_result(folder: Path, job: int, result: Result) -> None:
    """Leave the result of a job."""
    arrays: dict[str, NDArray[np.generic]] = {
        "logits": result.logits,
        "counts": np.array([astuple(count) for count in result.counts], np.int64),
    }
    if result.trace is not None:
        arrays["readout"] = result.trace.readout
        for i, layer in enumerate(result.trace.layers):
            arrays[f"spikes{i}"] = layer.spikes
            arrays[f"membrane{i}"] = layer.membrane
    np.savez(folder / f"{job}.result.npz", **arrays)


def read_result(folder: Path, job: int) -> Result:
    """The result of a job."""
    with np.load(folder / f"{job}.result.npz", allow_pickle=False) as arrays:
        counts = tuple(LayerCounts(*map(int, row)) for row in arrays["counts"])
        trace = None
        if "readout" in arrays:
            layers = (LayerTrace(arrays[f"spikes{i}"], arrays[f"membrane{i}"]) for i in range(len(counts) - 1))
            trace = Trace(tuple(layers), arrays["readout"])
        return Result(arrays["logits"], counts, trace)
