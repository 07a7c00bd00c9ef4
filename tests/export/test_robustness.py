"""Robustness: nothing broken is the network itself, what is broken is what was asked for, and seeds repeat it."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frozen_networks import connected_network
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import cases

from asrc_core.contract import neurons
from asrc_core.contract.chain import SkipLayer, chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import InvalidSetting, UnknownName
from asrc_export import float_network
from asrc_export.chip import targets
from asrc_export.commands import robustness as cli_robustness
from asrc_export.engines import numpy as engine
from asrc_export.engines import select
from asrc_export.exporting import Exported
from asrc_export.quantization.quantize import quantize
from asrc_export.robustness import faulty_links, faulty_run, formats, measure, pairs, perturbations
from asrc_export.robustness.perturbations import bit_flips
from asrc_export.robustness.report import RobustnessReport
from asrc_export.robustness.subject import Links, Stuck, Subject
from asrc_train import data
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork, WeightedTap, skip_layer
from asrc_train.training.evaluate import evaluate

Case = tuple[IntegerNetwork, NDArray[np.int32]]


def float_case(seed: int, reset: Any = "soft", taps: tuple[WeightedTap, ...] = ()) -> tuple[FrozenNetwork, Any]:
    """A float network and samples for it, all numbers so short that single precision never rounds."""
    rng = np.random.default_rng(seed)
    layers, fan_in = [], 3
    for i, width in enumerate((6, 5)):
        weight, recurrent, bias = (
            rng.integers(-64, 65, shape) / 64 for shape in ((width, fan_in), (width, width), width)
        )
        span = taps[-1].span if taps else i + 1
        floats: dict[str, Any] = {"decay_factor": 0.5, "threshold": 1.0, "reset": reset}
        source = f"layer{i - 1}" if i else INPUT
        layers.append(skip_layer(f"layer{i}", weight, recurrent, bias, source=source, span=span, taps=taps, **floats))
        fan_in = width
    out, bias = rng.integers(-64, 65, (4, 5)) / 64, rng.integers(-64, 65, 4) / 64
    return FrozenNetwork(tuple(layers), out, bias, 3, 9, 1 / 4, 8, None, {}), rng.integers(0, 9, (7, 9, 3))


@pytest.fixture(scope="module")
def subject(trained: Checkpoint, exported: Exported) -> Subject:
    assert trained.permutation is not None
    x = data.load("digits").test_x[:40, trained.permutation]
    return Subject(x, exported.network, freeze(trained))


def inputs(network: IntegerNetwork, seed: int, batch: int = 3) -> NDArray[np.int64]:
    entry = network.input
    shape = (batch, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)


@settings(max_examples=60, deadline=None)
@given(cases(max_width=20, max_steps=20))
def test_links_that_do_nothing_leave_the_integers_those_of_the_engine(case: Case) -> None:
    network, x = case
    logits = faulty_run.integer_logits(network, x, Links())
    np.testing.assert_array_equal(logits, engine.run(network, x).logits)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_without_faults_any_network_gives_the_engines_integers(seed: int) -> None:
    network = any_network(seed)
    x = inputs(network, seed)
    nobody = tuple(Stuck(np.zeros(layer.neurons, np.bool_), 0) for layer in network.hidden)
    logits = faulty_run.integer_logits(network, x, Links(), nobody)
    np.testing.assert_array_equal(logits, engine.run(network, x).logits)


def test_links_that_do_nothing_leave_the_native_engines_integers(subject: Subject) -> None:
    logits = faulty_run.integer_logits(subject.deployed, subject.x, Links())
    np.testing.assert_array_equal(logits, select.engine().run(subject.deployed, subject.x).logits)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["soft", "hard"]), st.booleans())
def test_links_that_do_nothing_leave_the_float_network_as_it_is(seed: int, reset: Any, tapped: bool) -> None:
    network, x = float_case(seed, reset, (WeightedTap(1, 0.25), WeightedTap(4, 0.75)) if tapped else ())
    logits = faulty_run.float_logits(network, x, Links())
    np.testing.assert_array_equal(logits, float_network.logits(network, x))


def test_the_frozen_network_answers_as_the_model_does(subject: Subject, trained: Checkpoint) -> None:
    assert subject.floating is not None
    model = evaluate(trained.network(), subject.x, trained.scale)
    np.testing.assert_array_equal(float_network.logits(subject.floating, subject.x), model.logits)
    linked = faulty_run.float_logits(subject.floating, subject.x, Links())
    np.testing.assert_array_equal(linked.argmax(axis=1), model.predictions)
    totals = [int(spikes.sum()) for spikes in float_network.spikes(subject.floating, subject.x)]
    assert totals == model.spikes_per_layer


@pytest.mark.parametrize("name", perturbations.names())
def test_at_level_0_nothing_is_perturbed(name: str, subject: Subject) -> None:
    assert subject.floating is not None
    found = perturbations.load(name)
    assert found.levels[0] == 0
    same = found.perturb(subject, 0.0, np.random.default_rng(1))
    assert same.links is None
    assert same.floating is not None
    np.testing.assert_array_equal(
        engine.run(same.deployed, same.x).logits, engine.run(subject.deployed, subject.x).logits
    )
    before, after = (float_network.logits(each.floating, each.x) for each in (subject, same) if each.floating)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", perturbations.names())
def test_every_level_gives_a_network_and_samples_that_every_engine_takes(name: str, subject: Subject) -> None:
    found = perturbations.load(name)
    assert list(found.levels) == sorted(set(found.levels))
    for level in found.levels[1:]:
        worn = found.perturb(subject, found.require(name, level), np.random.default_rng(2))
        engine.run(worn.deployed, worn.x)
        assert worn.x.dtype.kind in "iu"
        assert all(0 <= share <= 1 for share in measure.answered(worn, np.zeros(len(worn.x), np.int64), engine.run))


@given(st.integers(2, 8), st.data())
def test_a_flipped_bit_changes_its_weight_by_its_place_and_no_other(bits: int, drawn: st.DataObject) -> None:
    step = WeightGrid(bits).step
    codes = np.array(drawn.draw(st.lists(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), min_size=6, max_size=6)))
    weights, bit, place = (
        codes.reshape(2, 3) * step,
        drawn.draw(st.integers(0, bits - 1)),
        drawn.draw(st.integers(0, 5)),
    )
    flips = np.zeros((2, 3), np.int64)
    flips.flat[place] = 1 << bit
    changed = bit_flips.flipped(weights, bits, flips)
    (moved,) = np.flatnonzero(changed != weights)
    assert moved == place
    assert abs(int((changed - weights).flat[place])) == step << bit
    assert WeightGrid(bits).count_off(changed) == 0
    np.testing.assert_array_equal(bit_flips.flipped(changed, bits, flips), weights)


def test_the_float_network_takes_the_damage_of_the_integers_in_real_units(subject: Subject) -> None:
    """The damage of one layer's integers, turned into real units, moves its membranes as much as theirs."""
    assert subject.floating is not None
    worn = perturbations.load("bit-flips").perturb(subject, 0.01, np.random.default_rng(3))
    assert worn.floating is not None
    before, after = chain(subject.deployed), chain(worn.deployed)
    for i, (old, new) in enumerate(zip(before.layers, after.layers, strict=True)):
        unit = subject.deployed.input.scale if i == 0 else 1.0
        drive = (new.feedforward - old.feedforward) * 2.0**old.feedforward_exponent * 2.0**old.activation_shift
        moved = worn.floating.layers[i].weight - subject.floating.layers[i].weight
        assert drive.any()
        np.testing.assert_allclose(moved * unit * old.scale, drive, atol=1e-6 * np.abs(drive).max())
    out = after.readout
    moved = worn.floating.readout_weight - subject.floating.readout_weight
    drive = (out.weight - before.readout.weight) * 2.0**out.exponent
    np.testing.assert_allclose(moved * out.scale, drive, atol=1e-6 * np.abs(drive).max())
    changed = sum(
        int(np.count_nonzero(getattr(a, part) != getattr(b, part)))
        for a, b in zip(before.layers, after.layers, strict=True)
        for part in ("feedforward", "recurrent")
    ) + int(np.count_nonzero(drive))
    assert worn.notes["weights changed"] == changed / subject.deployed.synapses


