"""The rounding ablation: each stage is the network it says it is, and the first divergence is the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from asrc_core.contract.chain import chain
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.errors import InvalidNetwork
from asrc_core.native.build import CannotBuild
from asrc_export.codegen.c import unrounded as compiled
from asrc_export.engines import generated
from asrc_export.engines import numpy as engine
from asrc_export.exporting import Exported
from asrc_export.report import unrounded
from asrc_export.report.behaviour import ablation_runs
from asrc_export.report.behaviour.ablation_runs import AblationRuns
from asrc_export.report.behaviour.spike_differences import FirstDivergence, first_divergences, in_each_step, unlike
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.evaluate import evaluate

SAMPLES = 40


@pytest.fixture(scope="module")
def ablated(exported: Exported, trained: Checkpoint) -> AblationRuns:
    return ablate(exported, trained)


def ablate(exported: Exported, trained: Checkpoint) -> AblationRuns:
    dataset = dataset_for(exported.network)
    x, y = dataset.test_x[:SAMPLES], dataset.test_y[:SAMPLES]
    return ablation_runs.run(exported.network, trained, x, y, dataset.scale, engine.run)


@pytest.mark.slow
def test_the_outer_stages_are_the_runs_that_the_report_makes(
    ablated: AblationRuns, exported: Exported, trained: Checkpoint
) -> None:
    dataset = dataset_for(exported.network)
    x, y = dataset.test_x[:SAMPLES], dataset.test_y[:SAMPLES]
    stages = {stage.name: stage for stage in ablated.stages}
    assert list(stages) == ["float_mixture", "float", "quantized_weights", "quantized_state", "deployed"]
    mixture = evaluate(trained.network(), x, dataset.scale, temperature=trained.temperature)
    hard = evaluate(trained.network(), x, dataset.scale)
    deployed = engine.run(exported.network, x)
    assert stages["float_mixture"].accuracy == mixture.accuracy(y)
    assert stages["float"].accuracy == hard.accuracy(y)
    assert stages["deployed"].accuracy == (deployed.predictions == y).mean()
    assert stages["deployed"].agreement == (deployed.predictions == hard.predictions).mean()
    for layer, spikes, count in zip(ablated.activity, hard.spikes_per_layer, deployed.counts, strict=False):
        assert layer.float_spikes.sum() == spikes
        assert layer.deployed_spikes.sum() == count.spikes


def test_the_yardstick_agrees_with_itself_and_drift_adds_up_to_the_last_stage(ablated: AblationRuns) -> None:
    stages = {stage.name: stage for stage in ablated.stages}
    assert stages["float"].agreement == 1
    assert set(stages["float"].differing) == {0}
    np.testing.assert_allclose(ablated.drift.mean(axis=1), stages["deployed"].differing)
    diverging = {first.sample for first in ablated.first_divergences}
    assert len(diverging) == len(ablated.first_divergences) <= SAMPLES
    if diverging:
        earliest = min(first.step for first in ablated.first_divergences)
        assert not ablated.drift[:, :earliest].any()
        assert ablated.drift[:, earliest].any()


def test_chunks_change_nothing(
    ablated: AblationRuns, exported: Exported, trained: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation_runs, "CHUNK_CELLS", 7 * 64 * 21)
    again = ablate(exported, trained)
    assert again.stages == ablated.stages
    assert again.first_divergences == ablated.first_divergences
    assert np.array_equal(again.drift, ablated.drift)


@pytest.mark.slow
@pytest.mark.parametrize("integer_state", [False, True])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_compiled_or_in_numpy_the_stages_between_are_the_same_doubles(integer_state: bool, seed: int) -> None:
    if generated.unavailable() is not None:
        pytest.skip("no C compiler")
    network = any_network(seed, max_width=9, max_steps=14)
    assume(compiled.why_not(network) is None)
    low, high = network.input.minimum, network.input.maximum
    x = np.random.default_rng(seed).integers(low, high + 1, (3, network.steps, network.input.channels))
    logits, sent = compiled.Unrounded(network, integer_state=integer_state).run(x)
    expected, spikes = unrounded.run(network, x, integer_state=integer_state)
    assert np.array_equal(logits, expected)
    for mine, theirs in zip(sent, spikes, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("last", [0, 2, 254])
def test_sums_around_the_end_of_16_bits_are_the_same_doubles(last: int) -> None:
    """129 weights of 254, and one that makes 32,766, 32,768 or more of them, whose sources fire at every step."""
    if generated.unavailable() is not None:
        pytest.skip("no C compiler")
    parts = chain(random_network(0, channels=1, widths=[130, 140], spans=[1, 1], steps=3, activation_shift=0))
    always = replace(
        parts.layers[0],
        feedforward=np.zeros((130, 1), np.int64),
        recurrent=np.zeros((130, 130), np.int64),
        bias=np.full(130, 10),
        threshold=10,
    )
    signs = np.where(np.arange(140) % 2, -1, 1)[:, None]
    summed = replace(
        parts.layers[1],
        feedforward=signs * np.array([254] * 129 + [last]),
        recurrent=np.zeros((140, 140), np.int64),
        bias=np.zeros(140, np.int64),
        threshold=254 * 129 + last,
    )
    network = replace(parts, layers=(always, summed)).network()
    x = np.zeros((2, 3, 1), np.int64)
    logits, sent = compiled.Unrounded(network, integer_state=False).run(x)
    expected, spikes = unrounded.run(network, x, integer_state=False)
    assert np.array_equal(logits, expected)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(sent, spikes, strict=True))
    assert sent[1].mean() == 0.5  # of the neurons whose weights are positive, all fire at every step


def test_without_a_compiler_the_stages_between_run_in_numpy(
    exported: Exported, trained: Checkpoint, ablated: AblationRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise CannotBuild("there is none")

    monkeypatch.setattr(compiled, "Unrounded", none)
    assert ablate(exported, trained).stages == ablated.stages


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.sampled_from(["soft", "hard"]),
    st.sampled_from([0, 1, 2048, 4000, 4096]),
)
def test_without_negative_exponents_an_integer_state_is_the_deployed_network(
    seed: int, exponent: int, reset: str, decay: int
) -> None:
    network = random_network(
        seed, widths=[9, 7], spans=[1, 5], steps=20, exponents=(exponent, 0), reset=reset, decay=decay, threshold=None
    )
    low, high = network.input.minimum, network.input.maximum
    x = np.random.default_rng(seed).integers(low, high + 1, (4, network.steps, network.input.channels))
    result = engine.run(network, x, trace=True)
    logits, spikes = unrounded.run(network, x, integer_state=True)
    assert result.trace is not None
    assert np.array_equal(logits, result.logits)
    for mine, theirs in zip(spikes, result.trace.layers, strict=True):
        assert np.array_equal(mine, theirs.spikes)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_without_negative_exponents_an_integer_state_is_any_deployed_network(seed: int) -> None:
    network = any_network(seed)
    shifted_up = tuple(
        replace(layer, connections=tuple(replace(each, exponent=max(each.exponent, 0)) for each in layer.connections))
        for layer in network.layers
    )
    try:
        network = replace(network, layers=shifted_up)
    except InvalidNetwork:  # its sums have become too large
        assume(False)
    low, high = network.input.minimum, network.input.maximum
    x = np.random.default_rng(seed).integers(low, high + 1, (3, network.steps, network.input.channels))
    result = engine.run(network, x, trace=True)
    logits, sent = unrounded.run(network, x, integer_state=True)
    assert result.trace is not None
    assert np.array_equal(logits, result.logits)
    for mine, theirs in zip(sent, result.trace.layers, strict=True):
        assert np.array_equal(mine, theirs.spikes)


def test_negative_exponents_floor_nothing_before_the_last_stage() -> None:
    """A weight of 2 and an exponent of -2 are half a unit: two steps of it reach a threshold of 1, floors never do."""
    parts = chain(random_network(0, channels=1, widths=[1], spans=[1], steps=2, input_range=(0, 16)))
    layer = replace(
        parts.layers[0],
        feedforward=np.array([[2]]),
        feedforward_exponent=-2,
        recurrent=np.array([[0]]),
        bias=np.array([0]),
        decay=0,
        threshold=1,
        activation_shift=0,
    )
    network = replace(parts, layers=(layer,)).network()
    x = np.ones((1, 2, 1), np.int64)
    for integer_state, spikes in ((False, [0, 1]), (True, [0, 0])):  # an integer state forgets the half
        assert unrounded.run(network, x, integer_state=integer_state)[1][0].ravel().tolist() == spikes
    assert engine.run(network, x).spikes_per_layer == [0]


def test_a_real_membrane_reaches_a_threshold_that_an_integer_one_does_not() -> None:
    """Three quarters kept, 2 added: 2, 3.5, 4.6, 5.5, 6.1 as real numbers; 2, 3, 4, 5, 5 as integers."""
    network = random_network(0, channels=1, widths=[1], spans=[1], steps=5, input_range=(0, 16))
    parts = chain(network)
    layer = replace(
        parts.layers[0],
        feedforward=np.array([[2]]),
        recurrent=np.array([[0]]),
        bias=np.array([0]),
        decay=1024,
        threshold=6,
        activation_shift=0,
    )
    network = replace(parts, layers=(layer,)).network()
    x = np.ones((1, 5, 1), np.int64)
    real, whole = (unrounded.run(network, x, integer_state=kind)[1][0].ravel().tolist() for kind in (False, True))
    assert real == [0, 0, 0, 0, 1]
    assert whole == [0, 0, 0, 0, 0]
    assert engine.run(network, x).spikes_per_layer == [0]


def test_the_stages_between_use_every_tap() -> None:
    spans = ([(1, 5), (4, 2), (9, 1)], [(2, 1), (3, 1)])
    network = random_network(3, widths=[9, 7], spans=spans, steps=20, exponents=(2, 1))
    x = np.random.default_rng(3).integers(0, 256, (4, 20, 1))
    result = engine.run(network, x)
    logits, spikes = unrounded.run(network, x, integer_state=True)
    assert np.array_equal(logits, result.logits)
    assert [int(each.sum()) for each in spikes] == result.spikes_per_layer
    assert all(count.recurrent_operations for count in result.counts[:-1])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_a_single_flipped_spike_is_the_first_divergence(seed: int, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    spikes = [random.integers(0, 2, (6, 3, n), np.uint8) for n in (4, 5)]
    layer = data.draw(st.integers(0, 1))
    t, sample, neuron = (data.draw(st.integers(0, size - 1)) for size in spikes[layer].shape)
    flipped = [each.copy() for each in spikes]
    flipped[layer][t, sample, neuron] ^= 1
    cells = unlike(spikes, flipped)
    assert first_divergences(cells) == [FirstDivergence(sample, layer, t, neuron)]
    assert in_each_step(cells[layer]).tolist() == [int(step == t) for step in range(6)]
    assert first_divergences(unlike(spikes, spikes)) == []


def test_of_several_differences_the_earliest_step_counts_then_the_lower_layer() -> None:
    a = [np.zeros((4, 1, 3), np.uint8), np.zeros((4, 1, 3), np.uint8)]
    b = [each.copy() for each in a]
    b[0][3, 0, 0] = b[1][2, 0, 1] = b[1][2, 0, 2] = 1
    assert first_divergences(unlike(a, b)) == [FirstDivergence(0, 1, 2, 1)]
    b[0][2, 0, 2] = 1
    assert first_divergences(unlike(a, b)) == [FirstDivergence(0, 0, 2, 2)]
