"""Configurations and recipes: every key checked, every complaint naming its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asrc_train import data, recipe
from asrc_train.cli import OVERRIDES
from asrc_train.config import Config, from_recipe, validated
from asrc_train.errors import InvalidSetting, UnknownName


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_is_a_valid_configuration_of_a_known_data_set(name: str) -> None:
    assert from_recipe(recipe.find(name), {}).data.name in data.names()


@pytest.mark.parametrize("name", data.names())
def test_every_data_set_has_a_recipe_of_its_name(name: str) -> None:
    assert from_recipe(recipe.find(name), {}).data.name == name


def test_a_configuration_survives_json() -> None:
    config = from_recipe(recipe.find("digits"), {"network": {"hidden": [3, 4]}})
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_every_option_of_the_command_is_a_key_of_the_configuration() -> None:
    sections = Config.model_fields
    for section, key in OVERRIDES.values():
        assert key in sections[section].annotation.model_fields  # type: ignore[union-attr]


def test_an_unknown_recipe_lists_the_known() -> None:
    with pytest.raises(UnknownName, match=r"unknown recipe 'mnist'; known: digits, mnist5k"):
        recipe.find("mnist")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[data]\nname = 'digits'\n[network]\nhiden = [3]", r"key 'network\.hiden'"),
        ("[data]\nname = 'digits'\n[network]\nhidden = []", r"key 'network\.hidden'"),
        ("[data]\nname = 'digits'\n[network]\nhidden = [0]", r"key 'network\.hidden\.0'"),
        ("[data]\nname = 'digits'\n[network]\nkernel_length = 0", r"key 'network\.kernel_length'"),
        ("[data]\nname = 'digits'\n[network]\ndecay = nan", r"key 'network\.decay'"),
        ("[data]\nname = 'digits'\n[training]\nepochs = 'many'", r"key 'training\.epochs'"),
        ("[data]\nname = 'digits'\n[training]\nannealing = 0.5\nepochs = 1000", "temperature would reach zero"),
        ("[network]\nspan = 3", "key 'data'"),
        ("data = 3", "key 'data'"),
        ("[data\n", r"not valid TOML .*line 1"),
    ],
)
def test_a_wrong_recipe_is_refused_by_key_or_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match=says):
        from_recipe(path, {})


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"absent\.toml.*No such file"):
        from_recipe(tmp_path / "absent.toml", {})


@pytest.mark.parametrize("content", [None, [], "text", {"data": None}])
def test_anything_else_is_refused(content: Any) -> None:
    with pytest.raises(InvalidSetting):
        validated(content, "it")
