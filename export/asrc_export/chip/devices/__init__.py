"""Devices that are no neuromorphic chips: microcontrollers and FPGAs, as data; what a network takes of one.

A device is a file `targets/devices/NAME.toml`. Its `family` says which form it has and which rules it is asked:
a family is a file here, with its form, its `resources` and its `RULES`. Devices have no number formats of their own:
they compute whatever integers the contract knows, and a network that is exported for one is rounded as for the chip
that the device's file names.
"""

from asrc_export.chip.devices.check import RULES, check, check_network, require, resources
from asrc_export.chip.devices.device import Device, Resource
from asrc_export.chip.devices.device_file import FAMILIES, FOLDER, load, names, numbers, the_device

__all__ = [
    "FAMILIES",
    "FOLDER",
    "RULES",
    "Device",
    "Resource",
    "check",
    "check_network",
    "load",
    "names",
    "numbers",
    "require",
    "resources",
    "the_device",
]