def with_parameters_that_stick(layer: SkipLayer, neurons: NDArray[np.bool_], firing: bool) -> SkipLayer:
    """Stuck by its numbers: a neuron without weights whose bias is its threshold fires at every step, one whose bias is
    0 never does.
    """
    cleared = {name: np.where(neurons[:, None], 0, getattr(layer, name)) for name in ("feedforward", "recurrent")}
    return replace(layer, bias=np.where(neurons, layer.threshold if firing else 0, layer.bias), **cleared)


@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize(("name", "firing"), [("stuck-at-0", False), ("stuck-at-1", True)])
def test_stuck_neurons_are_stuck_in_both_networks_and_as_many_as_asked(name: str, firing: bool, reset: Any) -> None:
    floating, x = float_case(5, reset)
    deployed = random_network(5, channels=3, widths=(6, 5), spans=(1, 2), steps=9, input_range=(0, 8), reset=reset)
    worn = perturbations.load(name).perturb(Subject(x, deployed, floating), 0.34, np.random.default_rng(4))
    assert [int(each.neurons.sum()) for each in worn.stuck] == [2, 2]
    assert [each.message for each in worn.stuck] == [int(firing)] * 2
    assert worn.deployed is deployed
    parts = chain(deployed)
    held = [
        with_parameters_that_stick(layer, each.neurons, firing)
        for layer, each in zip(parts.layers, worn.stuck, strict=True)
    ]
    expected = engine.run(replace(parts, layers=tuple(held)).network(), x).logits
    np.testing.assert_array_equal(faulty_run.integer_logits(deployed, x, None, worn.stuck), expected)
    real = [
        layer.moved(
            weight=np.where(each.neurons[:, None], 0, layer.weight),
            recurrent=np.where(each.neurons[:, None], 0, layer.recurrent),
            bias=np.where(each.neurons, layer.threshold if firing else 0, layer.bias),
        )
        for layer, each in zip(floating.layers, worn.stuck, strict=True)
    ]
    expected_real = float_network.logits(replace(floating, layers=tuple(real)), x)
    np.testing.assert_array_equal(faulty_run.float_logits(floating, x, None, worn.stuck), expected_real)


