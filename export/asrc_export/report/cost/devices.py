"""What the network takes of each microcontroller and FPGA that the package knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip import devices, shape
from asrc_export.chip.devices import built
from asrc_export.chip.devices.device import Resource
from asrc_export.report.part import Part
from asrc_export.report.table import Table, number

Amount = Annotated[float, Field(ge=0)]


class DeviceResource(Part):
    """How much of one of its resources the network takes of a device; its unit stands beside it."""

    name: str
    used: Amount
    unit: str
    limit: int | None = Field(description="What the device has of it; null where nothing limits it.")
    basis: str = Field(description="How the number came about.")


class Device(Part):
    """One device."""

    name: str
    title: str
    family: str
    fits: bool = Field(description="Whether none of its rules is broken.")
    resources: tuple[DeviceResource, ...]


def of(network: IntegerNetwork, builds: Sequence[built.Summary] = ()) -> tuple[Device, ...]:
    """All devices of the package, the network's sizes beside their limits; and what its circuits took where they were
    built. Summaries of other networks are passed over.
    """
    digest = network_file.fingerprint(network) if builds else ""
    mine = [each for each in builds if each.network_sha256 == digest]
    sizes, found = shape.of_network(network), []
    for device in map(devices.load, devices.names()):
        rows = devices.resources(sizes, device)
        for each in mine:
            rows += built.resources(each) if each.device == device.name else []
        broken = any(each.blocks for each in devices.check(sizes, device))
        if rows:
            found.append(_device(device.name, device.title, device.family, not broken, rows))
    known = devices.names()
    found += [_device(e.device, e.title, "fpga", True, built.resources(e)) for e in mine if e.device not in known]
    return tuple(found)


def _device(name: str, title: str, family: str, fits: bool, rows: Sequence[Resource]) -> Device:
    resources = tuple(DeviceResource(**vars(each)) for each in rows)
    return Device(name=name, title=title, family=family, fits=fits, resources=resources)


def table(found: Sequence[Device]) -> Table:
    """A row for each resource of each device."""
    return Table(
        "devices",
        "Microcontrollers and FPGAs",
        ("device", "fits", "resource", "takes", "of", "unit", "basis"),
        [
            (device.title, fits, each.name, _amount(each.used), number(each.limit), each.unit, each.basis)
            for device in found
            for fits in ["yes" if device.fits else "no"]
            for each in device.resources
        ],
        "The same network, bit for bit. The size and speed of a circuit are told once it was built (--build).",
    )


def _amount(value: float) -> str:
    return number(int(value) if value == int(value) else value)
