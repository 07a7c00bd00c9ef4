"""Rules about what neurons and inputs send, and the register that adds it up."""

from __future__ import annotations

from collections.abc import Iterator

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.counts import plural
from asrc_export.chip.accumulator import activation_shift
from asrc_export.chip.rules.finding import Finding, connections, sentence
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets import Target


def graded_spikes(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Spikes carry a payload of a limited number of bits."""
    bits = target.formats.graded_spike_bits.count
    low, high = shape.input_minimum, shape.input_maximum
    needed = max(abs(low), abs(high)).bit_length()
    if needed > bits and not Range(low, high).is_bit:
        yield Finding(
            sentence(graded_spikes),
            shape.layers[0].name,
            f"input of {plural(needed, 'bit')}",
            f"{plural(bits, 'bit')}" if bits else "binary",
            "let the host or an embedded processor form the first layer's products, or use loihi2",
            blocks=False,
        )


def graded_recurrence(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A layer that taps several spans at once is sent their weighted sum, as the payload of a graded spike."""
    bits = target.formats.graded_spike_bits.count
    for layer, each in connections(shape):
        needed = each.largest_message.bit_length()
        if each.taps > 1 and each.source != INPUT and needed > bits:
            yield Finding(
                sentence(graded_recurrence),
                layer.name,
                f"{plural(each.taps, 'span')}, messages of {plural(needed, 'bit')}",
                f"{plural(bits, 'bit')}" if bits else "binary",
                "train with one span for each layer, or use loihi2",
                blocks=True,
            )


def graded_neurons(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Neurons that send numbers send them as the payload of graded spikes."""
    bits = target.formats.graded_spike_bits.count
    for layer, each in connections(shape):
        needed = each.largest_message.bit_length()
        if each.graded and each.taps == 1 and each.source != INPUT and needed > bits:
            yield Finding(
                sentence(graded_neurons),
                layer.name,
                f"messages of {plural(needed, 'bit')} from '{each.source}'",
                f"{plural(bits, 'bit')}" if bits else "binary",
                "use a kind that sends spikes, or loihi2",
                blocks=True,
            )


def synaptic_accumulator(network: IntegerNetwork, target: Target) -> Iterator[Finding]:
    """The register that sums a step's synaptic input has a limited width, and wraps beyond it."""
    bits = target.formats.accumulator_bits
    if bits is None:
        return
    limit = 2 ** (bits.count - 1) - 1
    for layer, ranges in zip(network.hidden, network.ranges, strict=False):
        reach = sum(each.magnitude for each in (ranges.feedforward, ranges.recurrent) if each is not None)
        reach <<= activation_shift(layer)
        if reach > limit:
            yield Finding(
                sentence(synaptic_accumulator),
                layer.name,
                f"worst case {reach}",
                str(limit),
                "compare with the range observed on calibration data; fewer inputs or smaller weights lower it",
                blocks=False,
            )
