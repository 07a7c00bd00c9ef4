"""Imports point one way: asrc_core <- asrc_train <- asrc_export <- asrc_lava, and only asrc_lava knows Lava."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "asrc_core": ROOT / "core",
    "asrc_train": ROOT / "train",
    "asrc_export": ROOT / "export",
    "asrc_lava": ROOT / "lava_models",
}
UPSTREAM = {
    "asrc_core": {"asrc_core"},
    "asrc_train": {"asrc_core", "asrc_train"},
    "asrc_export": {"asrc_core", "asrc_train", "asrc_export"},
    "asrc_lava": {"asrc_core", "asrc_train", "asrc_export", "asrc_lava"},
}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_upstream(package: str) -> None:
    files = list((PACKAGES[package] / package).rglob("*.py"))
    assert files
    for path in files:
        imported = imports_of(path)
        assert imported & PACKAGES.keys() <= UPSTREAM[package], path
        assert "tests" not in imported, path  # lava-nc installs a package of that name
        if package != "asrc_lava":
            assert "lava" not in imported, path


def rooms_of(path: Path, package: str) -> set[str]:
    """The folders, or files at the top, of its own package that a file imports."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            of_top = node.module == package
            named |= {f"{package}.{alias.name}" for alias in node.names} if of_top else {node.module}
        elif isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in named if name.startswith(f"{package}.")}


def test_rooms_of_a_package_import_one_way() -> None:
    """But for settings, which ask neurons and connections what fits them, and are what these are made of."""
    mutual = set()
    for package, home in PACKAGES.items():
        imported: dict[str, set[str]] = {}
        for path in (home / package).rglob("*.py"):
            room, *below = path.relative_to(home / package).parts
            own = room if below else path.stem
            imported.setdefault(own, set()).update(rooms_of(path, package) - {own})
        for one, others in imported.items():
            mutual |= {frozenset({one, other}) for other in others if leads(imported, other, one)}
    assert mutual == {frozenset({"settings", "network"})}


def leads(imported: dict[str, set[str]], start: str, end: str) -> bool:
    """Whether imports lead from one room to another."""
    seen, left = set(), [start]
    while left:
        room = left.pop()
        if room == end:
            return True
        if room not in seen:
            seen.add(room)
            left += imported.get(room, ())
    return False


def test_the_bottom_imports_only_what_the_light_install_brings() -> None:
    """Wherever in a file: not even within a function does asrc_core ask for PyTorch. Rich is done without if absent."""
    light = {"numpy", "pydantic", "safetensors", "tabulate", "tomli", "tomllib", "rich", *PACKAGES}
    for path in (PACKAGES["asrc_core"] / "asrc_core").rglob("*.py"):
        assert imports_of(path) - sys.stdlib_module_names <= light, path


@pytest.mark.parametrize("module", [*PACKAGES, "asrc_train.commands.train", "asrc_lava.commands.sim"])
def test_importing_a_package_or_a_command_loads_nothing_heavy(module: str) -> None:
    heavy = ("torch", "lava", "onnx", "onnxruntime", "sklearn", "pydantic", "numpy")
    code = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
