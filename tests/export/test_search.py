"""Quantization that searches: fewer differing spikes, the same guarantees, every liberty logged, bad input named."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from frozen_networks import frozen_network
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.chain import chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_export.chip import targets
from asrc_export.chip.cost import storage
from asrc_export.commands import export as cli_export
from asrc_export.engines import numpy as engine
from asrc_export.quantization import quantize, scale_choice, scales
from asrc_export.quantization.search import bit_budget, compensation, layer_search, search
from asrc_export.quantization.search.activity import LEAST_SAMPLES, observe
from asrc_export.quantization.search.bit_budget import Option
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork
from asrc_train.training.evaluate import evaluate

LOIHI1, LOIHI2 = targets.load("loihi1"), targets.load("loihi2")


pytestmark = pytest.mark.usefixtures("one_thread")


def samples(seed: int, count: int = 12) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(0, 17, (count, 20, 2))


def bits_of(network: IntegerNetwork) -> list[int]:
    return [layer.connections[0].weight_bits for layer in network.layers]


def deployed(frozen: FrozenNetwork, bits: int | tuple[int, ...], seed: int = 0) -> quantize.Quantized:
    found = search.search(frozen, LOIHI2, bits, observe(frozen, samples(seed)))
    return quantize.quantize(frozen, LOIHI2, bits=bits, plan=found.plan)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    bits=st.one_of(st.integers(2, 8), st.tuples(st.integers(2, 8), st.integers(2, 8), st.integers(2, 8))),
    name=st.sampled_from(["loihi1", "loihi2"]),
    decay=st.sampled_from([0.0, 0.5, 0.83]),
    reset=st.sampled_from(["soft", "hard"]),
    spread=st.floats(0.05, 5),
)
def test_what_a_search_finds_is_on_the_grids_cannot_saturate_and_differs_no_more_than_the_choice_without_samples(
    seed: int, bits: int | tuple[int, ...], name: str, decay: float, reset: Any, spread: float
) -> None:
    chip, frozen = targets.load(name), frozen_network(seed, decay_factor=decay, reset=reset, spread=spread)
    if name == "loihi1":
        bits = 8
    activity = observe(frozen, samples(seed))
    found = search.search(frozen, chip, bits, activity)
    made = quantize.quantize(frozen, chip, bits=bits, plan=found.plan).network
    assert [part.bits for part in found.measured] == ([bits] * 3 if isinstance(bits, int) else list(bits))
    for layer, ranges in zip(chain(made).layers, made.ranges, strict=False):
        assert ranges.state.fits_state
        grid = WeightGrid(layer.weight_bits)
        assert grid.count_off(layer.feedforward) == grid.count_off(layer.recurrent) == 0
        assert chip.formats.threshold_grid.holds(layer.threshold)
        assert all(chip.formats.bias_grid.holds(int(bias)) for bias in layer.bias)
    assert made.ranges[-1].state.fits_state
    assert all(count.saturations == 0 for count in engine.run(made, samples(seed)).counts)
    assert all(part.error <= part.data_free for part in found.measured)
    for layer, part, seen in zip(made.hidden, found.measured, activity.layers, strict=False):
        assert layer_search.forced(layer, seen) / seen.spikes.size == part.error


@pytest.mark.parametrize("bits", [8, 4, 3])
def test_the_search_gains_on_samples_that_it_did_not_see(bits: int) -> None:
    """Not on each network, but on several together."""
    without, with_search = 0, 0
    for seed in range(3):
        frozen = frozen_network(seed)
        unseen = observe(frozen, samples(seed + 100, 40))
        plain, found = (made.network for made in (quantize.quantize(frozen, LOIHI2, bits=bits), deployed(frozen, bits)))
        for before, after, seen in zip(plain.hidden, found.hidden, unseen.layers, strict=True):
            without += layer_search.forced(before, seen)
            with_search += layer_search.forced(after, seen)
    assert with_search < without


def test_the_same_samples_give_the_same_bytes() -> None:
    first, again = (network_file.to_bytes(deployed(frozen_network(3), 4).network) for _ in range(2))
    assert first == again


def test_weights_that_are_cut_off_or_moved_are_counted_in_the_log_with_the_worst_error() -> None:
    frozen, grid = frozen_network(1), WeightGrid(3)
    made = deployed(frozen, 3)
    lines = {(line.layer, line.parameter): line for line in made.rounding}
    for layer, real in zip(chain(made.network).layers, frozen.layers, strict=True):
        line = lines[layer.name, "recurrent weight"]
        unit = 2.0 ** (layer.activation_shift + layer.recurrent_exponent) / layer.scale
        wanted, half = real.recurrent / unit, grid.step / 2 * (1 + 1e-9)
        assert abs(line.error) == pytest.approx(np.abs(layer.recurrent * unit - real.recurrent).max())
        assert line.cut_off == ((wanted < grid.low - half) | (wanted > grid.high + half)).sum()
        assert line.moved == (np.abs(layer.recurrent - np.clip(wanted, grid.low, grid.high)) > half).sum()
    assert sum(line.cut_off for line in made.rounding) > 0
    assert sum(line.moved for line in made.rounding) > 0
    kept = [(each["cut_off"], each["moved"], each["error"]) for each in made.network.provenance["rounding"]]
    assert kept == [(line.cut_off, line.moved, line.error) for line in made.rounding]


def test_what_is_observed_is_the_float_network(trained: Checkpoint) -> None:
    from asrc_export.samples.dataset_samples import calibration_for

    frozen = freeze(trained)
    x = calibration_for(frozen, "digits").train_x[:16]
    activity = observe(frozen, x)
    torch.set_default_dtype(torch.float64)
    try:
        expected = evaluate(trained.network().double(), x, trained.scale)
    finally:
        torch.set_default_dtype(torch.float32)
    assert [int(layer.spikes.sum()) for layer in activity.layers] == expected.spikes_per_layer
    assert np.allclose(activity.logits, expected.logits)


def test_a_layer_that_integers_hold_exactly_differs_nowhere() -> None:
    frozen = frozen_network(1)
    for layer in frozen.layers:
        for tensor in (layer.weight, layer.recurrent, layer.bias):
            tensor[...] = np.rint(tensor * 32) / 32
        layer.weight[0, 0] = layer.recurrent[0, 0] = 127 / 32  # pins the scale to the grid's unit
    found = search.search(frozen, LOIHI2, 8, observe(frozen, samples(2)))
    assert [part.error for part in found.measured[:-1]] == [0, 0]


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_the_moments_say_what_an_error_of_the_weights_does_to_the_membrane(seed: int) -> None:
    """Mean square of the membrane's error, teacher-forced, once the bias has taken up what it can."""
    frozen = frozen_network(seed)
    layer, seen = frozen.layers[1], observe(frozen, samples(seed)).layers[1]
    moments, with_bias, bias_power = layer_search.filtered_moments(layer, seen)
    off = np.random.default_rng(seed).normal(size=(5, 12))
    bias = -off @ with_bias / bias_power
    error, total = np.zeros((12, 5)), 0.0
    for fed, recalled in zip(seen.fed, seen.recalled, strict=True):
        error = layer.decay * error + np.concatenate([fed, recalled], axis=1) @ off.T + bias
        total += np.square(error).sum()
    assert total / (20 * 12) == pytest.approx(np.einsum("nd,de,ne->", off, moments, off))


