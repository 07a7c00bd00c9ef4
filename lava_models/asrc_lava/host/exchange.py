"""What `run` and its worker hand to each other: files in a folder of their own, nothing of them pickled."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace
from asrc_lava.boards.board import Access, Measured
from asrc_lava.graph.plan import Part


@dataclass(frozen=True)
class Job:
    """A network, (B, T, channels) samples that it can take, and the Lava runs to do them in."""

    network: IntegerNetwork
    samples: NDArray[np.int32]
    parts: list[Part]


@dataclass(frozen=True)
class Order:
    """Jobs and what they have in common."""

    jobs: list[Job]
    trace: bool
    board: Access | None


def write_order(folder: Path, order: Order) -> None:
    """Lay out an order for a worker."""
    for i, job in enumerate(order.jobs):
        network_file.save(job.network, folder / f"{i}.network.safetensors")
        np.save(folder / f"{i}.samples.npy", job.samples, allow_pickle=False)
    parts = [[asdict(part) for part in job.parts] for job in order.jobs]
    board = asdict(order.board) if order.board else None
    content = {"parts": parts, "trace": order.trace, "board": board}
    (folder / "order.json").write_text(json.dumps(content))


def read_order(folder: Path) -> Order:
    """The order laid out in a folder."""
    content = json.loads((folder / "order.json").read_text())
    jobs = [
        Job(
            network_file.load(folder / f"{i}.network.safetensors"),
            np.load(folder / f"{i}.samples.npy", allow_pickle=False),
            [Part(**part) for part in parts],
        )
        for i, parts in enumerate(content["parts"])
    ]
    return Order(jobs, content["trace"], Access(**content["board"]) if content["board"] else None)


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


def write_measured(folder: Path, job: int, measured: Measured) -> None:
    """Leave what a board's probes measured over a job."""
    (folder / f"{job}.measured.json").write_text(json.dumps(asdict(measured)))


def read_measured(folder: Path, job: int) -> Measured:
    """What a board's probes measured over a job."""
    return Measured(**json.loads((folder / f"{job}.measured.json").read_text()))
