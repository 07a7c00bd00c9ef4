"""Extras: who lacks one is told its name in a sentence."""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from asrc_core import extras
from asrc_core.command import command_line
from asrc_core.errors import AsrcError, ExtraMissing
from asrc_core.forms import toml

ROOT = Path(__file__).parents[2]
DECLARED: dict[str, list[str]] = toml.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def brought_by(extra: str) -> set[str]:
    """The distributions that an extra asks for, those of extras within it included."""
    names = set()
    for requirement in DECLARED[extra]:
        within = re.match(r"asrc-toolchain\[(.*)\]", requirement)
        if within:
            names |= set().union(*map(brought_by, within[1].split(",")))
        else:
            names.add(re.split(r"[^\w-]", requirement)[0])
    return names


def test_the_table_names_every_extra_but_those_without_modules_of_their_own() -> None:
    assert extras.MODULES.keys() == DECLARED.keys() - {"all", "lava-dl"}


def test_the_extra_all_brings_all() -> None:
    assert brought_by("all") == set().union(*map(brought_by, DECLARED))


@pytest.mark.parametrize("extra", extras.MODULES)
def test_an_extra_brings_the_modules_that_it_is_said_to(extra: str) -> None:
    distributions = packages_distributions()
    for module in extras.MODULES[extra]:
        if module in distributions:  # those that are installed say what they belong to
            assert brought_by(extra) & {name.lower() for name in distributions[module]}, module


def test_the_packages_that_the_light_install_brings_belong_to_no_extra() -> None:
    base = toml.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in base}
    assert not names & brought_by("all")


def test_what_an_extra_lacks_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.MODULES, "train", ("numpy", "no_such_module"))
    with pytest.raises(ExtraMissing) as told:
        extras.require("train")
    assert str(told.value) == (
        "package 'no_such_module' is not installed; install it with: pip install 'asrc-toolchain[train]'."
    )
    extras.require("train", ["numpy"])


def test_an_import_names_the_extra_that_brings_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ExtraMissing, match=r"'h5py' is not installed.*\[data\]"), extras.importing():
        import h5py
    with pytest.raises(ExtraMissing, match=r"'h5py' is not installed.*\[netx\]"), extras.importing("netx"):
        import h5py  # noqa: F401


def test_the_error_is_one_of_ours_and_an_import_error() -> None:
    assert issubclass(ExtraMissing, AsrcError)
    assert issubclass(ExtraMissing, ImportError)


def test_an_import_that_no_extra_mends_fails_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extras.importing():
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401


def test_a_command_tells_an_import_that_fails_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)

    def body() -> None:
        import jinja2  # noqa: F401

    assert command_line.run(command_line.parser("asrc-report", "", ""), body) == 1
    assert capsys.readouterr().err == (
        "asrc-report: package 'jinja2' is not installed; install it with: pip install 'asrc-toolchain[report]'.\n"
    )


def test_a_fault_of_our_own_imports_is_not_taken_for_a_missing_extra() -> None:
    def body() -> None:
        from asrc_core import no_such_name  # type: ignore[attr-defined]  # noqa: F401

    with pytest.raises(ImportError, match="no_such_name"):
        command_line.run(command_line.parser("asrc-sim", "", ""), body)