@given(seed=st.integers(0, 2**31), levels=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_compensated_rounding_stays_between_the_ends_and_beats_rounding_one_by_one(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    weights, units = rng.normal(size=(3, 4)), np.full(4, 0.7)
    inputs = rng.normal(size=(30, 4)) + rng.normal(size=(30, 1))
    moments, low, high = inputs.T @ inputs, np.full(4, -levels), np.full(4, levels - 1)
    plain = compensation.nearest(weights, units, low, high)
    made = compensation.compensated(weights, units, low, high, moments)
    assert (made >= low).all()
    assert (made <= high).all()
    assert np.array_equal(made, np.rint(made))
    error = compensation.error(weights, made * units, moments)
    assert error <= compensation.error(weights, plain * units, moments) + 1e-9
    for d, step in product(range(4), (-1, 1)):  # and no single step of any weight would lessen it
        other = made.copy()
        other[:, d] = np.clip(other[:, d] + step, low[d], high[d])
        for row in range(3):
            own = slice(row, row + 1)
            assert compensation.error(weights[own], made[own] * units, moments) <= (
                compensation.error(weights[own], other[own] * units, moments) + 1e-9
            )


def test_without_correlations_compensated_rounding_is_plain_rounding() -> None:
    weights = np.random.default_rng(0).normal(size=(6, 5))
    ends = np.full(5, -8), np.full(5, 7)
    made = compensation.compensated(weights, np.full(5, 0.3), *ends, np.diag([1.0, 2.0, 0.0, 0.5, 3.0]))
    assert np.array_equal(made, compensation.nearest(weights, np.full(5, 0.3), *ends))


def test_compensated_rounding_leaves_absent_weights_absent() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(20, 8)) * (rng.random((20, 8)) < 0.6)
    inputs = rng.normal(size=(30, 8)) + 3 * rng.normal(size=(30, 1))
    made = compensation.compensated(weights, np.full(8, 0.3), np.full(8, -9), np.full(8, 9), inputs.T @ inputs)
    assert not made[weights == 0].any()
    assert not np.array_equal(made, compensation.nearest(weights, np.full(8, 0.3), np.full(8, -9), np.full(8, 9)))


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (np.zeros((12, 20, 3), np.int64), "3 channels and the network takes 2.*trained on"),
        (np.zeros((LEAST_SAMPLES - 1, 20, 2), np.int64), f"too few.*at least {LEAST_SAMPLES}.*without calibration"),
        (np.zeros((12, 20, 2)), "float64.*give integers"),
        (np.zeros((12, 40), np.int64), "shape"),
        (np.zeros((12, 0, 2), np.int64), "shape"),
        (np.full((12, 20, 2), 17), "span 17 to 17.*0 to 16"),
        (np.full((12, 20, 2), -1), "span -1 to -1"),
    ],
)
def test_calibration_data_that_do_not_fit_are_named_with_a_way_out(x: np.ndarray[Any, Any], why: str) -> None:
    with pytest.raises(InvalidData, match=f"calibration data.*{why}"):
        observe(frozen_network(0), x)


