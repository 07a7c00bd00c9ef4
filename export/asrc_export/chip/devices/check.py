"""What a network takes of a device, and whether there is as much: the rules of the device's family."""

from __future__ import annotations

from types import ModuleType

from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip.devices import fpga, mcu
from asrc_export.chip.devices.device import Device, DeviceRule, Resource
from asrc_export.chip.rules.check import passed, sorted_by_blocking
from asrc_export.chip.rules.finding import Finding
from asrc_export.chip.shape import NetworkShape, of_network

_FAMILIES: dict[str, ModuleType] = {"mcu": mcu, "fpga": fpga}
RULES: dict[str, tuple[DeviceRule, ...]] = {name: module.RULES for name, module in _FAMILIES.items()}
"""The rules of each family."""


def resources(shape: NetworkShape, device: Device) -> list[Resource]:
    """How much of each of its resources a network of this shape takes of the device."""
    found: list[Resource] = _FAMILIES[device.family].resources(shape, device)
    return found


def check(shape: NetworkShape, device: Device) -> list[Finding]:
    """All findings of the rules of the device's family, blocking ones first: what can be said before training."""
    return sorted_by_blocking(finding for rule in RULES[device.family] for finding in rule(shape, device))


def check_network(network: IntegerNetwork, device: Device) -> list[Finding]:
    """The same of an integer network."""
    return check(of_network(network), device)


def require(network: IntegerNetwork, device: Device) -> list[Finding]:
    """The findings that do not block. Raises RulesBroken listing all that do."""
    return passed(check_network(network, device), device)
