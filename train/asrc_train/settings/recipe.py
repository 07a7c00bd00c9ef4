"""Named recipes: the files in `asrc_train/recipes/`, one TOML each."""

from __future__ import annotations

from pathlib import Path

from asrc_core.errors import UnknownName

FOLDER = Path(__file__).parents[1] / "recipes"

OWN_DATA = Path(__file__).parent / "own_data.toml"
"""Settings for samples of one's own, to which no recipe belongs."""


def names() -> list[str]:
    """Recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name_or_path: str) -> Path:
    """The file of a recipe given by name, or by a path that ends in .toml. Raises UnknownName.

    The paper's recipes are named task-connection-parameters; a task alone stands for its smallest adaptive network.
    """
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    known = names()
    found = [name for name in known if name == name_or_path or name.startswith(f"{name_or_path}-asrc-")]
    if not found:
        raise UnknownName("recipe", name_or_path, known, "a path ending in .toml")
    return FOLDER / f"{found[0]}.toml"
