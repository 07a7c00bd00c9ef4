"""What a circuit is made of before a line of it is printed: connections as event lists, rows of weights, a program.

The circuit walks over a list of instructions, one for each group of P neurons and each connection that leads to it. So
all addresses are known when it is printed, and nothing is computed for control but counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.ranges import Range, product_bounds
from asrc_core.contract.synapses.connection import Connection
from asrc_core.errors import InvalidSetting
from asrc_export.rtl.operations import bits_of

MAX_LANES = 64


@dataclass(frozen=True)
class Shape:
    """How much of a circuit there is.

    lanes: neurons whose sums grow at once (P). pipes: events that are added at once, 1 or 2: two need a weight memory
    with two ports. loadable: whether weights are written at the start, into memory that starts empty.
    sliced: whether weights are cut into memories as narrow as a block RAM of their depth.
    """

    lanes: int = 8
    pipes: int = 1
    loadable: bool = False
    sliced: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.lanes <= MAX_LANES:
            raise InvalidSetting("lanes", f"{self.lanes} is not within 1 to {MAX_LANES}")
        if self.pipes not in (1, 2):
            raise InvalidSetting("pipes", f"{self.pipes} is neither 1 nor 2")
        if self.pipes == 2 and self.loadable:
            raise InvalidSetting("pipes", "memory that is loaded has one port, and 2 pipes read from two")


@dataclass(frozen=True, eq=False)
class Link:
    """A connection as the circuit sees it.

    Its list holds an entry for each source with anything to weigh: the source's index, and its message bit plane by bit
    plane (least first; of a signed one the last counts negative). With a delay for each synapse a plane is a window:
    one bit for each lag.
    """

    number: int
    layer: int
    slot: int
    """Which of a lane's sums takes it."""
    source: int
    """Place of the source, -1 for the input."""
    connection: Connection
    back: bool
    """Whether it recalls what was sent in earlier steps only: its list is written a step before it is read."""
    weights: Ints
    """(N, I), without the zeros that all have at their low end."""
    exponent: int
    """Of the sum of these."""
    planes: int
    signed: bool
    first_lag: int
    window: int
    """Lags in a plane."""
    memory: int
    """Which memory holds its list; those of the input come first."""
    base: int
    """Its place there."""
    product: Range
    """Bounds of its sum before the exponent."""

    @property
    def size(self) -> int:
        """I, the longest that its list gets."""
        return self.connection.inputs


@dataclass(frozen=True)
class Memory:
    """One memory of lists: places, whether there are two of each (one written while the other is read), who writes."""

    entries: int
    double: bool
    input: bool
    payload: int
    """Bits of the longest message."""


@dataclass(frozen=True)
class Instruction:
    """What is added for one group of neurons and one connection."""

    link: int
    group: int
    row: int
    """Of the weights from its first source."""
    neuron: int
    """The group's first neuron, counted over all layers."""
    neurons: int
    last: bool
    """Of its group: the sums go on to the neuron unit."""
    enters: bool
    """First of its layer."""
    early: bool
    """Whether its layer may be entered while the instruction before is at work: that one walks over no list which this
    empties.
    """
    frees: bool
    """Last of the step that reads the input's lists."""


@dataclass(frozen=True)
class Plan:
    """A network and a shape, laid out."""

    network: IntegerNetwork
    shape: Shape
    links: tuple[Link, ...]
    memories: tuple[Memory, ...]
    program: tuple[Instruction, ...]
    rows: int

    @property
    def neurons(self) -> int:
        """Of all layers."""
        return sum(layer.neurons for layer in self.network.layers)

    @property
    def passes(self) -> bool:
        """Whether the next step's first layer may be computed before the readout: it overwrites nothing of its."""
        return _passes(self.network, self.links)

    @cached_property
    def first_neuron(self) -> list[int]:
        """Of each layer, counted over all."""
        return [sum(each.neurons for each in self.network.layers[:place]) for place in range(len(self.network.layers))]

    @cached_property
    def weight_bits(self) -> int:
        """Of a weight in its memory."""
        return max(bits_of(int(each.weights.min()), int(each.weights.max())) for each in self.links)

    @cached_property
    def delay_bits(self) -> int:
        """Of a delay beside its weight."""
        return (max(each.window for each in self.links) - 1).bit_length()

    @cached_property
    def window(self) -> int:
        """The longest."""
        return max(each.window for each in self.links)

    @cached_property
    def planes(self) -> int:
        """Most bits of a message."""
        return max(each.planes for each in self.links)

    @cached_property
    def source_bits(self) -> int:
        """Of a source's index."""
        return max(1, (max(each.size for each in self.links) - 1).bit_length())

    @cached_property
    def slots(self) -> list[int]:
        """Bits of each of a lane's sums."""
        count = 1 + max(each.slot for each in self.links)
        return [
            max(bits_of(e.product.low, e.product.high) for e in self.links if e.slot == slot) for slot in range(count)
        ]

    def sent_bits(self, place: int) -> int:
        """Bits of what a source sends: one of a spike, else as they are, with a sign where it has any."""
        sent = self.sent(place)
        return sent.high.bit_length() or 1 if sent.low >= 0 else bits_of(sent.low, sent.high)

    def sent(self, place: int) -> Range:
        """What a source sends."""
        if place < 0:
            return self.network.input.range
        return self.network.layers[place].neuron.sends or Range(0, 0)

    def outgoing(self, place: int) -> list[Link]:
        """The links from a source."""
        return [each for each in self.links if each.source == place]

    def history(self, place: int) -> int:
        """How many of its earlier messages a source has to keep."""
        kept = [each.connection.longest_lag - (1 if each.back else 0) for each in self.outgoing(place)]
        return max(kept, default=0)

    def weight_row(self, instruction: Instruction, source: int) -> int:
        """The row of one source: in each lane a weight, with its delay above it."""
        link, lanes = self.links[instruction.link], self.shape.lanes
        first, bits = instruction.group * lanes, self.weight_bits
        value = 0
        for lane in range(min(lanes, len(link.weights) - first)):
            word = int(link.weights[first + lane, source]) & ((1 << bits) - 1)
            if link.connection.delays is not None:
                word |= (int(link.connection.delays[first + lane, source]) - link.first_lag) << bits
            value |= word << lane * (bits + self.delay_bits)
        return value

    def weight_rows(self) -> list[int]:
        """All rows in their order."""
        return [self.weight_row(each, i) for each in self.program for i in range(self.links[each.link].size)]


