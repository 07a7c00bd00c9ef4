"""Named recipes: the files in `asrc_train/recipes/`, one TOML each."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from asrc_core.errors import InvalidSetting, UnknownName
from asrc_train import data
from asrc_train.settings.config import Config, DataConfig, NetworkConfig, TrainingConfig, from_recipe
from asrc_train.settings.unread import require_read

SECTIONS: dict[str, type[BaseModel]] = {"data": DataConfig, "network": NetworkConfig, "training": TrainingConfig}
FOLDER = Path(__file__).parents[1] / "recipes"

OWN_DATA = Path(__file__).parent / "own_data.toml"
"""Settings for samples of one's own, to which no recipe belongs."""


def names() -> list[str]:
    """Recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name_or_path: str) -> Path:
    """The file of a recipe given by name, by a path that ends in .toml, or by that of samples of one's own.

    Raises UnknownName.

    The paper's recipes are named task-connection-parameters; a task alone stands for its smallest adaptive network.
    """
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    known = names()
    if name_or_path not in known and data.is_path(name_or_path):
        return OWN_DATA
    found = [name for name in known if name == name_or_path or name.startswith(f"{name_or_path}-asrc-")]
    if not found:
        raise UnknownName("recipe", name_or_path, known, "a path ending in .toml")
    return FOLDER / f"{found[0]}.toml"


def read(name_or_path: str, overrides: Mapping[str, Mapping[str, Any]]) -> Config:
    """The configuration in a recipe's file (`find`) with the overrides on top.

    Samples of one's own are the data set, unless the overrides name another.

    Raises UnknownName, UnreadableFile, InvalidSetting.
    """
    file = find(name_or_path)
    own = {"name": name_or_path} if file == OWN_DATA else {}
    on_top = {name: dict(section) for name, section in overrides.items()}
    return from_recipe(file, {**on_top, "data": {**own, **on_top.get("data", {})}})


def configured(recipe: str | Path, **settings: Any) -> Config:
    """A recipe, by name or by the path of a TOML file, with settings on top: what asrc-train's options say.

    ``configured("digits", hidden=(32, 32), epochs=20, seed=1)``; a setting is a key of any of a recipe's sections, and
    ``data`` the data set's name, or the path of samples of one's own. ``configured("my.npz")`` takes both from there:
    the samples, and the settings that asrc-train starts from with samples of one's own.

    Raises UnknownName, UnreadableFile, and InvalidSetting naming the key that does not fit, or that nothing reads.
    """
    if not isinstance(recipe, str | Path):
        what = "neither a recipe's name nor the path of a TOML file or of samples"
        raise InvalidSetting("recipe", f"{recipe!r} is {what}")
    known = {key: section for section, form in SECTIONS.items() for key in form.model_fields if key != "name"}
    overrides: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        if key != "data" and key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean '{near[0]}'" if near else f"known are {', '.join(sorted(known))}"
            raise InvalidSetting(key, f"there is no such setting; {hint}")
        section, name = ("data", "name") if key == "data" else (known[key], key)
        overrides.setdefault(section, {})[name] = value
    config = read(str(recipe), overrides)
    require_read(config, overrides)
    return config