@pytest.mark.parametrize("bits", [1, 9, (8, 8), (8, 8, 8, 8), (8, 1, 8)])
def test_widths_that_do_not_fit_are_refused(bits: int | tuple[int, ...]) -> None:
    frozen = frozen_network(0)
    activity = observe(frozen, samples(0))
    for refusing in (
        lambda: search.search(frozen, LOIHI2, bits, activity),
        lambda: quantize.quantize(frozen, LOIHI2, bits=bits),
    ):
        with pytest.raises(InvalidSetting, match="`bits`"):
            refusing()


def test_a_network_may_have_other_bits_in_each_layer_and_carries_them() -> None:
    frozen = frozen_network(0)
    made = deployed(frozen, (3, 8, 5))
    assert bits_of(made.network) == [3, 8, 5]
    chosen = scale_choice.choose(frozen, LOIHI2, (3, 8, 5), to_train=True)
    carried = replace(frozen, provenance=chosen.carried())
    assert scales.kept(carried) == chosen
    assert scale_choice.trained_at(carried, LOIHI2, (3, 8, 5)) == chosen
    assert scale_choice.trained_at(carried, LOIHI2, 8) is None
    broken = replace(frozen, provenance={scales.PROVENANCE_KEY: {**chosen.model_dump(mode="json"), "bits": [3, 8]}})
    with pytest.raises(InvalidSetting, match="2 widths for 2 layers and the readout"):
        quantize.quantize(broken, LOIHI2, bits=8)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("40KB", 320_000), ("40 KiB", 327_680), ("1.5KB", 12_000), ("320000bits", 320_000), ("7B", 56), ("1MiB", 2**23)],
)
def test_a_budget_is_a_number_and_a_unit(text: str, bits: int) -> None:
    assert bit_budget.parse(text) == bits


@pytest.mark.parametrize("text", ["", "40", "KB", "40kb", "-1KB", "0KB", "1e9KB", "40KB2", "nan KB", "9" * 30 + "KB",
                                  "999999999999999MiB", "4 0KB", "\u0664KB"])  # fmt: skip
def test_a_budget_that_is_none_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"`budget`: '.*' is (no size; .*40KB|not between)"):
        bit_budget.parse(text)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 9), st.integers(0, 20)), min_size=1, max_size=4), min_size=1, max_size=4
    ),
    st.integers(0, 40),
)
def test_the_allocation_is_the_best_of_all(parts: list[list[tuple[int, int]]], budget: int) -> None:
    options = [[Option(8, size, float(loss)) for size, loss in part] for part in parts]
    fitting = [each for each in product(*options) if sum(option.storage for option in each) <= budget]
    if not fitting:
        with pytest.raises(InvalidSetting, match=r"are the least"):
            bit_budget.allocate(options, budget)
        return
    best = min((sum(o.loss for o in each), -sum(o.storage for o in each)) for each in fitting)
    found = bit_budget.allocate(options, budget)
    assert (sum(o.loss for o in found), -sum(o.storage for o in found)) == best


