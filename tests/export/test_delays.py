"""Networks with a learned delay for each synapse: frozen, rounded to 8 bits, and the same on every engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from backends import BACKENDS
from delay_networks import delay_checkpoint, deployed

from asrc_core.contract.file import network_file
from asrc_core.contract.interpreter import Session, run
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.parity import require_equal
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import CannotFreeze, InvalidSetting
from asrc_export import float_network, real_network
from asrc_export.chip import targets
from asrc_export.chip.targets import Target
from asrc_export.commands import check, export, report
from asrc_export.exporting import export as export_checkpoint
from asrc_export.quantization import delays
from asrc_export.quantization.quantize import quantize
from asrc_train import data
from asrc_train.network.delay_network import DelayNetwork
from asrc_train.trained import checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork

READOUTS = ["exponential", "mean", "maximum", "first-spike"]


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """Of Yin-Yang, in steps of 1 ms."""
    return data.load("yin-yang", 1.0).test_x[:40]


@pytest.fixture(scope="module")
def loihi2() -> Target:
    return targets.load("loihi2")


def frozen_with(readout: str, **network: object) -> FrozenNetwork:
    return freeze(delay_checkpoint(readout=readout, **network))  # type: ignore[arg-type]


@pytest.mark.parametrize("readout", READOUTS)
def test_the_frozen_network_answers_as_the_trained_one(readout: str, samples: np.ndarray) -> None:
    trained = delay_checkpoint(readout=readout)
    frozen = freeze(trained)
    network = trained.network()
    assert isinstance(network, DelayNetwork)
    with torch.no_grad():
        logits, spikes = network.traced(torch.from_numpy(samples).float().transpose(0, 1))
    mine = float_network.logits(frozen, samples)
    np.testing.assert_array_equal(mine.argmax(1), logits.argmax(1).numpy())
    (fired,) = float_network.spikes(frozen, samples)
    np.testing.assert_array_equal(fired, spikes[0].numpy())
    assert 0 < fired.mean() < 0.5


@pytest.mark.parametrize("readout", READOUTS)
def test_the_contracts_own_step_on_real_numbers_is_the_trained_network(readout: str, samples: np.ndarray) -> None:
    frozen = frozen_with(readout)
    session = Session(real_network.of(frozen), len(samples), RealArithmetic())
    for now in samples.transpose(1, 0, 2).astype(np.float64):
        last = session.step(now)[-1].shown
    mine = float_network.logits(frozen, samples)
    if readout == "first-spike":  # the contract counts from its latest step, ours from the sample's
        np.testing.assert_array_equal(last > 0, mine > 0)
        np.testing.assert_array_equal((last - last.max())[mine > 0], (mine - mine.max())[mine > 0])
        assert (mine > 0).any()
        return
    gain = np.vdot(last, mine) / np.vdot(last, last)
    np.testing.assert_allclose(last * gain, mine, atol=1e-4 * np.abs(mine).max())


def test_delays_are_rounded_half_to_even_as_in_training() -> None:
    trained = delay_checkpoint()
    halves = torch.tensor([0.5, 1.5, 2.5, 2.499]).repeat(12, 1)
    moved = replace(trained, tensors={**trained.tensors, "layers.0.feedforward.delay": halves})
    assert freeze(moved).layers[0].forward.delays is not None
    np.testing.assert_array_equal(freeze(moved).layers[0].forward.delays, np.tile([0, 2, 2, 2], (12, 1)))


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_engine_computes_the_same(readout: str, backend: str, samples: np.ndarray) -> None:
    network = deployed(readout=readout)
    expected = run(network, samples[:4], trace=True)
    assert expected.counts[0].spikes > 0
    require_equal(network, BACKENDS[backend](network, samples[:4]), expected, (backend, "numpy"))


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("readout", READOUTS)
def test_eight_bits_answer_as_the_floats_do(readout: str, recurrent: bool, samples: np.ndarray) -> None:
    frozen = frozen_with(readout, recurrent=recurrent)
    network = deployed(readout=readout) if recurrent else deployed(readout=readout, recurrent=False)
    whole = run(network, samples)
    agree = float((whole.predictions == float_network.logits(frozen, samples).argmax(1)).mean())
    assert agree >= 0.9
    assert all(count.saturations == 0 for count in whole.counts)
    for layer in network.layers:
        for each in layer.connections:
            assert each.delays is not None
            assert each.exponent >= 0
            assert np.abs(each.weights).max() > 100, "weights use their bits; what arrives is shifted by less instead"


def test_two_layers_and_none_at_all_deploy_as_well(samples: np.ndarray, loihi2: Target) -> None:
    for hidden in ([8, 6], []):
        network = quantize(frozen_with("maximum", hidden=hidden), loihi2).network
        assert [layer.neurons for layer in network.layers] == [*hidden, 3]
        assert network.layers[0].connections[0].source == INPUT


def test_the_scale_of_what_steps_weigh_leaves_no_room_for_saturation() -> None:
    network = deployed(readout="exponential")
    shift = network.readout.neuron.parameters["weight_shift"]
    assert shift > 0
    assert not network.ranges[-1].may_saturate
    weights = network.readout.neuron.parameters["time_weights"]
    assert weights[0] == 127
    assert len(weights) == 40
    np.testing.assert_allclose(weights / 127, np.exp(-np.arange(40) / 40), atol=0.5 / 127)


def test_samples_longer_than_a_table_are_refused_with_a_way_out() -> None:
    trained = delay_checkpoint(dt=0.02)
    with pytest.raises(CannotFreeze, match=r"'exponential' cannot be frozen .* 1024 steps one by one, .* 2000; train"):
        freeze(trained)


# Delays that a target has


def test_a_delay_beyond_the_targets_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "long.pt"
    checkpoint.save(delay_checkpoint(max_delay=100, delay_start=100), path)
    with pytest.raises(
        InvalidSetting, match=r"layer 'layer0': \d+ of 48 delays from 'input' are longer than the 62 st"
    ):
        export_checkpoint(path, "loihi2")
    assert not (tmp_path / "long.loihi2.safetensors").exists()


def test_delays_are_cut_to_what_is_asked_for_and_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    checkpoint.save(delay_checkpoint(), path)
    exported = export_checkpoint(path, "loihi2", max_delay=7)
    forward, back = exported.network.layers[0].connections
    assert forward.delays is not None
    assert back.delays is not None
    assert (forward.delays.max(), back.delays.max()) == (7, 8)
    assert back.delays.min() >= 1
    assert str(exported.cut[0]).startswith("layer 'layer0': ")
    assert "delays from 'input' were longer than 7 steps (up to " in str(exported.cut[0])
    assert delays.within(freeze(delay_checkpoint()), 62).cut == ()
    with pytest.raises(InvalidSetting, match="`max_delay`: -1 is below 0"):
        delays.within(freeze(delay_checkpoint()), -1)


def test_shorter_delays_take_fewer_bits_and_leave_more_neurons_a_core_on_loihi_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pt"
    checkpoint.save(delay_checkpoint(readout="first-spike", max_delay=62, delay_start=62), path)
    bits = {}
    for most in (7, 15, 31, 62):
        network = export_checkpoint(path, "loihi1", tmp_path / f"{most}.safetensors", max_delay=most).network
        from asrc_export.chip.shape import of_network

        bits[most] = of_network(network).layers[0].delay_bits
        assert network.layers[0].neuron.parameters["activation_shift"] == 6, "its neurons cannot be programmed"
    assert bits == {7: 3, 15: 4, 31: 5, 62: 6}


# Commands


@pytest.mark.slow
def test_the_commands_take_such_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "model.pt", tmp_path / "model.safetensors"
    checkpoint.save(delay_checkpoint(readout="first-spike"), path)
    assert export.main([str(path), "--target", "loihi2", "-o", str(out), "--rounding-log"]) == 0
    assert check.main([str(out)]) == 0
    assert "cannot overflow, whatever the input" in capsys.readouterr().out
    network = network_file.load(out)
    assert network.provenance["dt"] == 1.0
    page = tmp_path / "report.json"
    assert report.main([str(out), "--float", str(path), "--limit", "20", "-o", str(page)]) == 0
    assert page.exists()


# Lava's own LIF


def stock(network: IntegerNetwork) -> None:
    for layer in network.layers:
        p = layer.neuron.parameters
        assert (p["activation_shift"], p["reset"], p["fires"]) == (6, "hard", "above")
        assert p["threshold"] % 64 == 0


def test_a_network_for_lavas_own_lif_shifts_by_six_and_fires_above_multiples_of_64(
    tmp_path: Path, samples: np.ndarray
) -> None:
    path = tmp_path / "model.pt"
    checkpoint.save(delay_checkpoint(readout="first-spike"), path)
    network = export_checkpoint(path, "loihi2", stock_lif=True).network
    stock(network)
    frozen = freeze(delay_checkpoint(readout="first-spike"))
    agree = run(network, samples).predictions == float_network.logits(frozen, samples).argmax(1)
    assert agree.mean() >= 0.8


def test_what_lavas_own_lif_does_not_compute_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidSetting, match="'readout': its neurons of kind 'integrator' are not Lava's LIF; train"):
        delays.for_stock_lif(frozen_with("exponential"))
