"""Microcontrollers: flash holds the weights, RAM the states; both from the sizes of the network alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from asrc_core.counts import plural
from asrc_export.chip.devices.device import Bytes, Device, DeviceRule, Megahertz, Resource
from asrc_export.chip.rules.finding import Finding, sentence
from asrc_export.chip.shape import LayerShape, NetworkShape
from asrc_export.chip.targets.quantity import Bits

CODE = 4096
"""Bytes of instructions, at most, that a network of few layers compiles to; more layers and kinds take more."""
STACK = 1024
"""Bytes of RAM left to the program around it: the deepest call of ours takes less than a quarter of that."""
BASIS = "estimated from the sizes: weights and constants as they are written, and 4 KB of code"


class Microcontroller(Device):
    """A processor with flash and RAM on one chip."""

    family: Literal["mcu"]
    cpu: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_+.-]{0,31}$")]
    """What cross compilers call it."""
    word: Bits
    clock: Megahertz
    """The fastest it runs."""
    flash: Bytes
    ram: Bytes


class Memory(NamedTuple):
    """Bytes of flash and of RAM."""

    flash: int
    ram: int


def memory(shape: NetworkShape) -> Memory:
    """What the generated C takes, estimated from the sizes of the network.

    Flash: a byte a weight (neurons of a layer rounded up to fours), one more for a synapse with a delay of its own,
    the constants of neurons, `CODE`. RAM: 4 bytes a state (8 beyond 32 bits); what was sent in each of the last steps
    that somebody hears, a bit a spike; with a delay for each synapse the sums of all steps to come; lists of events;
    `STACK`.
    """
    flash, ram = CODE, STACK
    for layer in shape.layers:
        for each in layer.connections:
            flash += rounded(layer.neurons, 4) * each.inputs * (2 if each.delay_for_each else 1)
            ram += 2 * each.inputs * (2 if each.graded else 1)
            if each.delay_for_each:
                ram += 4 * layer.neurons * slots(each.lag)
        flash += layer.neurons * (4 + sum(-(-bits // 8) for bits in layer.own_constants))
        ram += layer.neurons * sum(4 if bits <= 32 else 8 for bits in layer.state_bits) + _history(shape, layer)
    return Memory(flash, ram)


def slots(lag: int) -> int:
    """Steps for which something is kept to be heard so much later: a power of two."""
    return 1 << lag.bit_length()


def rounded(count: int, to: int) -> int:
    """The count, or the next multiple."""
    return -(-count // to) * to


def _history(shape: NetworkShape, layer: LayerShape) -> int:
    """Bytes of what the layer sent that is still to be heard."""
    heard = [each for other in shape.layers for each in other.connections if each.source == layer.name]
    kept = slots(max((each.lag for each in heard if not each.delay_for_each), default=0))
    graded = any(each.graded and each.taps == 1 for each in heard)
    return kept * (layer.neurons if graded else rounded(layer.neurons, 32) // 8)


def resources(shape: NetworkShape, device: Microcontroller) -> list[Resource]:
    """Flash and RAM."""
    taken = memory(shape)
    return [
        Resource("flash", taken.flash, "bytes", device.flash.count, BASIS),
        Resource("RAM", taken.ram, "bytes", device.ram.count, BASIS),
    ]


def flash(shape: NetworkShape, device: Microcontroller) -> Iterator[Finding]:
    """The weights of all layers and the code lie in the microcontroller's flash."""
    taken, limit = memory(shape).flash, device.flash.count
    if taken > limit:
        yield Finding(
            sentence(flash),
            "network",
            f"{plural(taken, 'byte')}",
            f"{plural(limit, 'byte')} ({device.flash.certainty})",
            "fewer neurons, or a device with more flash",
            blocks=True,
        )


def static_ram(shape: NetworkShape, device: Microcontroller) -> Iterator[Finding]:
    """States, spikes under way and the stack lie in the microcontroller's RAM."""
    taken, limit = memory(shape).ram, device.ram.count
    if taken > limit:
        yield Finding(
            sentence(static_ram),
            "network",
            f"{plural(taken, 'byte')}",
            f"{plural(limit, 'byte')} ({device.ram.certainty})",
            "fewer neurons, shorter delays for each synapse, or a device with more RAM",
            blocks=True,
        )


RULES: tuple[DeviceRule, ...] = (flash, static_ram)
