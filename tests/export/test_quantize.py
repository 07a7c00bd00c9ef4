"""Quantization: representable integers only, errors bounded and logged, no accumulator that can overflow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from frozen_networks import frozen_network
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.chain import chain
from asrc_core.contract.rounding.grid import MantissaExponentGrid, WeightGrid
from asrc_core.errors import InvalidSetting, NonFiniteWeights, SpanTooLong
from asrc_export.chip import targets
from asrc_export.engines import numpy as engine
from asrc_export.exporting import Exported
from asrc_export.quantization import checks, scale_choice
from asrc_export.quantization.integers import feeds, layer_at
from asrc_export.quantization.quantize import quantize
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.evaluate import evaluate

LOIHI2 = targets.load("loihi2")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(2, 8),
    st.floats(0.01, 50),
    st.sampled_from(["loihi1", "loihi2"]),
    st.floats(0, 1),
    st.sampled_from(["soft", "hard"]),
)
def test_what_comes_out_is_valid_logged_and_cannot_overflow(
    seed: int, bits: int, spread: float, name: str, decay: float, reset: Any
) -> None:
    frozen = frozen_network(seed, spread=spread, decay_factor=decay, reset=reset)
    chip = targets.load(name)
    if bits not in chip.formats.weight_bits:
        bits = 8
    try:
        made = quantize(frozen, chip, bits=bits)
    except InvalidSetting as error:  # e.g. a membrane that never decays, or far too large weights
        assert "no scale lets" in str(error)
        assert decay > 0.9 or spread > 10
        return
    grid = WeightGrid(bits)
    for layer, ranges in zip(chain(made.network).layers, made.network.ranges, strict=False):
        # Nothing keeps a membrane without a leak from sinking: it has room for some steps.
        assert ranges.state.fits_state or layer.decay == 0
        assert chip.formats.threshold_grid.holds(layer.threshold)
        assert all(chip.formats.bias_grid.holds(int(bias)) for bias in layer.bias)
        assert grid.count_off(layer.feedforward) == grid.count_off(layer.recurrent) == 0
    assert made.network.ranges[-1].state.fits_state
    for line in made.rounding:
        assert line.effective == pytest.approx(line.value + line.error)
    x = np.random.default_rng(seed).integers(0, 17, (4, 20, 2))
    assert all(count.saturations == 0 for count in engine.run(made.network, x).counts)


@pytest.mark.parametrize("bits", [8, 6, 4])
def test_each_weight_is_within_half_a_step_of_the_float_one_or_cut_off_at_the_end_and_counted(bits: int) -> None:
    frozen = frozen_network(3)
    made = quantize(frozen, LOIHI2, bits=bits)
    for i, (layer, real) in enumerate(zip(chain(made.network).layers, frozen.layers, strict=True)):
        unit = 2.0**layer.activation_shift / layer.scale
        into = frozen.scale if i == 0 else 1.0
        half = 2.0 ** (9 - bits) / 2 * (1 + 1e-9)
        w_unit, u_unit = unit * 2.0**layer.feedforward_exponent, unit * 2.0**layer.recurrent_exponent
        grid = WeightGrid(bits)
        for name, integers, wanted in (
            ("feedforward weight", layer.feedforward, real.weight * into / w_unit),
            ("recurrent weight", layer.recurrent, real.recurrent / u_unit),
        ):
            assert np.abs(integers - np.clip(wanted, grid.low, grid.high)).max() <= half
            (line,) = (each for each in made.rounding if (each.layer, each.parameter) == (layer.name, name))
            assert line.cut_off == np.count_nonzero((wanted < grid.low - half) | (wanted > grid.high + half))
            assert line.moved == 0
            assert bits < 8 or line.cut_off == 0


def test_a_network_that_integers_hold_exactly_computes_exactly_what_the_float_one_does(trained: Checkpoint) -> None:
    """Weights on a grid of 1/64, thresholds 1: nothing rounds, so every spike of float and integers is equal."""
    tensors = {
        name: (tensor * 64).round().clamp(-127, 127) / 64 if "logits" not in name else tensor
        for name, tensor in trained.tensors.items()
    }
    # One weight of each matrix at the grid's end pins the scale to the grid's unit.
    for name in tensors:
        if name.endswith("weight"):
            tensors[name].view(-1)[0] = 127 / 64
    exact = replace(trained, tensors=tensors)
    network = quantize(freeze(exact), LOIHI2).network
    x = np.random.default_rng(0).integers(0, 17, (30, trained.steps, 1), dtype=np.uint8)
    model = exact.network().double()
    torch.set_default_dtype(torch.float64)
    try:
        spikes = evaluate(model, x, trained.scale).spikes_per_layer
    finally:
        torch.set_default_dtype(torch.float32)
    assert engine.run(network, x).spikes_per_layer == spikes


def test_deployed_and_float_mostly_agree(trained: Checkpoint, exported: Exported) -> None:
    from asrc_train import data

    dataset = data.load("digits")
    assert trained.permutation is not None
    x = dataset.test_x[:, trained.permutation]
    float_model = evaluate(trained.network(), x, dataset.scale)
    result = engine.run(exported.network, x)
    for mine, theirs in zip(result.spikes_per_layer, float_model.spikes_per_layer, strict=True):
        assert mine == pytest.approx(theirs, rel=0.1)


def test_the_same_checkpoint_gives_the_same_bytes(trained: Checkpoint) -> None:
    from asrc_core.contract.file import network_file

    first, again = (quantize(freeze(trained), LOIHI2).network for _ in range(2))
    assert network_file.to_bytes(first) == network_file.to_bytes(again)


def test_a_span_beyond_the_mapping_is_refused_by_name() -> None:
    with pytest.raises(SpanTooLong, match=r"layer 'layer0' has span 33.*delay-line.*at most 32.*synaptic-delay"):
        quantize(frozen_network(0, span=33), LOIHI2)
    made = quantize(frozen_network(0, span=33), LOIHI2, mapping="synaptic-delay").network
    assert made.layers[0].connections[1].longest_lag == 33
    with pytest.raises(SpanTooLong, match=r"span 64.*at most 63.*`kernel_length=63`"):
        quantize(frozen_network(0, span=64), LOIHI2, mapping="synaptic-delay")


def test_a_weight_that_is_no_number_is_refused_by_name() -> None:
    frozen = frozen_network(0)
    frozen.layers[1].recurrent[2, 2] = np.nan
    with pytest.raises(NonFiniteWeights, match=r"'layer1\.recurrent' holds 1 NaN"):
        quantize(frozen, LOIHI2)


@pytest.mark.parametrize("bits", [1, 9, -3])
def test_bits_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(InvalidSetting, match=f"`bits`: {bits} is outside 2 to 8"):
        quantize(frozen_network(0), LOIHI2, bits=bits)


def test_a_layer_without_recurrent_or_any_weights_still_exports() -> None:
    silent = frozen_network(0, recurrent=np.zeros((7, 7)))
    silent = replace(silent, layers=silent.layers[:1], readout_weight=np.zeros((4, 7)))
    made = chain(quantize(silent, LOIHI2).network)
    assert not made.layers[0].recurrent.any()
    assert not made.readout.weight.any()


@given(st.integers(2, 8), st.floats(-256, 255))
def test_the_weight_grid_rounds_to_the_nearest_even_step(bits: int, value: float) -> None:
    grid = WeightGrid(bits)
    if value > grid.high:
        value = float(grid.high)
    (nearest,) = grid.nearest(np.array([value]))
    assert grid.count_off(np.array([nearest])) == 0
    assert abs(nearest - value) <= grid.step / 2


@given(st.integers(-(4095 << 7), 4095 << 7))
def test_the_bias_grid_rounds_within_half_of_its_own_step(value: int) -> None:
    grid = MantissaExponentGrid(13, True, 0, 7)
    (nearest,) = grid.nearest(np.array([float(value)]))
    assert grid.holds(int(nearest))
    step = 1 if abs(value) <= 4095 else 2 ** np.ceil(np.log2(abs(value) / 4095.5))
    assert abs(nearest - value) <= step / 2


def test_every_scale_tried_is_judged_by_the_same_error() -> None:
    """The chosen scale has the least expected error among the feasible ones."""
    frozen = frozen_network(7)
    layer, formats, grid = frozen.layers[0], LOIHI2.formats, WeightGrid(8)
    chosen = quantize(frozen, LOIHI2).network.layers[0]
    into = feeds(frozen, 0)
    best = scale_choice.expected_error(layer, chosen, into)
    for scale in scale_choice.scales_to_try(layer, into, grid, formats):
        at = scale_choice.at_scale(layer, into, scale, grid, formats)
        made = None if at is None else layer_at(layer, into, at, grid, formats)
        if made is not None and checks.cannot_overflow(made, into, formats):
            assert scale_choice.expected_error(layer, made, into) >= best
