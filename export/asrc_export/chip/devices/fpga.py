"""FPGAs: memory for weights and lists, from the sizes of the network alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from asrc_core.counts import plural
from asrc_export.chip.devices.device import Blocks, Cells, Device, DeviceRule, Resource
from asrc_export.chip.rules.finding import Finding, sentence
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets.quantity import Bits

BASIS = "estimated from the sizes: all weights as wide as the widest, with a delay beside each where synapses have one"


class Fpga(Device):
    """An array of look-up tables with flip-flops, memory blocks and multipliers."""

    family: Literal["fpga"]
    architecture: Literal["ice40", "ecp5"]
    """Which of the tools synthesise for it."""
    part: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+.-]{0,31}$")]
    """What place and route calls it."""
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+.-]{0,31}$")]
    lanes: Annotated[int, Field(ge=1, le=64)]
    """Neurons whose sums grow at once in the circuit that is built for it."""
    pipes: Annotated[int, Field(ge=1, le=2)]
    """Events that are added at once."""
    weights_in: Literal["block RAM", "large RAM"]
    """Where the weights lie: in blocks that the bitstream fills, or in large memories that are loaded."""
    logic_cells: Cells
    block_rams: Blocks
    block_ram_bits: Bits
    """Of one block."""
    large_rams: Blocks | None = None
    """Single-port memories beside the blocks, if it has any."""
    large_ram_bits: Bits | None = None
    multipliers: Blocks


def weight_bits(shape: NetworkShape, lanes: int) -> int:
    """Bits of all rows of weights: a row holds those of one source for a group of neurons, all of them as wide as the
    widest, whether the group is full or not.
    """
    each = [link for layer in shape.layers for link in layer.connections]
    wide = max(link.weight_bits for link in each)
    delay = max(((link.lag - link.least_lag).bit_length() for link in each if link.delay_for_each), default=0)
    rows = sum(-(-layer.neurons // lanes) * link.inputs for layer in shape.layers for link in layer.connections)
    return rows * lanes * (wide + delay)


def capacity(device: Fpga) -> int:
    """Bits of the memory in which weights lie."""
    if device.weights_in == "large RAM" and device.large_rams is not None and device.large_ram_bits is not None:
        return device.large_rams.count * device.large_ram_bits.count
    return device.block_rams.count * device.block_ram_bits.count


def resources(shape: NetworkShape, device: Fpga) -> list[Resource]:
    """Bits of weights."""
    name = f"weights in {device.weights_in}"
    return [Resource(name, weight_bits(shape, device.lanes), "bits", capacity(device), BASIS)]


def weight_memory(shape: NetworkShape, device: Fpga) -> Iterator[Finding]:
    """The weights of all layers, with their delays, lie in the FPGA's memory."""
    taken, limit = weight_bits(shape, device.lanes), capacity(device)
    if taken > limit:
        yield Finding(
            sentence(weight_memory),
            "network",
            f"{plural(taken, 'bit')}",
            f"{plural(limit, 'bit')} of {device.weights_in} ({device.block_rams.certainty})",
            "fewer neurons, fewer bits a weight, or a larger device",
            blocks=True,
        )


RULES: tuple[DeviceRule, ...] = (weight_memory,)