def test_with_every_spike_lost_only_the_biases_answer(subject: Subject) -> None:
    logits = faulty_run.integer_logits(subject.deployed, subject.x, Links(loss=1.0))
    np.testing.assert_array_equal(logits, np.tile(chain(subject.deployed).readout.bias * subject.x.shape[1], (40, 1)))


@given(st.integers(0, 9), st.floats(0, 1), st.integers(0, 2**31))
def test_spikes_arrive_once_in_time_or_never(jitter: int, loss: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sent = rng.integers(0, 2, (12, 4, 5))
    link = faulty_links.Link(Links(loss, jitter, seed), (0,))
    came, went = np.stack([link.through(s) for s in sent]).cumsum(axis=0), sent.cumsum(axis=0)
    assert (came <= went).all()
    if loss == 0:  # what was sent `jitter` steps ago has come by now
        assert (came[jitter:] >= went[: len(went) - jitter]).all()


def test_about_as_many_spikes_are_lost_as_asked() -> None:
    sent = np.ones((50, 20, 20), np.int64)
    link = faulty_links.Link(Links(loss=0.3), (0,))
    assert np.stack([link.through(s) for s in sent]).mean() == pytest.approx(0.7, abs=0.02)


def test_links_are_numbered_by_their_source_those_onward_first() -> None:
    """The numbers decide the random streams, and curves of chains rest on them: onward is 0, back is 1."""
    network = random_network(0, widths=(3, 4), spans=(1, 2), steps=5)
    assert faulty_links.leading_away(network, 0) == [(1, 0), (0, 1)]
    assert faulty_links.leading_away(network, 1) == [(2, 0), (1, 1)]
    assert faulty_links.leading_away(network, 2) == []


def test_every_connection_from_a_layer_has_a_link_of_its_own_and_the_input_has_none() -> None:
    network = random_network(0, widths=(3, 4), spans=(1, 2), steps=5)
    links = faulty_links.FaultyLinks(network, Links(loss=0.5), 0)
    sent = np.ones((50, 4), np.int64)
    onward, back = links(2, 0, 0, sent), links(1, 1, 0, sent)
    assert onward.any()
    assert back.any()
    assert (onward != back).any()
    assert (sent == 1).all()
    assert links(0, 0, 0, sent) is sent


def of_kinds(*kinds: str) -> IntegerNetwork:
    """Delays for each synapse, feedback, skips and, somewhere in the network, every kind named."""
    for seed in range(1000):
        network = any_network(seed, kinds=["lif", "cuba-lif"], max_width=9, max_steps=20)
        used = {layer.neuron.kind for layer in network.hidden}
        ways = [each for layer in network.layers for each in layer.connections]
        back = any(
            network.is_recurrent(i, j) for i, layer in enumerate(network.layers) for j in range(len(layer.connections))
        )
        if used == set(kinds) and back and any(each.delays is not None for each in ways) and network.steps > 9:
            return network
    raise AssertionError("there is no such network")


@pytest.mark.parametrize("kinds", [("cuba-lif",), ("lif", "cuba-lif")])
@pytest.mark.parametrize("name", perturbations.names())
def test_every_perturbation_takes_networks_of_any_kind_and_lag(name: str, kinds: tuple[str, ...]) -> None:
    network = of_kinds(*kinds)
    found = perturbations.load(name)
    subject = Subject(inputs(network, 1, batch=8), network, None)
    labels = np.zeros(8, np.int64)
    same = found.perturb(subject, 0.0, np.random.default_rng(2))
    assert (same.links, same.stuck) == (None, ())
    assert measure.answered(same, labels, engine.run)[0] == (engine.run(network, subject.x).predictions == 0).mean()
    for level in found.levels[1:]:
        worn = found.perturb(subject, level, np.random.default_rng(2))
        deployed, real = measure.answered(worn, labels, engine.run)
        assert 0 <= deployed <= 1
        assert np.isnan(real)


@pytest.fixture(scope="module")
def connected() -> Subject:
    """Currents that last, delays, a skip, feedback and taps, deployed and float."""
    floating = connected_network(0)
    x = np.random.default_rng(0).integers(0, 17, (8, 20, 2))
    return Subject(x, quantize(floating, targets.load("loihi2")).network, floating)


@pytest.mark.parametrize("name", perturbations.names())
def test_the_float_network_of_any_kind_is_perturbed_too(name: str, connected: Subject) -> None:
    found = perturbations.load(name)
    labels = engine.run(connected.deployed, connected.x).predictions
    for level in found.levels[1:]:
        worn = found.perturb(connected, level, np.random.default_rng(5))
        assert all(0 <= share <= 1 for share in measure.answered(worn, labels, engine.run))
    broken = found.perturb(connected, found.levels[-1], np.random.default_rng(5))
    assert broken.floating is not None
    calm = float_network.logits(connected.floating, connected.x) if connected.floating else None
    stressed = faulty_run.float_logits(broken.floating, broken.x, broken.links, broken.stuck)
    assert (np.abs(stressed - calm) > 1e-3).any()


def test_real_weights_of_any_connection_move_by_the_real_value_of_what_their_integers_moved_by(
    connected: Subject,
) -> None:
    """The value of an integer step is the one at which the integers are the real weights, rounded to their grid."""
    worn = perturbations.load("bit-flips").perturb(connected, 0.05, np.random.default_rng(3))
    assert worn.floating is not None
    assert connected.floating is not None
    for i, layer in enumerate(connected.floating.layers):
        old, new = connected.deployed.layers[i], worn.deployed.layers[i]
        for j, real in enumerate(layer.connections):
            moved = worn.floating.layers[i].connections[j].weight - real.weight
            integers = old.connections[j].weights
            steps = new.connections[j].weights - integers
            assert steps.any()
            (value,) = {round(float(each), 12) for each in moved[steps != 0] / steps[steps != 0]}
            assert np.abs(real.weight - value * integers).max() <= value * 1.001  # half a step of 2 at 8 bits


@pytest.mark.parametrize("kind", ["cuba-lif", "lif"])
def test_stuck_neurons_of_any_kind_send_what_they_are_stuck_at(kind: str) -> None:
    network = of_kinds(kind)
    x = inputs(network, 3)
    silent = tuple(Stuck(np.ones(layer.neurons, np.bool_), 0) for layer in network.hidden)
    unheard = faulty_run.integer_logits(network, x, Links(loss=1.0))
    np.testing.assert_array_equal(faulty_run.integer_logits(network, x, None, silent), unheard)


def test_flipped_bits_that_break_the_proof_are_refused_with_a_way_out() -> None:
    """A current that just fits in 24 bits does not any more when 64 turns into -66."""
    weights = np.full((1, 1), 64)
    parameters = {"bias": 0, "current_decay": 1, "decay": 2048, "threshold": 9, "activation_shift": 5, "reset": "soft"}
    layers = (
        Layer("layer0", (Connection(INPUT, weights, 0, 8),), Neuron("cuba-lif", parameters)),
        Layer("readout", (Connection("layer0", weights, 0, 8),), Neuron("integrator", {"bias": 0})),
    )
    network = IntegerNetwork(InputFormat(1, 0, 1, 1.0), layers, "loihi2", 5)
    subject = Subject(inputs(network, 0), network, None)
    with pytest.raises(InvalidSetting, match=r"level of bit-flips: 1: .*layer0.*take lower levels"):
        perturbations.load("bit-flips").perturb(subject, 1.0, np.random.default_rng(3))


TABLE_KIND = """
from asrc_core.contract.neurons.kind import Kind, Step, Table

def step(o, p, state, a):
    return Step({}, o.table(a, p["entries"]), a)

KIND = Kind(parameters={"entries": Table(0, 1)}, states={}, step=step)
"""


@pytest.fixture
def looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kind of that name, a file on Python's path."""
    (tmp_path / "asrc_kinds").mkdir()
    (tmp_path / "asrc_kinds" / "looked_up.py").write_text(TABLE_KIND)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == neurons.MORE]:
        del sys.modules[name]
    neurons.kind.cache_clear()


