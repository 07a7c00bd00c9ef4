"""A release: one version wherever it stands, and constraints that pin everything and name no host."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from asrc_core import __version__

if sys.version_info >= (3, 11):
    import tomllib as toml
else:
    import tomli as toml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = [
    line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
]
PIN = re.compile(r"([a-z0-9][a-z0-9.-]*)==[0-9][A-Za-z0-9.+!]* ; [a-z_A-Z0-9.'() <>=!-]+")
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_version_is_the_same_wherever_it_stands() -> None:
    released = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert PROJECT["version"] == __version__ == released[0]


def test_constraints_are_versions_for_some_pythons_and_name_no_host() -> None:
    assert len(PINS) > 100
    for line in PINS:
        assert PIN.fullmatch(line), line
        assert "python_full_version" in line, line


@pytest.mark.parametrize("python", ["<", ">="])
def test_constraints_pin_what_the_package_and_its_extras_ask_for(python: str) -> None:
    pinned = {normal(line.split("==")[0]) for line in PINS if f"python_full_version {python} '3.11'" in line}
    asked = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    for requirement in asked:
        match = REQUIREMENT.match(requirement)
        assert match is not None
        name = normal(match[0])
        if name != "asrc-toolchain" and not ("python_version <" in requirement and python == ">="):
            assert name in pinned, requirement
