"""FPGAs: cells, memory blocks and multipliers, from the sizes of the network alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asrc_export.chip.devices.device import Blocks, Cells, Device, DeviceRule, Resource
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets.quantity import Bits


class Fpga(Device):
    """An array of look-up tables with flip-flops, memory blocks and multipliers."""

    family: Literal["fpga"]
    part: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+.-]{0,31}$")]
    """What place and route calls it."""
    logic_cells: Cells
    block_rams: Blocks
    block_ram_bits: Bits
    """Of one block."""
    large_rams: Blocks | None = None
    """Single-port memories beside the blocks, if it has any."""
    large_ram_bits: Bits | None = None
    multipliers: Blocks


def resources(shape: NetworkShape, device: Fpga) -> list[Resource]:
    """What is known of an FPGA from the sizes of a network: nothing yet."""
    return []


RULES: tuple[DeviceRule, ...] = ()
