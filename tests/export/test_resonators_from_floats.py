"""State-space neurons that train, frozen and rounded: the same spikes but for a few, on every engine."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from backends import BACKENDS, equal_on

from asrc_core.contract import interpreter
from asrc_core.contract.interpreter import Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import STATE_MAX
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.rounding.resonators import poles
from asrc_core.contract.synapses.connection import Tap
from asrc_core.errors import InvalidSetting, RulesBroken
from asrc_export import exporting, float_network, real_network
from asrc_export.chip import targets
from asrc_export.chip.shape.recipe import of_recipe
from asrc_export.engines import native
from asrc_export.interop.netx import writer as netx
from asrc_export.quantization import quantize
from asrc_export.quantization.resonators import with_bits, with_mode_bits, with_pole_bits
from asrc_export.quantization.search import search
from asrc_export.quantization.search.activity import observe
from asrc_export.quantization.training.learning_network import LearningNetwork
from asrc_export.report.cost import storage
from asrc_train import data
from asrc_train.network.float_network import new_network
from asrc_train.settings.config import Config, validated
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import FrozenNetwork, freeze

STEPS, CHANNELS, WIDTH = 40, 2, 12
SORTS: dict[str, dict[str, Any]] = {
    "prf": {},
    "frssm": {"modes": 2, "period": 3},
    "pssm": {"modes": 3, "window": 4, "period": 1},
}
pytestmark = pytest.mark.usefixtures("one_thread")


def configured(sort: str) -> Config:
    network = {"neuron": sort, "connection": "none", "hidden": [WIDTH, WIDTH], "batch_norm": True, **SORTS[sort]}
    return validated({"data": {"name": "digits"}, "network": network, "training": {"epochs": 1}}, "test")


@cache
def trained(sort: str) -> Checkpoint:
    """Fresh weights, which batch normalisation has seen samples of, and a window that is not its start."""
    config = configured(sort)
    torch.manual_seed(len(sort))
    network = new_network(CHANNELS, 3, config.network, STEPS)
    network.train()
    for _ in range(60):
        network(torch.rand(STEPS, 32, CHANNELS))
    for layer in network.layers:
        if layer.neuron.window is not None:
            with torch.no_grad():
                layer.neuron.window += 0.3 * torch.randn_like(layer.neuron.window)
    network.eval()
    return Checkpoint(
        config=config,
        channels=CHANNELS,
        classes=3,
        steps=STEPS,
        scale=1 / 15,
        maximum=15,
        spans=(0, 0),
        temperature=1.0,
        tensors=network.state_dict(),
        permutation=None,
        history=[],
        scores={},
        provenance={},
    )


def frozen(sort: str) -> FrozenNetwork:
    return freeze(trained(sort))


def samples(count: int = 40) -> Any:
    return np.random.default_rng(1).integers(0, 16, (count, STEPS, CHANNELS))


@cache
def deployed(sort: str, bits: int = 8) -> IntegerNetwork:
    return quantize.quantize(frozen(sort), targets.load("loihi2"), bits=bits).network


@pytest.mark.parametrize("sort", SORTS)
def test_integers_fire_almost_as_the_floats_do_and_never_saturate(sort: str) -> None:
    x, network = samples(), deployed(sort)
    result = interpreter.run(network, x, trace=True)
    assert result.trace is not None
    assert not any(ranges.may_saturate for ranges in network.ranges)
    assert not any(count.saturations for count in result.counts)
    for i, (mine, theirs) in enumerate(zip(result.trace.layers, float_network.spikes(frozen(sort), x), strict=True)):
        assert 0.01 < theirs.mean() < 0.9
        assert (mine.spikes != theirs).mean() < (0.01, 0.05)[i]
        period = SORTS[sort].get("period", 0)
        for back in range(1, period + 1):
            assert not (mine.spikes[back:] & mine.spikes[:-back]).any()


@pytest.mark.parametrize("sort", SORTS)
def test_the_float_network_is_the_kinds_own_step_on_real_numbers(sort: str) -> None:
    network, x = frozen(sort), samples(8)
    session = Session(real_network.of(network), len(x), RealArithmetic())
    steps = [[each.sent for each in session.step(now * network.scale)[:-1]] for now in x.transpose(1, 0, 2)]
    for mine, theirs in zip(zip(*steps, strict=True), float_network.spikes(network, x), strict=True):
        assert (np.stack(mine) != theirs).mean() < 2e-3  # a float32 sum here or there beside a threshold


@pytest.mark.parametrize("sort", SORTS)
def test_every_backend_computes_its_integers(sort: str) -> None:
    equal_on(BACKENDS, [deployed(sort)])
    assert native.why_not(deployed(sort)) is not None


def test_more_bits_of_weights_and_poles_come_nearer() -> None:
    x = samples()
    expected = next(float_network.spikes(frozen("pssm"), x))

    def differing(network: IntegerNetwork) -> float:
        trace = interpreter.run(network, x, trace=True).trace
        assert trace is not None
        return float((trace.layers[0].spikes != expected).mean())

    assert differing(deployed("pssm", 3)) > differing(deployed("pssm"))
    exact = quantize.quantize(with_pole_bits(frozen("pssm"), 20), targets.load("loihi2")).network
    pole = frozen("pssm").layers[0].constants["pole"]
    for network, bits in ((deployed("pssm"), 15), (exact, 19)):
        p = network.layers[0].neuron.parameters
        assert p["pole_shift"] == bits
        assert np.abs(p["pole_real"] + 1j * p["pole_imaginary"] - pole * 2**bits).max() <= 1


@pytest.mark.parametrize("sort", SORTS)
def test_a_search_on_samples_changes_fewer_spikes(sort: str) -> None:
    found = search.search(frozen(sort), targets.load("loihi2"), 4, observe(frozen(sort), samples()))
    first, second, _ = found.measured
    assert first.error <= first.data_free
    assert second.error < second.data_free
    searched = quantize.quantize(frozen(sort), targets.load("loihi2"), bits=4, plan=found.plan).network
    assert not any(ranges.may_saturate for ranges in searched.ranges)
    x = samples(30)[::-1]
    expected = list(float_network.spikes(frozen(sort), x))[1]

    def differing(network: IntegerNetwork) -> int:
        trace = interpreter.run(network, x, trace=True).trace
        assert trace is not None
        return int((trace.layers[1].spikes != expected).sum())

    assert differing(searched) < differing(deployed(sort, 4))


def test_each_layer_gets_the_fewest_bits_that_change_hardly_more_spikes() -> None:
    found = exporting.export(trained("pssm"), "loihi2", samples=samples(), pole_bits="auto", mode_bits="auto").network
    most = exporting.export(trained("pssm"), "loihi2", samples=samples(), pole_bits=20).network
    x, expected = samples(), list(float_network.spikes(frozen("pssm"), samples()))
    for layer in found.layers[:-1]:
        assert 11 <= layer.neuron.parameters["pole_shift"] < 19
        assert np.abs(layer.neuron.parameters["readout_real"]).max() <= 127

    def differing(network: IntegerNetwork) -> int:
        trace = interpreter.run(network, x, trace=True).trace
        assert trace is not None
        return int((trace.layers[0].spikes != expected[0]).sum())

    assert differing(found) <= 1.1**2 * differing(most)
    chip = targets.load("loihi2")
    assert storage.of(found, chip).layers[0].deployed.biases < storage.of(most, chip).layers[0].deployed.biases


def test_fewer_bits_of_the_modes_read_out_are_fewer() -> None:
    few = quantize.quantize(with_mode_bits(frozen("pssm"), 4), targets.load("loihi2")).network
    read = [few.layers[0].neuron.parameters[f"readout_{part}"] for part in ("real", "imaginary")]
    assert np.abs(read).max() == 7
    equal_on(["generated"], [few])


def test_bits_are_found_on_samples_only() -> None:
    with pytest.raises(InvalidSetting, match="'auto' is found on samples"):
        exporting.export(trained("prf").network(), "loihi2", pole_bits="auto", scale=1 / 15, maximum=15, steps=STEPS)
    plain = replace(frozen("prf"), layers=())
    with pytest.raises(InvalidSetting, match="no layer of the network has poles"):
        with_bits(plain, "auto", None)


def test_a_neuron_with_small_weights_is_rounded_as_finely_as_one_with_large_ones() -> None:
    network, x = frozen("prf"), samples()
    first = network.layers[0]
    apart = np.geomspace(1, 1e-2, WIDTH)
    constants = {**first.constants, "readout": first.constants["readout"] / apart[:, None]}
    small = replace(first, constants=constants).moved(weight=first.weight * apart[:, None], bias=first.bias * apart)
    changed = replace(network, layers=(small, *network.layers[1:]))
    traces = [
        interpreter.run(quantize.quantize(each, targets.load("loihi2")).network, x, trace=True).trace
        for each in (network, changed)
    ]
    assert traces[0] is not None
    assert traces[1] is not None
    assert np.array_equal(traces[0].layers[0].spikes, traces[1].layers[0].spikes)


def with_poles(pole: Any, bits: int = 16) -> FrozenNetwork:
    network = frozen("prf")
    first = network.layers[0]
    own = replace(first, constants={**first.constants, "pole": pole[:, None]})
    return with_pole_bits(replace(network, layers=(own, *network.layers[1:])), bits)


def test_slow_neurons_take_a_coarser_input_without_which_nothing_is_proven() -> None:
    network = quantize.quantize(with_poles(1 - np.geomspace(0.3, 1e-3, WIDTH)), targets.load("loihi2")).network
    layer = network.layers[0]
    f = layer.neuron.parameters["input_shift"]
    assert f[-1] > f[0]
    finer = {**layer.neuron.parameters, "input_shift": 0}
    layers = (replace(layer, neuron=replace(layer.neuron, parameters=finer)), *network.layers[1:])
    assert replace(network, layers=layers).ranges[0].may_saturate


def test_poles_stay_inside_the_unit_circle_when_they_are_rounded() -> None:
    edge = np.exp(1j * np.linspace(0, 3, 1000))
    for n in (11, 15, 19):
        c, d = poles(edge[:, None] * (1 - 1e-9), n)
        assert (c**2 + d**2 < 1 << 2 * n).all()
        assert np.abs(c + 1j * d - edge[:, None] * 2**n).max() < 1.5


def test_a_pole_too_slow_to_be_proven_is_refused_by_layer_and_neuron() -> None:
    slow = np.full(WIDTH, 0.5 + 0j)
    slow[7] = 1 - 2.0**-19
    with pytest.raises(InvalidSetting, match=r"layer 'layer0'.*neuron 7 would need an input shift of more"):
        quantize.quantize(with_poles(slow, 20), targets.load("loihi2"))


def test_a_state_that_no_scale_can_hold_is_refused_by_layer_and_neuron() -> None:
    network = frozen("prf")
    first = network.layers[0]
    weight = first.weight.copy()
    weight[5] *= 1e6
    heavy = replace(first, constants={**first.constants, "threshold": 1e-9})
    for changed in (heavy, first.moved(weight=weight, bias=first.bias * 1e9)):
        with pytest.raises(InvalidSetting, match="layer 'layer0'"):
            quantize.quantize(replace(network, layers=(changed, *network.layers[1:])), targets.load("loihi2"))


def test_loihi1_has_no_multipliers_for_them() -> None:
    with pytest.raises(RulesBroken, match=r"layer0.*kind 'resonator', whose states turn.*no multiplier"):
        quantize.quantize(frozen("prf"), targets.load("loihi1"))


def test_its_state_stands_in_the_storage_report_as_inferred() -> None:
    chip = targets.load("loihi2")
    found = storage.of(deployed("frssm"), chip)
    assert found.layers[0].deployed.state == WIDTH * (48 * 2 + 32)
    assert found.programmed_state is not None
    assert "128 bits of state" in found.programmed_state
    assert "inferred" in found.programmed_state


def test_a_delay_line_of_neurons_that_rest_is_the_word_they_keep_anyway() -> None:
    hidden, last = deployed("frssm"), deployed("frssm").layers[-1]
    late = replace(last, connections=(replace(last.connections[0], taps=(Tap(2, 1),)),))
    found = storage.of(replace(hidden, layers=(*hidden.layers[:-1], late)), targets.load("loihi2"))
    assert found.layers[1].deployed.state == WIDTH * (48 * 2 + 32)
    assert [each.deployed.history for each in found.layers] == [0, 0, 0]


def test_a_delay_line_of_neurons_that_keep_no_word_is_counted() -> None:
    hidden, last = deployed("prf"), deployed("prf").layers[-1]
    late = replace(last, connections=(replace(last.connections[0], taps=(Tap(2, 1),)),))
    found = storage.of(replace(hidden, layers=(*hidden.layers[:-1], late)), targets.load("loihi2"))
    assert [each.deployed.history for each in found.layers] == [0, WIDTH * 32, 0]


def test_a_neuron_whose_threshold_nothing_reaches_has_one_all_the_same() -> None:
    network = frozen("prf")
    first = network.layers[0]
    faint = first.constants["readout"].copy()
    faint[3] *= 1e-6
    changed = replace(first, constants={**first.constants, "readout": faint})
    made = quantize.quantize(replace(network, layers=(changed, *network.layers[1:])), targets.load("loihi2")).network
    result = interpreter.run(made, samples(8), trace=True)
    assert result.trace is not None
    assert not result.trace.layers[0].spikes[..., 3].any()


@pytest.mark.parametrize("sort", SORTS)
def test_a_recipe_knows_the_state_before_training(sort: str) -> None:
    shape = of_recipe(configured(sort), data.shape("digits"), 8, "delay-line")
    assert sum(shape.layers[0].state_bits) == sum(
        32 if width == "word" else int(width) for width in deployed(sort).layers[0].neuron.states.values()
    )


def test_formats_without_such_a_neuron_refuse_it_by_name() -> None:
    assert any("resonator" in each for each in netx.obstacles(deployed("prf")))


def test_pole_bits_are_checked() -> None:
    for bits in (11, 21):
        with pytest.raises(InvalidSetting, match=r"pole_bits.*is outside 12 to 20"):
            with_pole_bits(frozen("prf"), bits)
    with pytest.raises(InvalidSetting, match=r"mode_bits.*2 is outside 3 to 8"):
        with_mode_bits(frozen("prf"), 2)


def test_gradients_reach_the_weights_through_the_integers() -> None:
    network = LearningNetwork(deployed("pssm"))
    y, _ = network.accumulated(torch.from_numpy(samples(4).astype(np.float64)).transpose(0, 1))
    y.square().sum().backward()  # type: ignore[no-untyped-call]
    assert any(each.grad is not None and bool(each.grad.abs().sum() > 0) for each in network.parameters())


@pytest.mark.parametrize("sort", ["pssm"])
def test_export_writes_a_network_whose_poles_stand_in_the_rounding_log(sort: str, tmp_path: Path) -> None:
    out = tmp_path / "made.safetensors"
    made = exporting.export(trained(sort), "loihi2", out, samples=samples(16), pole_bits=14)
    assert made.network.layers[0].neuron.parameters["pole_shift"] == 13
    logged = {line.parameter for line in made.rounding if line.layer == "layer0"}
    assert {"pole, real part", "readout, imaginary part", "direct weight", "tap", "bias"} <= logged
    assert max(abs(line.error) for line in made.rounding if line.parameter.startswith("pole")) <= 2.0**-13
    assert made.network.ranges[0].state.magnitude <= STATE_MAX
