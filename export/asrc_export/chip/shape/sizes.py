"""Sizes of a network without its weights: what placement, storage and the rules about sizes need to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asrc_core.contract.numbers import LINE_BITS, STATE_MAX, Mapping

MEMBRANE_BITS = STATE_MAX.bit_length() + 1


@dataclass(frozen=True)
class ConnectionShape:
    """Synapses from ``inputs`` channels or neurons of a source to all neurons of a layer."""

    source: str
    inputs: int
    weight_bits: int
    lag: int = 0
    """The longest of them, in steps of the contract."""
    least_lag: int = 0
    mapping: Mapping = "delay-line"
    recurrent: bool = False
    """Whether it comes from the layer itself or from a later one."""
    taps: int = 1
    """How many lags one message is the weighted sum of."""
    delay_for_each: bool = False
    """Whether every synapse has a lag of its own."""
    graded: bool = False
    """Whether its messages are more than spikes."""
    largest_message: int = 1
    fan_out: tuple[tuple[int, int], ...] | None = None
    """How many weights other than 0 lead from a source, and how many sources have so many; None where all are there."""
    wait: int = 0
    """Steps of the chip that its messages are kept on their way, at most. Set by `linked`."""

    @property
    def in_line(self) -> bool:
        """Whether its messages are read from delay lines of the neurons that send."""
        return self.lag > 0 and self.mapping == "delay-line"

    @property
    def delay_bits(self) -> int:
        """Bits of each of its synapses that hold a delay."""
        return 0 if self.in_line else delay_bits(self.wait)


@dataclass(frozen=True)
class LayerShape:
    """A layer, or the readout, and all that leads to it."""

    name: str
    neurons: int
    connections: tuple[ConnectionShape, ...]
    kind: str = "lif"
    state_bits: tuple[int, ...] = (MEMBRANE_BITS,)
    """Width of each state of a neuron."""
    keeps_word: bool = False
    """Whether one of them is the word of a neuron's last 32 spikes, which is all that a delay line holds."""
    own_constants: tuple[int, ...] = ()
    """Bits of each constant that differs from neuron to neuron, biases left out."""
    groups: int = 1
    """Sets of neurons that share all their constants, biases left out."""
    weighted_steps: bool = False
    """Whether it multiplies what it adds up by a weight for each step."""
    start: int = 0
    """Steps of the chip by which it works behind the first layer. Set by `linked`."""
    line: bool = False
    """Whether some connection reads delay lines of its neurons that are no state of theirs. Set by `linked`."""

    @property
    def sources(self) -> int:
        """Neurons or channels that reach every neuron of the layer, counted once for each connection."""
        return sum(each.inputs for each in self.connections)

    @property
    def inputs(self) -> int:
        """Those of them that are computed before the layer."""
        return sum(each.inputs for each in self.connections if not each.recurrent)

    @property
    def span(self) -> int:
        """The longest lag of what comes back, 0 where nothing does."""
        return max((each.lag for each in self.connections if each.recurrent), default=0)

    @property
    def delay_bits(self) -> int:
        """The most bits that any of its synapses holds a delay in."""
        return max(each.delay_bits for each in self.connections)

    @property
    def neuron_bits(self) -> int:
        """Bits of state of one neuron, with its delay line."""
        return sum(self.state_bits) + LINE_BITS * self.line


def common_mapping(layers: Sequence[LayerShape]) -> Mapping | None:
    """Where all connections keep past spikes, None where they differ; only those with a lag count, if any has one."""
    every = [each for layer in layers for each in layer.connections]
    found = {each.mapping for each in every if each.lag} or {each.mapping for each in every}
    return found.pop() if len(found) == 1 else None


def delay_bits(delay: int) -> int:
    """Bits that a synapse needs to store a delay of 0 to ``delay`` steps."""
    return delay.bit_length() if delay > 0 else 0
