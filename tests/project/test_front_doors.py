"""Public names stand at each package's front door, and are what they are called."""

from __future__ import annotations

import importlib

import pytest

PACKAGES = ("asrc_core", "asrc_train", "asrc_export", "asrc_lava")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_and_nothing_else(package: str) -> None:
    door = importlib.import_module(package)
    assert door.__all__ == sorted(door.__all__)
    for name in door.__all__:
        found = getattr(door, name)
        assert name == "__version__" or getattr(found, "__name__", name).split(".")[-1] == name
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = door.nothing
