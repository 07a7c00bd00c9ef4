"""Targets are data with sources, and hardware rules tell all they find at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asrc_core.contract.chain import chain
from asrc_core.contract.file import network_file
from asrc_core.contract.random_network import random_network
from asrc_core.errors import RulesBroken, UnknownName, UnreadableFile
from asrc_export.chip import rules, targets
from asrc_export.commands import export as cli_export
from asrc_export.exporting import Exported, export


@pytest.mark.parametrize("name", targets.names())
def test_every_number_of_a_target_has_unit_source_and_certainty(name: str) -> None:
    chip = targets.load(name)
    assert chip.name == name
    found = targets.quantities(chip)
    assert len(found) > 15
    for _, quantity in found:
        assert quantity.unit
        assert quantity.source


def test_an_unknown_target_lists_the_known() -> None:
    with pytest.raises(UnknownName, match=r"unknown target 'loihi3'; known: loihi1, loihi2"):
        targets.load("loihi3")


def test_a_target_of_the_users_own_is_loaded_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((targets.FOLDER / "loihi2.toml").read_text().replace('name = "loihi2"', 'name = "mine"'))
    assert targets.load(str(path)).name == "mine"


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
        ("[formats]", "#" * 70_000 + "\n[formats]", "larger than 65,536 bytes"),
        ("value = 4095", "value = -4095", r"'limits\.neurons_per_core': -4095 is below 1"),
        ("value = 4095", "value = 4095.5", r"'limits\.neurons_per_core': 4095\.5 is not a whole number"),
        ("value = 4095", "value = true", r"limits\.neurons_per_core\.value"),
        ('unit = "neurons"', 'unit = "cores"', r"'limits\.neurons_per_core': its unit is 'cores', expected 'neurons'"),
        ("neurons_per_core", "neuron_per_core", r"'limits\.neuron_per_core': there is no such key.*'neurons_per_core'"),
        ("value = 8192", "value = inf", r"limits\.neurons_per_core\.alternatives\.0\.value"),
        ("weight_bits = [2,", "weight_bits = [0,", r"formats\.weight_bits\.0"),
        ("[synapses.dense]", "[synapses.sparse]", r"synapses\.dense"),
        (
            "decay_bits = { value = 12",
            "decay_bits = { value = 10",
            r"'formats\.decay_bits': 10 is not 12, which networks",
        ),
        ("state_bits = { value = 24", "state_bits = { value = 20", r"'formats\.state_bits': 20 is below 24, at which"),
        ("max_bias_exponent = { value = 7", "max_bias_exponent = { value = 70", r"max_bias_exponent': 70 is above 31"),
        ("word = { value = 64", "word = { value = 0", r"'synapses\.dense\.word': 0 is below 1"),
        ("per_neuron = { value = 64", "per_neuron = { value = 0", r"limits\.core_memory_per_neuron': 0 is below 1"),
    ],
)
def test_a_wrong_target_file_is_refused_by_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (targets.FOLDER / "loihi2.toml").read_text()
    assert old in text
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(UnreadableFile, match=rf"wrong\.toml.*{says}"):
        targets.load(str(path))


def test_a_mesh_of_more_tiles_than_could_be_listed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        (targets.FOLDER / "loihi1.toml").read_text().replace("rows = { value = 4,", "rows = { value = 5000,")
    )
    with pytest.raises(UnreadableFile, match=r"'mesh\.rows': 5000 is above 1024"):
        targets.load(str(path))


def test_a_missing_target_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"absent\.toml.*No such file"):
        targets.load(str(tmp_path / "absent.toml"))


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
        rules.require(network, targets.load("loihi1"))
    message = str(raised.value)
    assert "breaks 7 limits of target 'loihi1'" in message
    for part in ("layer0", "layer1", "readout", "7 bits", "Here: 9", "Here: -9", "-7 to 7"):
        assert part in message


def test_a_delay_beyond_the_chips_is_told_with_a_way_out() -> None:
    chip = targets.load("loihi2")
    longest = chip.limits.max_synaptic_delay.model_copy(update={"value": 30.0})
    chip = chip.model_copy(update={"limits": chip.limits.model_copy(update={"max_synaptic_delay": longest})})
    network = random_network(0, widths=(4,), spans=(40,), steps=5, mapping="synaptic-delay")
    with pytest.raises(RulesBroken, match=r"layer0.*delay 39 \(span 40\), limit: 30.*`kernel_length=31`"):
        rules.require(network, chip)


def test_graded_input_on_a_binary_chip_is_told_but_does_not_block(exported: Exported) -> None:
    findings = rules.require(exported.network, targets.load("loihi1"))
    assert any("payload" in finding.rule for finding in findings)


def test_a_network_stays_valid_when_only_its_mapping_changes(exported: Exported) -> None:
    other = replace(chain(exported.network), mapping="synaptic-delay").network()
    assert other.ranges == exported.network.ranges


def test_where_sources_disagree_both_are_there_and_the_range_holds_both() -> None:
    chip = targets.load("loihi2")
    neurons = chip.limits.neurons_per_core
    assert neurons.count == 4095
    assert [each.value for each in neurons.alternatives] == [8192]
    assert (neurons.lowest, neurons.highest) == (4095, 8192)
    assert len(neurons.sources) == 2


def test_show_target_marks_the_value_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_export.main(["--show-target", "loihi2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("limits.neurons_per_core"))
    assert "in use" in lines[at]
    assert "4,095" in lines[at]
    assert lines[at + 1].split()[:2] == ["or", "8,192"]
    assert "joules are not" in lines[-2]
    assert any(line.startswith("neurons.kinds") and "any program" in line for line in lines)


def test_how_sure_the_widths_of_weights_are_is_what_the_file_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated, path = (targets.FOLDER / "loihi2.toml").read_text(), tmp_path / "mine.toml"
    for line, certainty in (("", "uncertain"), ('weight_bits_certainty = "vendor"', "vendor")):
        path.write_text(stated.replace('weight_bits_certainty = "printed"', line))
        assert cli_export.main(["--show-target", str(path)]) == 0
        (row,) = [each for each in capsys.readouterr().out.splitlines() if "formats.weight_bits" in each]
        assert f" {certainty} " in row


def test_a_network_carries_the_users_target_with_it(checkpoint_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    content = (targets.FOLDER / "loihi1.toml").read_text().replace('name = "loihi1"', 'name = "mine"')
    path.write_text(content.replace("value = 1024, unit", "value = 512, unit"))
    chip = targets.load(str(path))
    made = export(checkpoint_path, str(path), tmp_path / "mine.safetensors", mapping="synaptic-delay")
    path.unlink()
    network = network_file.load(made.path)
    assert targets.of(network.target, network.provenance) == chip


def test_a_network_for_a_target_of_the_package_carries_none(exported: Exported) -> None:
    assert targets.PROVENANCE_KEY not in exported.network.provenance
    assert targets.of("loihi2", exported.network.provenance) == targets.load("loihi2")


@pytest.mark.parametrize("carried", [{"name": "loihi2"}, [1], None, {**targets.load("loihi1").model_dump(mode="json")}])
def test_a_carried_target_that_is_none_or_another_is_refused(carried: object) -> None:
    with pytest.raises(UnreadableFile, match="target in a network"):
        targets.of("loihi2", {targets.PROVENANCE_KEY: carried})
