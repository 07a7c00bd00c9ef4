"""Rules about delay lines: how far neurons remember, and in how many places they are read."""

from __future__ import annotations

from collections.abc import Iterator

from asrc_core.contract.numbers import LINE_BITS, MAX_SPAN, MAX_TAPS, SYNAPTIC_DELAY_MAX
from asrc_core.contract.synapses.connection import train_within
from asrc_core.counts import plural
from asrc_export.chip.rules.finding import Finding, connections, sentence
from asrc_export.chip.shape import NetworkShape
from asrc_export.chip.shape.sizes import MEMBRANE_BITS
from asrc_export.chip.targets import Target


def spike_history(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A delay line remembers 32 steps, and synapses delay a spike for 63 steps at most."""
    further = MAX_SPAN["synaptic-delay"]
    for layer, each in connections(shape):
        reach = MAX_SPAN[each.mapping] if each.recurrent or each.in_line else SYNAPTIC_DELAY_MAX
        if each.lag > reach:
            other = f"`mapping='synaptic-delay'` (spans up to {further}), or " if each.lag <= further else ""
            yield Finding(
                sentence(spike_history),
                layer.name,
                f"span {each.lag}",
                str(reach),
                other + train_within(reach),
                blocks=True,
            )


def delay_line_state(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A delay line takes 32 bits of a neuron's own state and a neuron that can be programmed to shift them."""
    history = target.limits.history_bits_per_neuron
    if history is None:
        return
    for layer in shape.layers:
        # What the target states is left by one membrane; further states take their part of it.
        free = max(0, history.count - (sum(layer.state_bits) - MEMBRANE_BITS))
        if layer.line and free < LINE_BITS:
            yield Finding(
                sentence(delay_line_state),
                layer.name,
                f"{LINE_BITS} bits",
                f"{plural(free, 'bit')} ({history.certainty})",
                "`mapping='synaptic-delay'` keeps past spikes in the synapses",
                blocks=False,
            )


def taps_of_a_delay_line(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A neuron reads its delay line in a few places at most."""
    for layer, each in connections(shape):
        if each.taps > MAX_TAPS:
            yield Finding(
                sentence(taps_of_a_delay_line),
                layer.name,
                f"{plural(each.taps, 'span')} at once",
                str(MAX_TAPS),
                f"train with {MAX_TAPS} kernels or fewer",
                blocks=True,
            )


def several_spans(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """Several spans at once are taps of one delay line; as synaptic delays, each takes a copy of the weights."""
    for layer, each in connections(shape):
        if not each.in_line and each.taps > 1:
            yield Finding(
                sentence(several_spans),
                layer.name,
                f"{plural(each.taps, 'span')}",
                "1",
                "`mapping='delay-line'`",
                blocks=True,
            )
