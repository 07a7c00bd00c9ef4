"""Lava held to the reference, in simulation (tests/) and on a board (hw_tests/) alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from numpy.typing import NDArray
from strategies import cases

from asrc_core.contract.interpreter import run as reference
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import first_difference
from asrc_lava.graph.plan import Graph
from asrc_lava.host import run

Case = tuple[IntegerNetwork, NDArray[np.int32]]


def drawn(count: int, **limits: Any) -> list[Case]:
    """The most eventful of six times as many random networks with inputs, to be run together.

    Starting Lava up for each would take seconds, and many a random network never fires.
    """
    found: list[Case] = []

    @settings(
        max_examples=6 * count,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(**limits))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return sorted(found, key=_events, reverse=True)[:count]


def _events(case: Case) -> float:
    """In how many of its places, on average, the network spikes, feeds spikes back, and saturates."""
    counts = reference(*case).counts
    events = ((c.spikes > 0) + (c.recurrent_operations > 0) + (c.saturations > 0) for c in counts)
    return sum(events) / len(counts)


def assert_equal_to_reference(jobs: list[Case], graph: Graph, board: str | None = None) -> None:
    """Every logit, count, spike, membrane and readout accumulator of every network."""
    on_lava = run.run_each(jobs, trace=True, graph=graph, board=board)
    for (network, x), result in zip(jobs, on_lava, strict=True):
        difference = first_difference(network, result, reference(network, x, trace=True))
        assert difference is None, f"{difference}, of {network}"
