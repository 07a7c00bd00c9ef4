"""Microcontrollers and FPGAs are targets as data: limits with sources, asked before training and at export."""

from __future__ import annotations

from pathlib import Path

import pytest

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.random_network import any_network
from asrc_core.errors import UnknownName, UnreadableFile
from asrc_export.chip import devices, targets
from asrc_export.chip.devices import built
from asrc_export.commands import export as cli_export
from asrc_export.commands import report as cli_report
from asrc_export.report.cost import devices as cost


@pytest.mark.parametrize("name", devices.names())
def test_every_number_of_a_device_has_unit_source_and_certainty(name: str) -> None:
    device = devices.load(name)
    assert device.name == name
    found = targets.quantities(device)
    assert len(found) >= 4
    assert all(quantity.unit and quantity.source for _, quantity in found)


@pytest.mark.parametrize("family", devices.FAMILIES)
def test_every_rule_of_a_device_is_a_sentence(family: str) -> None:
    for rule in devices.RULES[family]:
        assert (rule.__doc__ or "").strip().endswith(".")


def test_a_chip_is_no_device_and_its_numbers_are_its_own() -> None:
    assert devices.numbers("loihi1") == (targets.load("loihi1"), None)
    chip, device = devices.numbers("cortex-m4")
    assert (chip, device) == (targets.load("loihi2"), devices.load("cortex-m4"))


def test_an_unknown_target_lists_chips_and_devices() -> None:
    with pytest.raises(UnknownName, match=r"unknown target 'loihi3'; known: loihi1, loihi2, or a device \(cortex-m4, "):
        devices.numbers("loihi3")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('family = "mcu"', 'family = "gpu"', "key 'family': it is 'gpu', there are mcu, fpga"),
        ('family = "mcu"', "family = 3", "key 'family'"),
        ('numbers = "loihi2"', 'numbers = "mine"', "key 'numbers': there is no chip 'mine'"),
        ('unit = "MHz"', 'unit = "GHz"', "key 'clock': its unit is 'GHz'"),
        ("value = 1048576", "value = 0.5", "key 'flash'"),
        ('cpu = "cortex-m4"', 'cpu = "; rm"', "key 'cpu'"),
    ],
)
def test_a_wrong_device_file_is_refused_by_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (devices.FOLDER / "cortex-m4.toml").read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(UnreadableFile, match=says):
        devices.numbers(str(path))


def test_a_recipe_is_checked_against_a_device_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_export.main(["--check", "digits", "--target", "rv32imac"]) == 0
    assert "fits rv32imac" in capsys.readouterr().out
    small = tmp_path / "small.toml"
    small.write_text((devices.FOLDER / "rv32imac.toml").read_text().replace("131072", "16384").replace("32768", "2048"))
    assert cli_export.main(["--check", "digits", "--target", str(small)]) == 1
    told = capsys.readouterr().err
    assert "breaks 2 limits of target 'rv32imac'" in told
    assert "limit: 16,384 bytes" in told
    assert "limit: 2,048 bytes" in told


def summary(network: IntegerNetwork, device: str = "ice40up5k") -> built.Summary:
    return built.Summary(
        network_sha256=network_file.fingerprint(network),
        device=device,
        title="an FPGA",
        tool="nextpnr 1",
        seed=2,
        seeds=3,
        lanes=8,
        pipes=1,
        steps=100,
        resources=(built.Taken(name="logic cells", used=3000, limit=5280), built.Taken(name="DSP", used=1, limit=8)),
        megahertz=50.0,
        cycles=built.Cycles(a_step=1000.0, samples=4),
    )


def test_a_report_tells_size_and_speed_of_a_circuit_that_was_built(tmp_path: Path) -> None:
    network = any_network(0)
    (tmp_path / built.FILE).write_text(summary(network).model_dump_json())
    of_another = summary(any_network(1))
    found = {each.name: each for each in cost.of(network, [built.load(tmp_path), of_another])}
    rows = {each.name: each for each in found["ice40up5k"].resources}
    assert (rows["logic cells"].used, rows["logic cells"].unit, rows["logic cells"].limit) == (3000, "cells", 5280)
    assert (rows["DSP"].used, rows["DSP"].limit) == (1, 8)
    assert (rows["clock"].used, rows["clock"].unit) == (50, "MHz")
    assert (rows["cycles a step"].used, rows["latency of a step"].used, rows["latency of a step"].unit) == (
        1000,
        20,
        "us",
    )
    assert rows["samples a second"].used == 500
    assert "seed 2, the fastest of 3" in rows["clock"].basis
    assert [each.name for each in found["ecp5-25f"].resources] == ["weights in block RAM"]
    mine = cost.of(network, [summary(network, "mine")])
    assert mine[-1].name == "mine"
    assert cost.of(network, [of_another]) == cost.of(network)


def test_without_a_simulator_a_build_has_a_clock_and_no_speed() -> None:
    silent = summary(any_network(0)).model_copy(update={"cycles": None})
    assert [each.name for each in built.resources(silent)] == ["logic cells", "DSP", "clock"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"asrc-build"', '"asrc"', "format: input should be 'asrc-build'"),
        ("50.0", "-1", "megahertz"),
        ("50.0", "NaN", "the whole: invalid JSON|megahertz"),
        ("3000", "-3000", "resources.0.used"),
        ('"seeds"', '"seds"', "there is no such key; did you mean 'seeds'"),
        ("{", "", "invalid JSON"),
        ("{", " " * 2**16 + "{", "it is larger than any"),
    ],
)
def test_a_summary_that_is_broken_is_refused_in_a_sentence(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "build.json"
    text = summary(any_network(0)).model_dump_json()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UnreadableFile, match=says):
        built.load(path)


def test_a_summary_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"summary of a build.*give the build\.json, or its folder"):
        built.load(tmp_path)


def test_the_build_of_another_network_is_not_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, path = tmp_path / "mine.safetensors", tmp_path / "build.json"
    network_file.save(any_network(0), mine)
    path.write_text(summary(any_network(1)).model_dump_json())
    assert cli_report.main([str(mine), "--float", "model.pt", "--build", str(path)]) == 1
    assert "is the build of another network than" in capsys.readouterr().err