@pytest.mark.usefixtures("looked_up")
def test_late_spikes_never_lead_out_of_a_table() -> None:
    """Spikes that arrive together add up to more than the sum that the index was proven for."""
    one = np.full((1, 1), 2)
    always = {"bias": 9, "decay": 4096, "threshold": 1, "activation_shift": 0, "reset": "hard"}
    layers = (
        Layer("layer0", (Connection(INPUT, one, 0, 8),), Neuron("lif", always)),
        Layer("layer1", (Connection("layer0", one, 0, 8),), Neuron("looked-up", {"entries": [0, 0, 1]})),
        Layer("readout", (Connection("layer1", one, 0, 8),), Neuron("integrator", {"bias": 0})),
    )
    network = IntegerNetwork(InputFormat(1, 0, 1, 1.0), layers, "loihi2", 30)
    logits = faulty_run.integer_logits(network, np.zeros((4, 30, 1), np.int64), Links(jitter=5))
    assert ((logits > 0) & (logits <= 60)).all()


def test_input_noise_is_of_the_strength_asked_and_counts_what_it_clips(subject: Subject) -> None:
    middle = replace(subject, x=np.full((30, 64, 1), 8))
    worn = perturbations.load("input-noise").perturb(middle, 0.1, np.random.default_rng(0))
    assert np.std(worn.x.astype(float)) == pytest.approx(0.1 * 16, rel=0.1)
    loud = perturbations.load("input-noise").perturb(middle, 10.0, np.random.default_rng(0))
    assert (loud.x.min(), loud.x.max()) == (0, 16)
    assert loud.notes["clipped"] == pytest.approx(np.isin(loud.x, (0, 16)).mean(), abs=0.01)


