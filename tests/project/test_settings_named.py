"""The library is free of command lines: its words name settings, and only commands name options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from asrc_core.command import options
from asrc_export.commands import analyze, check, export, report, robustness
from asrc_lava.commands import demo, sim
from asrc_train.commands import sweep, train

ROOT = Path(__file__).parents[2]
PACKAGES = ("core/asrc_core", "train/asrc_train", "export/asrc_export", "lava_models/asrc_lava")
COMMAND_ROOMS = {"command", "commands"}
OPTION = re.compile(r"(?<![\w(-])--[a-z][a-z-]*")  # not `var(--ink)`, a variable of a style sheet
SETTING = re.compile(r"`([a-z][a-z_]*)[`=]")
"""As `options.SETTING`, but its value may be in another part of an f-string."""
OF_UV = {"--python", "--no-project"}
"""What our modules say to uv, which they start."""
MODULES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if not COMMAND_ROOMS & set(path.relative_to(ROOT).parts)
]
PARSERS = [module._parser() for module in (train, sweep, analyze, export, report, check, robustness, sim, demo)]


def texts(path: Path, documentation: bool = True) -> Iterator[str]:
    """Every string of a module, the parts of f-strings included; without ``documentation`` no docstrings, which are
    statements of their own.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        told = isinstance(node, ast.Constant) and (documentation or id(node) not in statements)
        if told and isinstance(node.value, str):
            yield node.value


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 150
    assert any("--bits" in text for text in texts(ROOT / "export/asrc_export/commands/export.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_of_the_library_names_no_option(path: Path) -> None:
    named = {option for text in texts(path) for option in OPTION.findall(text)}
    assert not named - OF_UV


def test_every_setting_that_an_error_names_is_one_that_commands_have_an_option_for() -> None:
    """So that what a command prints in its place can be typed."""
    known = set().union(*map(options.of, PARSERS))
    named = {
        setting: path
        for path in MODULES
        for text in texts(path, documentation=False)
        for setting in SETTING.findall(text)
    }
    assert {"bits", "mapping", "kernel_length"} <= named.keys()
    assert not {setting: path for setting, path in named.items() if setting not in known}
