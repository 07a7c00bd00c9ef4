"""Targets are data with sources, and hardware rules tell all they find at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asrc_export import energy, rules, storage, target
from asrc_export.engines import numpy as engine
from asrc_export.export import Exported
from asrc_export.network import validate
from asrc_export.random_network import random_network
from asrc_train.errors import RulesBroken, UnknownName, UnreadableFile


@pytest.mark.parametrize("name", target.names())
def test_every_number_of_a_target_has_unit_source_and_certainty(name: str) -> None:
    chip = target.load(name)
    assert chip.name == name
    found = target.quantities(chip)
    assert len(found) > 15
    for _, quantity in found:
        assert quantity.unit
        assert quantity.source


def test_an_unknown_target_lists_the_known() -> None:
    with pytest.raises(UnknownName, match=r"unknown target 'loihi3'; known: loihi1, loihi2"):
        target.load("loihi3")


def test_a_target_of_the_users_own_is_loaded_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((target.FOLDER / "loihi2.toml").read_text().replace('name = "loihi2"', 'name = "mine"'))
    assert target.load(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[limits]", "[limis]", "limits"),
        ('name = "loihi2"', 'name = "../etc"', "name"),
        ("value = 4095", 'value = "many"', r"limits\.neurons_per_core\.value"),
        ("value = 4095", "value = nan", r"limits\.neurons_per_core\.value"),
        (', unit = "neurons"', "", r"limits\.neurons_per_core\.unit"),
        ('certainty = "inferred"', 'certainty = "sure"', "certainty"),
        ("[formats]", "[formats", "not valid TOML"),
    ],
)
def test_a_wrong_target_file_is_refused_by_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (target.FOLDER / "loihi2.toml").read_text()
    assert old in text
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(UnreadableFile, match=rf"wrong\.toml.*{says}"):
        target.load(str(path))


def test_a_missing_target_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"absent\.toml.*No such file"):
        target.load(str(tmp_path / "absent.toml"))


def test_every_rule_is_a_sentence() -> None:
    for rule in rules.RULES:
        sentence = (rule.__doc__ or "").strip()
        assert sentence.endswith(".")
        assert "\n" not in sentence


def test_all_blocking_limits_are_told_at_once() -> None:
    network = random_network(
        0, channels=1, widths=(8, 8), spans=(2, 3), steps=5, weight_bits=7, exponents=(9, -9), threshold=64
    )
    with pytest.raises(RulesBroken) as raised:
        rules.require(network, target.load("loihi1"))
    message = str(raised.value)
    assert "breaks 7 limits of target 'loihi1'" in message
    for part in ("layer0", "layer1", "readout", "7 bits", "Here: 9", "Here: -9", "-7 to 7"):
        assert part in message


def test_a_delay_beyond_the_chips_is_told_with_a_way_out() -> None:
    chip = target.load("loihi2")
    longest = chip.limits.max_synaptic_delay.model_copy(update={"value": 30.0})
    chip = chip.model_copy(update={"limits": chip.limits.model_copy(update={"max_synaptic_delay": longest})})
    network = random_network(0, widths=(4,), spans=(40,), steps=5, mapping="synaptic-delay")
    with pytest.raises(RulesBroken, match=r"layer0.*delay 39 \(span 40\), limit: 30.*--kernel-length 31"):
        rules.require(network, chip)


def test_graded_input_on_a_binary_chip_is_told_but_does_not_block(exported: Exported) -> None:
    findings = rules.require(exported.network, target.load("loihi1"))
    assert any("payload" in finding.rule for finding in findings)


def test_storage_counts_every_kind_of_bit() -> None:
    network = random_network(0, channels=2, widths=(8,), spans=(9,), classes=3, steps=5)
    chip = target.load("loihi2")
    layer, readout = storage.deployed(network, chip)
    assert layer.weights == (2 * 8 + 8 * 8) * 8
    assert layer.biases == 8 * (13 + 3)
    assert layer.state == 8 * 24
    assert layer.history == 8 * 32
    assert readout.weights == 8 * 3 * 8
    in_float = storage.float32(network)[0]
    assert in_float.history == 9 * 8 * 32
    assert storage.history_bits(network.layers[0], "synaptic-delay") == 8 * 8 * 4  # delay 8 takes 4 bits
    assert storage.synaptic_memory(network, chip) == (2 * 8 + 8 * 8 + 8 * 3) * (8 + 12)


@pytest.mark.parametrize(("span", "bits"), [(1, 0), (2, 1), (3, 2), (5, 3), (9, 4), (17, 5), (32, 5), (33, 6), (63, 6)])
def test_delay_bits_hold_the_delay(span: int, bits: int) -> None:
    assert target.delay_bits(span - 1) == bits
    assert 2**bits > span - 1


def test_energy_is_events_times_cited_constants(exported: Exported) -> None:
    import numpy as np

    network = exported.network
    x = np.random.default_rng(0).integers(0, 17, (3, network.steps, 1))
    counts = engine.run(network, x).counts
    chip = target.load("loihi1")
    estimate = energy.on_chip(network, counts, 3, chip)
    assert estimate is not None
    assert chip.energy is not None
    operations = sum(c.feedforward_operations + c.recurrent_operations for c in counts)
    operations -= counts[0].feedforward_operations  # graded: not in the table
    spikes, updates = (sum(getattr(c, name) for c in counts) for name in ("spikes", "neuron_updates"))
    fixed = 23.6 * operations + 1.7 * spikes
    assert estimate.low_nj == pytest.approx((fixed + 52 * updates) / 3 / 1000)
    assert estimate.high_nj == pytest.approx((fixed + 81 * updates) / 3 / 1000)
    assert estimate.basis == "modelled"
    assert any("Davies" in source for source in estimate.sources)


def test_no_joule_is_given_for_a_target_without_published_prices(exported: Exported) -> None:
    counts: Any = ()
    assert energy.on_chip(exported.network, counts, 1, target.load("loihi2")) is None


def test_a_network_stays_valid_when_only_its_mapping_changes(exported: Exported) -> None:
    validate(replace(exported.network, mapping="synaptic-delay"))
