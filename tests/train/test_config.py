"""Configurations and recipes: every key checked, every complaint naming its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.errors import InvalidSetting, UnknownName, UnreadableFile
from asrc_core.forms import toml
from asrc_core.forms.toml_lines import line_of
from asrc_train import data
from asrc_train.commands.train import OVERRIDES
from asrc_train.settings import recipe, unread
from asrc_train.settings.config import Config, from_recipe, validated
from asrc_train.sweep import keys
from asrc_train.training.schedule import note_on_temperature, temperature_in


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
    known = r"digits, digits-frssm, digits-prf, digits-pssm, fsdd, fsdd-delays, fsdd-speakers, fsdd-spikes, "
    with pytest.raises(UnknownName, match=rf"unknown recipe 'mnist'; known: {known}"):
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
    ],
)
def test_a_wrong_recipe_is_refused_by_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match=says):
        from_recipe(path, {})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[data\n", r"not valid TOML .*line 1"),
        (b"a = " + b"[" * 30_000, "not valid TOML"),
        (b"[data]\nname = '\xff'", "not valid TOML"),
        (b"#" * 70_000, "larger than 65,536 bytes"),
        (None, "No such file"),
    ],
    ids=["broken", "nested", "no-text", "large", "absent"],
)
def test_a_file_that_is_no_recipe_is_told_with_a_way_out(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=rf"cannot read recipe '.*mine\.toml': .*{says}.*; give a recipe's name"):
        from_recipe(path, {})


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (
            "[data]\nname = 'digits'\n[network]\n# hiden\n\nhiden = [3]",
            6,
            "there is no such key; did you mean 'hidden'",
        ),
        ("[data]\nname = 'digits'\n[netwrok]\nhidden = [3]", 3, "did you mean 'network'"),
        ("data.name = 'digits'\nnetwork.span = 0\nnetwork.decay = 0.5", 2, "greater than or equal to 1"),
        ("[data]\nname = 'digits'\n[network]\nhidden = [\n  3,  # hidden\n  'x',\n]\nspan = 3", 4, "valid integer"),
        ("[network]\nspan = 3\n[data]\nname = 7", 4, "valid string"),
        ("data = 3", 1, "valid dictionary"),
        ("[data]\nname='digits'\n[network]\nhidden=[1]\n[[network.layers]]\nspn = 1", 6, "did you mean 'span'"),
        ("[data]\nname='digits'\n[network]\nhidden=[1]\nlayers = [{ spn = 1 }]", 5, "did you mean 'span'"),
        ("[data]\nname = 'digits'\n[training]\nxyzzy = 1", 4, "known are annealing, batch_size"),
        ('[data]\nname = """\nspan\n"""\n[network]\n"sp\\u0061n" = 0\n', 5, "greater than or equal to 1"),
    ],
)
def test_a_complaint_about_a_recipe_names_the_line_and_the_nearest_key(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match=rf"recipe 'mine\.toml', line {line}, key .*{says}"):
        from_recipe(path, {})


def test_a_setting_that_is_not_the_recipes_own_names_no_line_of_it() -> None:
    with pytest.raises(InvalidSetting, match=r"'digits\.toml' with other settings on top, key 'network\.span'"):
        from_recipe(recipe.find("digits"), {"network": {"span": 0}})


def test_settings_that_do_not_fit_together_name_no_line_if_any_is_not_the_recipes_own() -> None:
    with pytest.raises(InvalidSetting, match=r"'digits\.toml' with other settings on top, key 'network': skips: "):
        from_recipe(recipe.find("digits"), {"network": {"skips": "concat", "hidden": [32]}})


@pytest.mark.parametrize(("on_top", "told"), [(False, ": learn"), (True, " with other settings on top: learn")])
def test_settings_of_different_sections_that_do_not_fit_together_name_no_key(
    on_top: bool, told: str, tmp_path: Path
) -> None:
    path, own = tmp_path / "mine.toml", "[training]\nlearn = 'delays'\n"
    network = "[network]\nneuron = 'cuba-lif'\nconnection = 'delays'\n"
    path.write_text(f"{network}{'' if on_top else 'max_delay = 0'}\n{own}[data]\nname = 'sequence'\n")
    with pytest.raises(InvalidSetting, match=f"'mine.toml'{told}: no delay can change"):
        from_recipe(path, {"network": {"max_delay": 0}} if on_top else {})


def test_settings_on_top_of_a_section_that_is_none_are_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("# a section?\ndata = 3\n")
    with pytest.raises(InvalidSetting, match="line 2, key 'data'"):
        from_recipe(path, {"data": {"name": "digits"}})


@given(st.lists(st.sampled_from(["# note", "", "[training]", "seed = 1", "[network]", "decay = 0.5"]), max_size=8))
def test_the_line_of_a_key_is_the_one_without_which_it_is_gone(lines: list[str]) -> None:
    text = "\n".join([*lines, "[last]", "x = 1"])
    try:
        toml.loads(text)
    except toml.TOMLDecodeError:
        return
    assert line_of(text, ("last", "x")) == len(lines) + 2
    found = line_of(text, ("network", "decay"))
    if found is not None and "network" in toml.loads(text):
        section = "decay" if "decay" in toml.loads(text)["network"] else "[network]"
        assert lines[found - 1].startswith(section)


@pytest.mark.parametrize("content", [None, [], "text", {"data": None}])
def test_anything_else_is_refused(content: Any) -> None:
    with pytest.raises(InvalidSetting):
        validated(content, "it")


@pytest.mark.parametrize("epochs", [2, 10, 99, 400, 2000])
def test_a_training_of_other_epochs_ends_as_cold_as_its_recipe(epochs: int) -> None:
    stated = from_recipe(recipe.find("digits"), {})
    asked = from_recipe(recipe.find("digits"), {"training": {"epochs": epochs}})
    assert temperature_in(asked, epochs - 1) == pytest.approx(temperature_in(stated, 99))
    assert temperature_in(asked, 0) == temperature_in(stated, 0)


def test_settings_that_do_not_fit_are_named_whatever_the_epochs() -> None:
    with pytest.raises(InvalidSetting, match=r"with other settings on top, key 'training.epochs'"):
        from_recipe(recipe.find("digits"), {"training": {"epochs": 0}})
    with pytest.raises(InvalidSetting, match="the annealed temperature would reach zero"):
        from_recipe(recipe.find("digits"), {"training": {"epochs": 2000, "annealing": 0.9}})


def test_an_annealing_that_is_given_stays_and_so_does_that_of_one_epoch() -> None:
    given = from_recipe(recipe.find("digits"), {"training": {"epochs": 10, "annealing": 0.5}})
    assert given.training.annealing == 0.5
    assert from_recipe(recipe.find("digits"), {"training": {"epochs": 1}}).training.annealing == 0.96
    assert from_recipe(recipe.find("digits"), {"training": {"epochs": 100}}).training.annealing == 0.96


def test_a_training_that_ends_warm_is_told_with_a_way_out() -> None:
    warm = from_recipe(recipe.find("digits"), {"training": {"epochs": 15, "annealing": 0.96}})
    note = note_on_temperature(warm)
    assert note is not None
    assert "the last of 15 epochs has the temperature 0.56" in note
    assert "anneal faster (training.annealing, now 0.96)" in note
    assert note_on_temperature(from_recipe(recipe.find("digits"), {"training": {"epochs": 15}})) is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"span": 4}, "`span`: nothing reads it here: it is of the connection 'src'"),
        ({"connection": "src", "kernel_length": 4}, "`kernel_length`.* 'asrc'"),
        ({"max_delay": 3}, "`max_delay`.*the connection 'delays'"),
        ({"revival": 0.1}, "`revival`.*the connection 'delays'"),
        ({"modes": 2}, "`modes`.*state-space neurons"),
        ({"tau_synapse": 2.0}, "`tau_synapse`.*the neuron 'cuba-lif'"),
        ({"dt": 2.0}, "`dt`.*samples that are events in time"),
        ({"permutation_seed": 3}, "`permutation_seed`.*`permute`"),
    ],
)
def test_a_setting_that_nothing_reads_is_refused_by_name(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        recipe.configured("digits", **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"connection": "src", "span": 4},
        {"connection": "k-asrc", "kernels": 2, "kernel_length": 9},
        {"neuron": "cuba-lif", "connection": "delays", "dropout": 0.0, "max_delay": 3, "revival": 0.1, "dt": 2.0},
        {"neuron": "ssm", "connection": "none", "modes": 2, "pole_learning_rate": 0.01},
        {"permute": True, "permutation_seed": 3},
    ],
    ids=str,
)
def test_a_setting_that_something_reads_is_taken(settings: dict[str, Any]) -> None:
    recipe.configured("digits", **settings)


def test_every_setting_that_may_go_unread_is_one() -> None:
    assert {key for group in unread.GROUPS for key in group.keys} | set(unread.OF_CONNECTIONS) <= set(keys.known())
