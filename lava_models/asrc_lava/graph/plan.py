"""How a batch is cut into Lava runs: bounded messages, bounded sources, all lanes of a run filled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

from asrc_core.contract.network import IntegerNetwork
from asrc_lava.graph.schedule import timing

Graph = Literal["single", "batched"]
GRAPHS: tuple[Graph, ...] = get_args(Graph)

MAX_LANES = 512
MESSAGE_CELLS = 2**16
"""Most numbers in one message between processes, to bound the shared memory; larger ones would save no time either."""
SOURCE_CELLS = 2**24
"""Most numbers in one run's source, of which Lava makes three copies."""


@dataclass(frozen=True)
class Part:
    """Samples ``start`` to ``stop`` of a batch as one Lava run: one by one (no ``lanes``), or ``lanes`` at a time."""

    start: int
    stop: int
    lanes: int | None
    lava_steps: int


def parts(network: IntegerNetwork, shape: tuple[int, ...], graph: Graph) -> list[Part]:
    """The Lava runs for samples of that shape, (B, T, channels)."""
    return list(_parts(network, shape, graph))


def _parts(network: IntegerNetwork, shape: tuple[int, ...], graph: Graph) -> Iterator[Part]:
    batch, steps, channels = shape
    when = timing(network)
    sample_cells = when.schedule(steps, 1).source_steps * channels
    lanes = 1 if graph == "single" else _lanes(network, batch, sample_cells)
    at_most = lanes * max(1, SOURCE_CELLS // (lanes * sample_cells))
    start = 0
    while start < batch:
        wide = min(lanes, batch - start)
        size = min(at_most, batch - start) // wide * wide
        lava_steps = when.lava_steps(steps, size // wide)
        yield Part(start, start + size, None if graph == "single" else wide, lava_steps)
        start += size


def _lanes(network: IntegerNetwork, batch: int, sample_cells: int) -> int:
    widest = max(network.input.channels, *(layer.neurons for layer in network.layers))
    at_most = max(1, min(MAX_LANES, MESSAGE_CELLS // widest, SOURCE_CELLS // sample_cells))
    return ceil(batch / ceil(batch / at_most))  # rounds of about equal size
