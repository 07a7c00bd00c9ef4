"""Lava computes the contract's integers: both graphs, both mappings, every spike and every membrane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lava_parity import Case, assert_equal_to_reference, drawn
from numpy.typing import NDArray

from asrc_core.contract.chain import chain
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.random_network import random_network
from asrc_core.errors import InvalidData, InvalidNetwork, UnknownName
from asrc_lava.boards import sdk
from asrc_lava.graph import plan
from asrc_lava.host import run

pytestmark = [pytest.mark.lava, pytest.mark.skipif(sdk.why_no_lava() is not None, reason=str(sdk.why_no_lava()))]

GRAPHS = pytest.mark.parametrize(
    "graph", [pytest.param(name, marks=[pytest.mark.slow] if name == "single" else []) for name in plan.GRAPHS]
)
"""One sample at a time is the same arithmetic, and takes Lava several times as long."""


def in_full_rounds(cases: list[Case]) -> list[Case]:
    """The cases with an even number of samples: two lanes take them in one run of Lava, which costs half a second."""
    return [(network, x if len(x) % 2 == 0 else np.concatenate([x, x[:1]])) for network, x in cases]


def inputs(network: IntegerNetwork, batch: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    shape = (batch, network.steps, network.input.channels)
    return rng.integers(network.input.minimum, network.input.maximum + 1, shape)


@pytest.fixture(autouse=True)
def few_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few samples take several rounds then, with a reset in between."""
    monkeypatch.setattr(plan, "MAX_LANES", 2)


@pytest.mark.slow
@GRAPHS
def test_delay_lines(graph: plan.Graph) -> None:
    assert_equal_to_reference(in_full_rounds(drawn(15, max_width=20, max_steps=36)), graph)


@pytest.mark.slow
@GRAPHS
def test_synaptic_delays(graph: plan.Graph) -> None:
    assert_equal_to_reference(in_full_rounds(drawn(12, max_width=8, max_steps=70, max_span=63)), graph)


@pytest.mark.slow
@GRAPHS
def test_samples_shorter_than_pipeline_and_spans(graph: plan.Graph) -> None:
    networks = [
        random_network(0, widths=(5, 4, 6), spans=spans, steps=steps, mapping=mapping)
        for steps, spans, mapping in (
            (1, (1, 1, 1), "delay-line"),
            (2, (1, 2, 32), "delay-line"),
            (3, (3, 1, 63), "synaptic-delay"),
            (9, (9, 8, 2), "synaptic-delay"),
        )
    ]
    assert_equal_to_reference([(network, inputs(network, 6)) for network in networks], graph)


@pytest.mark.slow
@GRAPHS
def test_several_taps_of_a_delay_line(graph: plan.Graph) -> None:
    """Graded spikes back into the layer, and none of them into the next sample."""
    taps = ([(1, 3), (2, 1), (32, 99)], [(3, 64), (31, 63)])
    networks = [
        random_network(7, widths=(9, 6), spans=taps, steps=steps, exponents=(0, exponent), weight_bits=bits)
        for steps, exponent, bits in ((1, 0, 8), (40, -3, 8), (35, 1, 4))
    ]
    assert_equal_to_reference([(network, inputs(network, 4)) for network in networks], graph)


@GRAPHS
def test_sums_beyond_single_precision(graph: plan.Graph) -> None:
    wide = random_network(
        5, channels=7, widths=(9,), spans=(2,), steps=5, input_range=(0, 2**20), exponents=(-5, 0), activation_shift=0
    )
    assert_equal_to_reference([(wide, inputs(wide, 4))], graph)


@pytest.mark.slow
@GRAPHS
def test_a_batch_in_several_runs_and_uneven_rounds(graph: plan.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(1, channels=3, widths=(7,), spans=(4,), steps=6)
    monkeypatch.setattr(plan, "SOURCE_CELLS", 6 * 6 * 3)  # six samples a run
    x = inputs(network, 17)
    assert len(plan.parts(network, x.shape, graph)) > 2
    assert_equal_to_reference([(network, x)], graph)


@GRAPHS
def test_a_sample_does_not_depend_on_the_one_before(graph: plan.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MAX_LANES", 1)
    network = random_network(2, widths=(8, 8), spans=(3, 5), steps=12)
    x = inputs(network, 2)
    after_another, alone = run.run_each([(network, x), (network, x[1:])], trace=True, graph=graph)
    assert np.array_equal(after_another.logits[1:], alone.logits)
    assert after_another.trace is not None
    assert alone.trace is not None
    for both, one in zip(after_another.trace.layers, alone.trace.layers, strict=True):
        assert one.spikes.any()
        assert np.array_equal(both.membrane[:, 1:], one.membrane)


def test_progress_counts_up_to_all_lava_steps_and_without_a_trace_none_comes_back() -> None:
    network = random_network(3, widths=(4, 4), spans=(1, 2), steps=10)
    told: list[tuple[int, int]] = []
    result = run.run(
        network, inputs(network, 3), graph="single", progress=lambda done, total: told.append((done, total))
    )
    assert result.trace is None
    assert result.logits.shape == (3, 10)
    assert told == sorted(told)
    assert told[-1] == (3 * 10 + 3, 3 * 10 + 3)


def test_what_lava_would_truncate_without_a_word_is_refused() -> None:
    network = random_network(4, widths=(4,), spans=(1,), steps=3)
    made = chain(network)
    layer = replace(made.layers[0], recurrent=made.layers[0].recurrent + 1)  # odd: mixed signs leave even ones
    with pytest.raises(InvalidNetwork, match="grid"):
        run.run(replace(made, layers=(layer,)).network(), inputs(network, 1))
    with pytest.raises(InvalidData, match="range"):
        run.run(network, inputs(network, 1) + 256)
    with pytest.raises(UnknownName, match="batched, single"):
        run.run(network, inputs(network, 1), graph="triple")  # type: ignore[arg-type]
