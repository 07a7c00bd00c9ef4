"""What the network takes of each microcontroller and FPGA that the package knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from asrc_core.contract.network import IntegerNetwork
from asrc_export.chip import devices, shape
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


def of(network: IntegerNetwork) -> tuple[Device, ...]:
    """All devices of the package, the network's sizes beside their limits."""
    sizes, found = shape.of_network(network), []
    for device in map(devices.load, devices.names()):
        rows = [DeviceResource(**vars(each)) for each in devices.resources(sizes, device)]
        broken = any(each.blocks for each in devices.check(sizes, device))
        if rows:
            found.append(
                Device(
                    name=device.name,
                    title=device.title,
                    family=device.family,
                    fits=not broken,
                    resources=tuple(rows),
                )
            )
    return tuple(found)


def table(found: Sequence[Device]) -> Table:
    """A row for each resource of each device."""
    return Table(
        "devices",
        "Microcontrollers and FPGAs",
        ("device", "fits", "resource", "takes", "of", "unit", "basis"),
        [
            (device.title, fits, each.name, number(int(each.used)), number(each.limit), each.unit, each.basis)
            for device in found
            for fits in ["yes" if device.fits else "no"]
            for each in device.resources
        ],
        "The same network, bit for bit.",
    )