def test_missing_steps_are_zero_or_the_last_that_came(subject: Subject) -> None:
    numbered = replace(subject, x=np.tile(np.arange(1, 17)[None, :, None], (50, 1, 1)))
    zeroed = perturbations.load("zeroed-steps").perturb(numbered, 0.25, np.random.default_rng(0)).x
    assert ((zeroed == numbered.x) | (zeroed == 0)).all()
    assert (zeroed == 0).mean() == pytest.approx(0.25, abs=0.05)
    centred = perturbations.load("zeroed-steps").perturb(
        replace(numbered, nothing=np.array([3])), 1, np.random.default_rng(0)
    )
    assert (centred.x == 3).all()
    held = perturbations.load("held-steps").perturb(numbered, 0.25, np.random.default_rng(0)).x
    assert (held[:, 0] == 1).all()
    stayed = np.diff(held[:, :, 0], axis=1) == 0
    assert (held[:, 1:, 0][~stayed] == numbered.x[:, 1:, 0][~stayed]).all()
    assert stayed.mean() == pytest.approx(0.25, abs=0.05)


@pytest.fixture(scope="module")
def report(checkpoint_path: Path, exported: Exported) -> RobustnessReport:
    return measured(exported.path, checkpoint_path)


def measured(path: Path, model: Path, seed: int = 0) -> RobustnessReport:
    asked = measure.chosen(["dropped-spikes", "bit-flips"], None)
    return measure.make(pairs.load([path], [model]), asked, engine.run, limit=30, draws=2, seed=seed)


