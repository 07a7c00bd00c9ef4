"""Named recipes: the files in `recipes/`, one TOML each."""

from __future__ import annotations

from pathlib import Path

from asrc_train.errors import UnknownName

FOLDER = Path(__file__).parent / "recipes"


def names() -> list[str]:
    """Recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name_or_path: str) -> Path:
    """The file of a recipe given by name, or by a path that ends in .toml. Raises UnknownName."""
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    if name_or_path not in names():
        raise UnknownName("recipe", name_or_path, [*names(), "or a path ending in .toml"])
    return FOLDER / f"{name_or_path}.toml"
