"""The tree that a newcomer meets: rooms of a dozen modules at most, and imports without a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "asrc_core": ROOT / "core",
    "asrc_train": ROOT / "train",
    "asrc_export": ROOT / "export",
    "asrc_lava": ROOT / "lava_models",
}
MOST = 12
CHOICES = {"asrc_train/data", "asrc_train/network/neurons", "asrc_train/network/connections"}
"""Folders in which each file is a choice of its own: a list that grows, not a room to find one's way in."""


def modules() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    found = {}
    for folder in PACKAGES.values():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What runs when a module is imported: not what is inside functions, nor only for type checkers."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and not ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from at_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try | ast.With | ast.ClassDef):
            yield from at_import(node.body)


def imported(name: str) -> set[str]:
    """Modules of the product that a module imports when it is imported itself, packages above them left out."""
    found = set()
    for node in at_import(ast.parse(MODULES[name].read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = names & MODULES.keys()
            found |= inside | ({node.module} if len(inside) < len(names) else set())
    return (found & MODULES.keys()) - {name}


def test_no_imports_go_in_a_circle() -> None:
    graph = {name: imported(name) for name in MODULES}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"these import each other: {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_has_more_than_a_dozen_modules(package: str) -> None:
    for folder in [path for path in (PACKAGES[package] / package).rglob("*") if path.is_dir()]:
        name = str(folder.relative_to(PACKAGES[package]))
        files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST or name in CHOICES, f"{name}: {sorted(files)}"


def test_nothing_at_the_bottom_imports_pytorch() -> None:
    for name, path in MODULES.items():
        if name.startswith("asrc_core"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not any(each.split(".")[0] == "torch" for each in named), name