def test_the_seed_decides_every_draw(report: RobustnessReport, checkpoint_path: Path, exported: Exported) -> None:
    assert measured(exported.path, checkpoint_path) == report
    other = measured(exported.path, checkpoint_path, seed=1)
    assert other.networks == report.networks
    assert other.perturbations != report.perturbations


def test_curves_begin_with_the_accuracy_of_the_unperturbed_networks(report: RobustnessReport) -> None:
    (network,) = report.networks
    for panel in report.perturbations:
        assert panel.levels[0] == 0
        assert [curve.version for curve in panel.curves] == ["deployed", "float"]
        for curve in panel.curves:
            assert curve.variant == "ASRC 16"
            assert curve.mean[0] == network.accuracy[curve.version]
            draws = np.array(curve.accuracy)
            np.testing.assert_allclose(draws.mean(axis=(0, 2)), curve.mean)
            np.testing.assert_allclose(draws[0].std(axis=1, ddof=1), curve.spread)
            assert curve.spread_over == "draws"
            assert curve.mean_loss == pytest.approx(curve.mean[0] - np.mean(curve.mean[1:]))


def test_without_checkpoints_the_integers_have_curves_of_their_own(exported: Exported) -> None:
    asked = measure.chosen(["stuck-at-1"], [0.5])
    report = measure.make(pairs.load([exported.path]), asked, engine.run, limit=10, draws=1)
    (panel,) = report.perturbations
    assert [curve.version for curve in panel.curves] == ["deployed"]
    assert panel.levels == (0, 0.5)
    assert panel.curves[0].spread is None
    for suffix in (".svg", ".txt"):  # nothing to show a spread of
        assert "±" not in formats.WRITERS[suffix](report)


def test_every_format_shows_what_was_measured(report: RobustnessReport, tmp_path: Path) -> None:
    (network,) = report.networks
    hostile = report.model_copy(update={"networks": (network.model_copy(update={"file": "=<b>&|`"}),)})
    for suffix in formats.WRITERS:
        formats.write(hostile, tmp_path / f"curves{suffix}")
    assert RobustnessReport.model_validate_json((tmp_path / "curves.json").read_text()) == hostile
    drawing = (tmp_path / "curves.svg").read_text()
    ET.fromstring(drawing)
    page = (tmp_path / "curves.html").read_text()
    assert "<b>" not in page
    assert "<svg" in page
    shown = f"{100 * report.perturbations[0].curves[0].mean[1]:.1f} ±"
    for suffix in (".txt", ".md", ".html"):
        text = (tmp_path / f"curves{suffix}").read_text()
        assert shown in text
        assert "Dropped spikes" in text
        assert "Weights changed, share" in text
    for suffix in (".svg", ".html"):
        assert "dropped spikes" in (tmp_path / f"curves{suffix}").read_text()
    rows = list(csv.DictReader(io.StringIO((tmp_path / "curves.csv").read_text())))
    assert len(rows) == 2 * 2 * 6 * 2  # perturbations, versions, levels, draws
    assert rows[0]["network"].startswith("'=")
    assert {float(row["accuracy"]) for row in rows if row["level"] == "0.0"} == set(
        report.networks[0].accuracy.values()
    )


