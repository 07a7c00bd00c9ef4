"""Samples follow each other without a gap through a pipeline; a batch is cut so that no lane runs idle."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.random_network import random_network
from asrc_lava.graph import plan
from asrc_lava.graph.schedule import Schedule


def test_a_layer_works_on_step_t_at_lava_step_t_plus_its_lag() -> None:
    schedule = Schedule(steps=3, rounds=2)
    assert [schedule.at(lava_step, lag=2) for lava_step in range(1, 11)] == [
        *(None, None),
        *((0, 1), (0, 2), (0, 3)),
        *((1, 1), (1, 2), (1, 3)),
        *(None, None),
    ]


def test_the_last_lava_step_is_the_readouts_last_step() -> None:
    schedule = Schedule(steps=4, rounds=3)
    readout = 3
    last = schedule.lava_steps(readout)
    assert schedule.at(last, readout) == (2, 4)
    assert schedule.at(last + 1, readout) is None


@settings(deadline=None, max_examples=200)
@given(
    batch=st.integers(1, 5000),
    steps=st.integers(1, 2000),
    channels=st.integers(1, 3000),
    width=st.sampled_from([1, 128, 4096]),
    graph=st.sampled_from(plan.GRAPHS),
)
def test_parts_cover_the_batch_within_the_limits(
    batch: int, steps: int, channels: int, width: int, graph: plan.Graph
) -> None:
    network = random_network(0, channels=channels, widths=(1,), spans=(1,), steps=steps, classes=width)
    parts = plan.parts(network, (batch, steps, channels), graph)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == batch
    for part in parts:
        size, lanes = part.stop - part.start, part.lanes or 1
        assert (part.lanes is None) == (graph == "single")
        assert size > 0
        assert size % lanes == 0
        assert lanes <= plan.MAX_LANES
        assert lanes == 1 or lanes * max(width, channels) <= plan.MESSAGE_CELLS
        assert size == lanes or size * steps * channels <= plan.SOURCE_CELLS
        assert part.lava_steps == Schedule(steps, size // lanes).lava_steps(lag=2)


def test_lanes_are_filled_evenly() -> None:
    network = random_network(0, widths=(128,), spans=(1,), steps=10)
    assert [part.lanes for part in plan.parts(network, (513, 10, 1), "batched")] == [257, 256]
    assert [part.lanes for part in plan.parts(network, (1024, 10, 1), "batched")] == [512]
