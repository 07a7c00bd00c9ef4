"""Microcontrollers and FPGAs are targets as data: limits with sources, asked before training and at export."""

from __future__ import annotations

from pathlib import Path

import pytest

from asrc_core.errors import UnknownName, UnreadableFile
from asrc_export.chip import devices, targets
from asrc_export.commands import export as cli_export


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