def test_networks_of_a_variant_share_a_curve_and_spread_over_them(exported: Exported) -> None:
    one = [*pairs.load([exported.path])] * 2
    asked = measure.chosen(["zeroed-steps"], [0.5])
    report = measure.make(one, asked, engine.run, limit=10, draws=1)
    (curve,) = report.perturbations[0].curves
    assert curve.networks == (0, 1)
    assert curve.spread_over == "networks"
    assert curve.spread == (0, 0)  # the same network twice, the same draws


def test_only_the_seed_may_tell_networks_of_one_line_apart(
    exported: Exported, trained: Checkpoint, checkpoint_path: Path, tmp_path: Path
) -> None:
    from asrc_export.exporting import export

    training = trained.config.training.model_copy(update={"seed": 7})
    other = tmp_path / "other.pt"
    checkpoint.save(replace(trained, config=trained.config.model_copy(update={"training": training})), other)
    seeds = [exported.path, export(other).path]
    narrow = export(checkpoint_path, out=tmp_path / "narrow.safetensors", bits=4).path
    assert [each.variant for each in pairs.load(seeds, [checkpoint_path, other])] == ["ASRC 16"] * 2
    # two exports of one checkpoint, which differ in their bits
    found = pairs.load([exported.path, narrow], [checkpoint_path])
    assert [each.variant for each in found] == ["ASRC 16", "ASRC 16 (2)"]
    assert len({each.variant for each in pairs.load([*seeds, narrow])}) == 3
    with pytest.raises(InvalidSetting, match="are the same network; give it once"):
        pairs.load([narrow, narrow])


def test_what_is_kept_of_no_right_answer_is_no_number(exported: Exported) -> None:
    (pair,) = pairs.load([exported.path])
    shares = np.zeros((1, 2, 3, 2))
    shares[:, 1] = np.nan
    shares[:, 0, 1:] = 0.5
    (curve,) = measure._curves([pair], shares)
    assert (curve.mean_kept, curve.mean_kept_spread) == (None, None)
    assert curve.mean_loss == -0.5


def test_a_perturbation_is_a_file_and_its_name_is_the_files() -> None:
    assert {"input-noise", "dropped-spikes", "jittered-spikes", "stuck-at-0", "stuck-at-1", "bit-flips"} <= set(
        perturbations.names()
    )
    with pytest.raises(UnknownName, match="unknown perturbation 'rain'; known: bit-flips"):
        perturbations.load("rain")


@pytest.mark.parametrize(
    ("name", "level"),
    [("stuck-at-0", 1.5), ("input-noise", -0.1), ("bit-flips", float("nan")), ("jittered-spikes", 1.5)],
)
def test_a_level_that_makes_no_sense_is_refused_by_name(name: str, level: float) -> None:
    with pytest.raises(InvalidSetting, match=f"level of {name}"):
        measure.chosen([name], [level])