def plan(network: IntegerNetwork, shape: Shape) -> Plan:
    """Lay a network out."""
    links: list[Link] = []
    for place, layer in enumerate(network.layers):
        backs = [source != "before" for source in network.sources(place)]
        # What is there already is added while the layer before still computes; then sources in their order. The input
        # comes first, as an empty list that is not the last of its group is passed over.
        places = [network.place(each.source) for each in layer.connections]
        order = sorted(range(len(backs)), key=lambda j: (places[j] >= 0, not backs[j], places[j]))
        links += [_link(network, len(links) + n, place, n, layer.connections[j], backs[j]) for n, j in enumerate(order)]
    links, memories = _lists(links)
    program, rows = _program(network, shape, links)
    return Plan(network, shape, tuple(links), tuple(memories), tuple(program), rows)


def _link(network: IntegerNetwork, number: int, place: int, slot: int, each: Connection, back: bool) -> Link:
    common = int(np.gcd.reduce(each.weights, axis=None))
    zeros = (common & -common).bit_length() - 1 if common else 0
    weights = each.weights >> zeros
    sent = network.sent(each.source)
    message = each.message(sent)
    signed = message.low < 0
    planes = bits_of(message.low, message.high) if signed else max(1, message.high.bit_length())
    low, high = product_bounds(weights, message.low, message.high)
    delayed = each.delays is not None
    return Link(
        number=number,
        layer=place,
        slot=slot,
        source=network.place(each.source),
        connection=each,
        back=back,
        weights=weights,
        exponent=each.exponent + zeros,
        planes=planes,
        signed=signed,
        first_lag=each.lags[0] if delayed else 0,
        window=each.longest_lag - each.lags[0] + 1 if delayed else 1,
        memory=0,
        base=0,
        product=Range(int(low.min()), int(high.max())),
    )


def _lists(links: Sequence[Link]) -> tuple[list[Link], list[Memory]]:
    """Each link's list in a memory, so that all lists of one source lie in different ones: it writes to all at once."""
    placed: dict[int, tuple[int, int]] = {}
    memories: list[Memory] = []
    inputs = sum(1 for each in links if each.source < 0)
    sizes: dict[int, int] = {}
    held: dict[int, list[Link]] = {}
    seen: dict[int, int] = {}
    for link in links:
        ordinal = seen.get(link.source, 0)
        seen[link.source] = ordinal + 1
        memory = ordinal if link.source < 0 else inputs + ordinal
        placed[link.number] = memory, sizes.get(memory, 0)
        sizes[memory] = sizes.get(memory, 0) + link.size + link.size % 2  # two pipes take even and odd places
        held.setdefault(memory, []).append(link)
    window = max(each.window for each in links)
    for memory in sorted(held):
        payload = max((each.planes - 1) * window + each.window for each in held[memory])
        double = memory < inputs or any(each.back for each in held[memory])
        memories.append(Memory(sizes[memory], double, memory < inputs, payload))
    return [replace(e, memory=placed[e.number][0], base=placed[e.number][1]) for e in links], memories


def _passes(network: IntegerNetwork, links: Sequence[Link]) -> bool:
    last = len(network.layers) - 1
    return last > 1 and all(not each.back and each.source > 0 for each in links if each.layer == last)


def _before(network: IntegerNetwork, links: Sequence[Link], place: int) -> set[int]:
    """The layers that may be computed right before a layer."""
    last = len(network.layers) - 1
    found = {place - 1 if place else last}
    if _passes(network, links):
        found |= {0: {last - 1}, 1: {last}, last: {0}}.get(place, set())
    return found


def _program(network: IntegerNetwork, shape: Shape, links: Sequence[Link]) -> tuple[list[Instruction], int]:
    program: list[Instruction] = []
    row = first = 0
    early = [
        not any(each.source == place for each in links if each.layer in _before(network, links, place))
        for place in range(len(network.layers))
    ]
    for place, layer in enumerate(network.layers):
        mine = [each for each in links if each.layer == place]
        for group in range(-(-layer.neurons // shape.lanes)):
            done = group * shape.lanes
            for link in mine:
                last = link is mine[-1]
                program.append(
                    Instruction(
                        link=link.number,
                        group=group,
                        row=row,
                        neuron=first + done,
                        neurons=min(shape.lanes, layer.neurons - done),
                        last=last,
                        enters=group == 0 and link is mine[0],
                        early=early[place],
                        frees=False,
                    )
                )
                row += link.size
        first += layer.neurons
    reads = max(at for at, each in enumerate(program) if links[each.link].source < 0)
    program[reads] = replace(program[reads], frees=True)
    return program, row
