"""Device files: found by name or path, read, and checked in the form of their family."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from asrc_core.errors import UnknownName, UnreadableFile
from asrc_export.chip import targets
from asrc_export.chip.devices.device import Device
from asrc_export.chip.devices.fpga import Fpga
from asrc_export.chip.devices.mcu import Microcontroller
from asrc_export.chip.targets import Target
from asrc_export.chip.targets.target_file import is_path, read_toml, validated

FOLDER = targets.FOLDER / "devices"
FAMILIES: dict[str, type[Device]] = {"mcu": Microcontroller, "fpga": Fpga}
FORM = "device file"


def names() -> list[str]:
    """Devices that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_path: str) -> Device:
    """A device by name, or from a file whose path ends in .toml.

    Raises UnknownName, or UnreadableFile naming the key that is missing, misspelt or out of range.
    """
    if is_path(name_or_path, "device", names()):
        return _validated(read_toml(name_or_path, FORM), name_or_path)
    return _packaged(name_or_path)


def the_device(name_or_path: str) -> Device | None:
    """The device of that name or file, None if it is no device's: a chip's, or nobody's."""
    if name_or_path in names():
        return load(name_or_path)
    if name_or_path.endswith(".toml") and "family" in read_toml(name_or_path, "target file"):
        return load(name_or_path)
    return None


def numbers(name_or_path: str) -> tuple[Target, Device | None]:
    """The chip in whose number formats a network for this target is rounded; and the device, if it is one.

    Raises what `load` raises, of either kind.
    """
    device = the_device(name_or_path)
    if device is None and not name_or_path.endswith(".toml") and name_or_path not in targets.names():
        otherwise = f"a device ({', '.join(names())}), or a path ending in .toml"
        raise UnknownName("target", name_or_path, targets.names(), otherwise)
    return targets.load(name_or_path if device is None else device.numbers), device


@cache
def _packaged(name: str) -> Device:
    path = str(Path(FOLDER, f"{name}.toml"))
    return _validated(read_toml(path, FORM), path)


def _validated(content: dict[str, Any], path: str) -> Device:
    family = content.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        why = f"key 'family': it is {family!r}, there are {', '.join(FAMILIES)}"
        raise UnreadableFile(path, FORM, why, "correct that key")
    device = validated(FAMILIES[family], content, path, FORM)
    if device.numbers not in targets.names():
        why = f"key 'numbers': there is no chip '{device.numbers}', there are {', '.join(targets.names())}"
        raise UnreadableFile(path, FORM, why, "correct that key")
    return device