BAD: list[tuple[list[str], str]] = [
    (["absent.safetensors"], "cannot read integer network 'absent.safetensors'"),
    (["n.safetensors", "--only", "rain"], "unknown perturbation 'rain'; known: bit-flips"),
    (["n.safetensors", "--only", "stuck-at-0", "--levels", "2"], "level of stuck-at-0: 2 is outside 0 to 1"),
    (["n.safetensors", "--levels", "0.1"], "--levels: levels mean something for one perturbation"),
    (["n.safetensors", "--seed", "-1"], "--seed: -1 is outside"),
    (["n.safetensors", "--draws", "100000"], "--draws: 100000 is outside 1 to 1000"),
    (["n.safetensors", "--data", "mnist5k"], "784 steps"),
    (["n.safetensors", "--float", "m.pt", "other.pt"], "'other.pt' is the checkpoint of none of the networks given"),
    (["n.safetensors", "--float", "other.pt"], "none of them is the checkpoint that 'n.safetensors' came from"),
    (["n.safetensors", "-o", "curves.pdf"], "its suffix is none of .html, .svg"),
    (["n.safetensors", "-o", "absent/curves.svg"], "cannot write 'absent/curves.svg'"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_gets_one_sentence_and_status_1(
    arguments: list[str],
    says: str,
    exported: Exported,
    checkpoint_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(exported.path, "n.safetensors")
    shutil.copy(checkpoint_path, "m.pt")
    Path("other.pt").write_bytes(b"another")
    assert cli_robustness.main([*arguments, "--engine", "numpy"]) == 1
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_the_command_prints_tables_or_writes_files(
    exported: Exported, checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(exported.path), "--float", str(checkpoint_path), "--limit", "10", "--draws", "1"]
    arguments += ["--only", "held-steps,stuck-at-0", "--engine", "numpy"]
    assert cli_robustness.main(arguments) == 0
    assert "Points lost" in capsys.readouterr().out
    assert cli_robustness.main([*arguments, "-o", str(tmp_path / "c.csv"), "-o", str(tmp_path / "c.svg")]) == 0
    assert (tmp_path / "c.csv").exists()
    assert (tmp_path / "c.svg").exists()
    assert cli_robustness.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in perturbations.names())


def test_what_a_perturbed_file_was_is_never_changed(exported: Exported, report: RobustnessReport) -> None:
    assert report.networks[0].network_sha256 == network_file.fingerprint(network_file.load(exported.path))


def test_weights_that_are_not_stored_have_no_bits_to_flip() -> None:
    draw = np.random.default_rng(0)
    sparse = 2 * draw.integers(-60, 60, (64, 64)) * (draw.random((64, 64)) < 0.05)
    neuron = Neuron("lif", {"bias": 0, "decay": 500, "threshold": 200, "activation_shift": 0, "reset": "soft"})
    layer = Layer("layer", (Connection(INPUT, sparse, 0, 8),), neuron)
    readout = Layer(
        "out", (Connection("layer", 2 * draw.integers(-9, 9, (3, 64)), 0, 8),), Neuron("integrator", {"bias": 0})
    )
    for target, come_alive in (("loihi1", False), ("loihi2", True)):
        network = IntegerNetwork(InputFormat(64, 0, 1, 1.0), (layer, readout), target, 30)
        given = Subject(inputs(network, 0), network, None)
        worn = perturbations.load("bit-flips").perturb(given, 0.05, np.random.default_rng(0)).deployed
        weights = worn.layers[0].connections[0].weights
        assert (weights != sparse)[sparse != 0].any()
        assert weights[sparse == 0].any() == come_alive


def test_nothing_is_stuck_in_a_network_without_hidden_layers() -> None:
    readout = Layer("out", (Connection(INPUT, np.full((3, 4), 2), 0, 8),), Neuron("integrator", {"bias": 0}))
    network = IntegerNetwork(InputFormat(4, 0, 1, 1.0), (readout,), "loihi2", 5)
    given = Subject(inputs(network, 0), network, None)
    assert perturbations.load("stuck-at-0").perturb(given, 0.5, np.random.default_rng(0)) is given


def test_of_a_few_neurons_the_share_that_is_really_stuck_is_told(subject: Subject) -> None:
    stuck = perturbations.load("stuck-at-0")
    neurons = sum(layer.neurons for layer in subject.deployed.hidden)
    worn = stuck.perturb(subject, 0.5 / neurons, np.random.default_rng(0))
    assert worn.notes["neurons stuck"] == 0
    assert stuck.perturb(subject, 0.5, np.random.default_rng(0)).notes["neurons stuck"] == pytest.approx(0.5, abs=0.1)
