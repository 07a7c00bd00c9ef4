"""Rules about delays: what synapses hold, what that costs, and loops too short for spikes on their way."""

from __future__ import annotations

import math
from collections.abc import Iterator

from asrc_core.contract.synapses.connection import train_within
from asrc_core.counts import plural
from asrc_export.chip.rules.finding import Finding, connections, sentence
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.targets import Target


def short_loop(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A spike takes a step on its way, so the lags of a loop add up to at least a step for each of its connections."""
    # Neurons with a program can idle in between, so that a step takes several of the chip's; others cannot.
    fixed = target.neurons is not None and not target.neurons.programmable
    for layer, each in connections(shape):
        missing = -(each.wait - each.lag + each.least_lag)
        if missing > 0:
            yield Finding(
                sentence(short_loop),
                layer.name,
                f"lag {each.least_lag} from '{each.source}'",
                f"at least {each.least_lag + missing}",
                "lengthen the lags of that loop" + ("" if fixed else "; else each step takes several of the chip's"),
                blocks=fixed,
            )


def synaptic_delay(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A synapse can delay a spike by a limited number of steps (a span is one step longer)."""
    longest = target.limits.max_synaptic_delay.count
    for layer, each in connections(shape):
        if not each.in_line and each.wait > longest:
            yield Finding(
                sentence(synaptic_delay),
                layer.name,
                f"delay {each.wait} (span {each.lag})",
                str(longest),
                train_within(longest + each.lag - each.wait),
                blocks=True,
            )


def delay_bits_against_neurons(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Each bit of synaptic delay halves the neurons that one core can hold."""
    slots, most = target.limits.delay_slots_per_core, target.limits.neurons_per_core.count
    if slots is None:
        return
    for layer in shape.layers:
        bits, wanted = layer.delay_bits, min(layer.neurons, most)
        held = slots.count >> bits
        if bits and wanted > held:
            longest = max(each.lag for each in layer.connections if each.delay_bits == bits)
            # The most delay bits at which the layer, or a core's worth of it, has a slot for each neuron.
            enough = int(math.log2(max(1, slots.count // wanted)))
            yield Finding(
                sentence(delay_bits_against_neurons),
                layer.name,
                f"{plural(layer.neurons, 'neuron')} with {bits} delay bits (span {longest})",
                f"{held} a core",
                f"spans up to {2**enough} keep {wanted} on one core",
                blocks=held == 0,
            )