@pytest.mark.slow
def test_bits_under_a_budget_meet_it_and_more_budget_loses_no_more() -> None:
    frozen, chip = frozen_network(2), replace_widths((2, 5, 8))
    weights = 7 * 9 + 5 * 12 + 4 * 5
    losses = []
    for each in (2, 5, 8):
        found = bit_budget.choose(frozen, chip, each * weights, samples(0))
        made = deployed(frozen, found.bits).network
        stored = sum(part.weights for part in storage.deployed(made, LOIHI2))
        assert stored == found.storage <= each * weights
        losses.append(sum(option.loss for option in found.chosen))
    assert losses == sorted(losses, reverse=True)
    assert found.bits == (8, 8, 8)
    assert bit_budget.choose(frozen, chip, 8 * weights, samples(0)) == found


def test_a_budget_that_nothing_meets_names_the_least_that_can_be() -> None:
    weights = 7 * 9 + 5 * 12 + 4 * 5
    with pytest.raises(
        InvalidSetting, match=rf"`budget`: .* too few: .*at least.*\({2 * weights} bits\); give that much"
    ):
        bit_budget.choose(frozen_network(0), LOIHI2, 2 * weights - 1, samples(0))
    with pytest.raises(InvalidSetting, match=rf"\({8 * weights:,} bits\)"):
        bit_budget.choose(frozen_network(0), replace_widths((8,)), 100, samples(0))


def test_a_budget_counts_weights_as_the_target_stores_them() -> None:
    frozen = frozen_network(0)
    first, second = frozen.layers
    forward, back = first.connections  # one weight a row: loihi1 stores these alone, each with its neuron's index
    frozen = replace(frozen, layers=(replace(first, connections=(forward, replace(back, weight=np.eye(7)))), second))
    chip = LOIHI1.model_copy(update={"formats": LOIHI1.formats.model_copy(update={"weight_bits": (8,)})})
    there = 8 * (7 * 2 + 7 + 5 * 7 + 5 * 5 + 4 * 5)
    found = bit_budget.choose(frozen, chip, there, samples(0))
    stored = storage.deployed(quantize.quantize(frozen, chip, bits=8).network, chip)
    assert sum(part.weights for part in stored) == found.storage == there


def replace_widths(allowed: tuple[int, ...]) -> targets.Target:
    return LOIHI2.model_copy(update={"formats": LOIHI2.formats.model_copy(update={"weight_bits": allowed})})


@pytest.mark.slow
def test_the_command_chooses_bits_fine_tunes_at_them_and_asserts(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "n.safetensors"
    asked = [str(checkpoint_path), "--bits", "auto", "--budget", "280B", "-o", str(out)]
    assert cli_export.main(asked) == 0
    printed = capsys.readouterr().out
    assert "of 0.280 KB" in printed
    assert "spikes that differ" in printed
    chosen = network_file.load(out)
    widths = bits_of(chosen)
    assert sum(part.weights for part in storage.deployed(chosen, LOIHI2)) <= 280 * 8
    assert chosen.provenance["calibration"]["data"] == "digits"
    assert cli_export.main([*asked, "--finetune", "1"]) == 0
    assert "asserted on all 360 test samples" in capsys.readouterr().out
    tuned = network_file.load(out)
    assert bits_of(tuned) == widths


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        (["--bits", "auto"], 2, "--budget: goes with --bits auto"),
        (["--budget", "40KB"], 2, "--budget: goes with --bits auto"),
        (["--bits", "some"], 2, "--bits"),
        (["--bits", "auto", "--budget", "many"], 1, "is no size"),
        (["--bits", "auto", "--budget", "5B"], 1, "too few"),
        (["--bits", "9"], 1, "--bits: 9 is outside 2 to 8"),
        (["--calibrate", "mnist5k"], 1, "its samples are 784 steps"),
    ],
)
def test_what_does_not_go_together_is_told_in_a_sentence(
    more: list[str], status: int, told: str, checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        returned = cli_export.main([str(checkpoint_path), *more, "-o", str(tmp_path / "n.safetensors")])
    except SystemExit as usage:
        returned = int(str(usage.code))
    assert returned == status
    printed = capsys.readouterr().err
    assert told in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "n.safetensors").exists()
