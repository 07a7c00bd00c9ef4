"""Spike traffic between cores: who sends to whom, how far, and an order of cores that keeps it short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_export.chip.targets import Mesh, Target


@dataclass(frozen=True)
class Seat:
    """Where a core is: its chip, its index on it, and the tile's row and column if the chip's mesh is known."""

    chip: int
    index: int
    row: int | None
    column: int | None


@dataclass(frozen=True)
class Route:
    """What one spike of a layer costs on its way to another layer's cores, averaged over the sending neurons."""

    sender: str
    receiver: str
    messages: float
    """Cores that it goes to: one message each."""
    messages_to_other_chips: float
    hops_east_west: float
    hops_north_south: float
    """Tile to tile within a chip; what lies between chips has no public figure and is not counted."""
    farthest_hops: tuple[int, int]
    """East-west and north-south hops of the longest way."""


def seats(indices: Sequence[int], target: Target) -> list[Seat]:
    """Seats by running index: chips are filled one after the other, tiles along a serpentine over the mesh."""
    per_chip = target.limits.cores_per_chip.count
    path = None if target.mesh is None else _serpentine(target.mesh)
    made = []
    for running in indices:
        chip, index = divmod(running, per_chip)
        if path is None or target.mesh is None:
            made.append(Seat(chip, index, None, None))
        else:
            made.append(Seat(chip, index, *path[index // target.mesh.cores_per_tile.count % len(path)]))
    return made


def route(
    sender: str, receiver: str, weights: Sequence[int], sending: Sequence[Seat], receiving: Sequence[Seat]
) -> Route:
    """The route of one spike from ``sending`` cores, which hold ``weights`` neurons each, to all ``receiving`` ones."""
    share = np.asarray(weights) / sum(weights)
    out, into = _places(sending), _places(receiving)
    apart = out[:, None, 0] != into[None, :, 0]
    steps = np.abs(out[:, None, 1:] - into[None, :, 1:]) * ~apart[:, :, None]
    hops = share @ steps.sum(axis=1)
    farthest = steps.reshape(-1, 2)[steps.sum(axis=2).argmax()]
    return Route(
        sender,
        receiver,
        messages=float(len(receiving)),
        messages_to_other_chips=float(share @ apart.sum(axis=1)),
        hops_east_west=float(hops[1]),
        hops_north_south=float(hops[0]),
        farthest_hops=(int(farthest[1]), int(farthest[0])),
    )


def _places(cores: Sequence[Seat]) -> NDArray[np.int64]:
    """(cores, 3): chip, row, column; without a mesh all cores of a chip are in one place."""
    return np.array([(core.chip, core.row or 0, core.column or 0) for core in cores], np.int64)


def _serpentine(mesh: Mesh) -> list[tuple[int, int]]:
    """(row, column) of each tile in an order whose neighbours are neighbours: column by column, up and down.

    Layers lie along this path; going through the shorter side first keeps a layer's tiles in a compact block.
    """
    rows, columns = mesh.rows.count, mesh.columns.count
    along_columns = [
        (row if column % 2 == 0 else rows - 1 - row, column) for column in range(columns) for row in range(rows)
    ]
    along_rows = [
        (row, column if row % 2 == 0 else columns - 1 - column) for row in range(rows) for column in range(columns)
    ]
    return along_columns if rows <= columns else along_rows
