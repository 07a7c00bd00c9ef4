"""A layer as C: its events listed, its groups added up block by block, its neurons' step printed from the kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.neurons.kind import Number
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.intervals import Interval
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_export.codegen.c.operations import Term, c_type
from asrc_export.codegen.mcu.groups import BLOCK, Group, Part, exponent_of, groups_of, mantissas
from asrc_export.codegen.mcu.memory import Memory, narrowest
from asrc_export.codegen.mcu.operations import McuOperations, alike

WORD_MAX = 2**32 - 1


@dataclass(frozen=True)
class Source:
    """What sends: how what it sent is kept, for how many steps."""

    place: int
    """-1 is the input."""
    size: int
    sent: Range
    slots: int

    @property
    def spikes(self) -> bool:
        """Whether it sends 0 and 1 only."""
        return self.sent.is_bit

    @property
    def bits(self) -> bool:
        """Whether what it sent is kept as a bit each."""
        return self.spikes and self.place >= 0

    @property
    def kept(self) -> bool:
        """Whether anything of it is kept: the input of the same step is at hand."""
        return self.place >= 0 or self.slots > 1

    @property
    def type_(self) -> str:
        """Of what it sends, where that is not kept as bits."""
        return f"int{narrowest(self.sent.low, self.sent.high)}" if self.kept else "int32"

    @property
    def words(self) -> int:
        """Of 16 bits."""
        return -(-self.size // 16)

    def slot(self, lag: int) -> str:
        """Which of its slots holds what it sent so long ago."""
        if self.slots == 1:
            return "0"
        now = f"asrc_state.now{self.place + 1}"
        return now if lag == 0 else f"asrc_back({now}, {lag}, {self.slots})"

    def past(self, lag: int) -> str:
        """What it sent so long ago."""
        return f"asrc_state.sent{self.place + 1}[{self.slot(lag)}]" if self.kept else "x"


def sources_of(network: IntegerNetwork) -> list[Source]:
    """The input, then every layer but the readout."""
    found = []
    for place in range(-1, len(network.hidden)):
        name = INPUT if place < 0 else network.layers[place].name
        slots = 1
        for i, layer in enumerate(network.layers):
            for each in layer.connections:
                if each.source == name and each.delays is None:
                    # A layer hears itself, and later ones, before they put this step in the place of the oldest.
                    slots = max(slots, each.longest_lag + (place < i))
        size = network.input.channels if place < 0 else network.layers[place].neurons
        found.append(Source(place, size, network.sent(name), slots))
    return found


class LayerText:
    """One layer's functions; constants and state go to ``memory``, the names of helpers to ``needed``."""

    def __init__(self, network: IntegerNetwork, place: int, sources: list[Source], memory: Memory) -> None:
        self.network, self.place, self.layer = network, place, network.layers[place]
        self.sources, self.memory = sources, memory
        self.needed: set[str] = set()
        self.groups = groups_of(network, place)
        self.ring = max((each.longest_lag for each in self.layer.connections if each.delays is not None), default=-1)
        """The longest delay of a synapse, -1 if none has one of its own."""
        self._own = sources[place + 1] if place + 1 < len(sources) else None

    # ------------------------------------------------------------------------------------------------- the neurons

    def neurons(self) -> str:
        """The function of the layer's neurons: ``count`` of them from ``first`` on, given the groups' sums."""
        layer, ranges = self.layer, self.network.ranges[self.place]
        possible = Memory()
        constants = _Constants(possible, self.place)
        operations = McuOperations(constants.each_neuron, constants.table)
        loads, before, stored = [], {}, []
        for i, name in enumerate(ranges.states):
            bounds = Interval(*ranges.each_state[name])
            type_ = _stored_type(bounds)
            text = self.memory.member(type_, f"state{self.place}_{i}", layer.neurons) + "[n]"
            term = Term(f"v{i}", bounds)
            loads.append(f"const {c_type(term.bits)} v{i} = {text};")
            before[name] = term
            stored.append((name, type_, text))
        forms = layer.neuron.of_kind.parameters
        parameters = {
            name: alike(value) if isinstance(forms[name], Number) else value
            for name, value in layer.neuron.parameters.items()
        }
        total = Term("a", Interval(*ranges.each_total))
        after = layer.neuron.of_kind.step(operations, parameters, before, total)
        stores = [f"{text} = ({type_}){operations.term(after.states[name]).text};" for name, type_, text in stored]
        shown = operations.term(after.shown).text
        sent = None if after.sent is None else operations.term(after.sent).text
        body = [*loads, f"const int32_t a = {self._total()};", "int32_t saturated = 0;"]
        if not any("saturated" in each for each in operations.statements):
            body.pop()
        stores += self._outputs(shown, sent, counted="int32_t saturated = 0;" in body)
        body += [*operations.kept_statements(stores), *stores]
        bits = self._own is not None and self._own.bits
        returns = "return bits << (16 - count);" if bits else ""
        given = "".join(f", const {_sum_type(group)} *g{i}" for i, group in enumerate(self.groups))
        now = f"    const uint32_t now = {self._own.slot(0)};\n" if self._own is not None and not bits else ""
        text = (
            f"static {'uint32_t' if bits else 'void'} asrc_neurons{self.place}(uint32_t first, uint32_t count{given}"
            f"{', uint32_t *ring' if self.ring >= 0 else ''}) {{\n"
            + ("    uint32_t bits = 0;\n" if bits else "")
            + now
            + "    for (uint32_t i = 0; i < count; i++) {\n        const uint32_t n = first + i;\n"
            + _lines(body, 2)
            + "\n    }\n"
            + (f"    {returns}\n" if bits else "")
            + "}\n"
        )
        self.memory.take(possible, text)  # what a shift or a widening multiply made superfluous is left out
        return text

    def _total(self) -> str:
        parts = [_shifted(f"g{i}[i]", group.exponent) for i, group in enumerate(self.groups)]
        if self.ring >= 0:
            parts.append("(int32_t)ring[n]")
        return " + ".join(parts)

    def _outputs(self, shown: str, sent: str | None, *, counted: bool) -> list[str]:
        lines = []
        if self._own is None:
            lines.append(f"asrc_state.logits[n] = {shown};")
        elif self._own.bits:
            lines.append(f"bits = bits << 1 | (uint32_t){sent};")
        else:
            lines.append(f"asrc_state.sent{self.place + 1}[now][n] = (int8_t){sent};")
        if self.ring >= 0:
            lines.append("ring[n] = 0;")
        trace = [f"asrc_trace_shown[{self._first} + n] = (int32_t){shown};"]
        if sent is not None:
            trace += [
                f"asrc_trace_sent[{self._first} + n] = (int32_t){sent};",
                f"ASRC_COUNT({self.place}, 0, {sent} != 0);",
            ]
        if counted:
            trace.append(f"ASRC_COUNT({self.place}, 3, saturated);")
        return [*lines, "#ifdef ASRC_TRACE", *trace, "#endif", *(["(void)saturated;"] if counted else [])]

    @property
    def _first(self) -> int:
        """The layer's first neuron among all."""
        return sum(layer.neurons for layer in self.network.layers[: self.place])

    # --------------------------------------------------------------------------------------------------- the sums

    def step(self) -> str:
        """The function of the layer."""
        lines: list[str] = []
        for i, group in enumerate(self.groups):
            self.memory.constant(f"asrc_weights{self.place}_{i}", "uint32_t", group.words)
            lines.append(f"uint32_t n{i} = 0;")
            for part in group.parts:
                lines += self._list(i, group, part)
        ring = ""
        if self.ring >= 0:
            mask = _slots(self.ring) - 1
            ring = f", asrc_state.ring{self.place} + (asrc_state.time & {mask}) * {self.layer.neurons}"
            lines += [
                "#ifdef ASRC_TRACE",
                *(
                    f"ASRC_COUNT({self.place}, {1 + back}, asrc_trace_arriving{self.place}[{back}]"
                    f"[asrc_state.time & {mask}]);\n    "
                    f"asrc_trace_arriving{self.place}[{back}][asrc_state.time & {mask}] = 0;"
                    for back in (0, 1)
                ),
                "#endif",
            ]
        lines += self._blocks(ring)
        return (
            f"static void asrc_layer{self.place}({'const int32_t *x' if self.takes_frame else 'void'}) {{\n"
            + _lines(lines, 1)
            + "\n}\n"
        )

    @property
    def call(self) -> str:
        """How the layer is called."""
        return f"asrc_layer{self.place}({'x' if self.takes_frame else ''});"

    @property
    def takes_frame(self) -> bool:
        """Whether it lists the frame itself: nothing of the input is kept, and a group hears it."""
        hears = (each.source == INPUT and each.delays is None for each in self.layer.connections)
        return not self.sources[0].kept and any(hears)

    def _list(self, i: int, group: Group, part: Part) -> list[str]:
        each = part.connection
        source = self.sources[self.network.place(each.source) + 1]
        to = f"asrc_state.events{i}"
        back = 2 if self.network.is_recurrent(self.place, part.place) else 1
        if len(each.taps) > 1:
            how = "tap" if source.bits else "tap_values"
            self.needed |= {how, "values_int8", "tapped"}
            lines = [
                f"asrc_{how}({source.past(tap.span)}, {source.size}, {tap.weight}, asrc_state.messages);"
                for tap in each.taps
            ]
            listed = (
                f"asrc_list_tapped(asrc_state.messages, {source.size}, {part.base}, {to}, asrc_state.values{i}, n{i})"
            )
        else:
            lines, listed = (
                [],
                self._listed(source, each.longest_lag, part.base, to, f"n{i}", group.spikes, f"asrc_state.values{i}"),
            )
        count = "{" + f" const uint32_t before = n{i}; n{i} = {listed}; "
        count += f"ASRC_COUNT({self.place}, {back}, (n{i} - before) * {self.layer.neurons}); (void)before; " + "}"
        return [*lines, count]

    def _listed(self, source: Source, lag: int, base: int, to: str, count: str, spikes: bool, values: str) -> str:
        past = source.past(lag)
        if source.bits:
            self.needed.add("bits")
            return f"asrc_list_bits({past}, {source.words}, {base}, {to}, {count})"
        if spikes:
            self.needed.add(f"ones_{source.type_}")
            return f"asrc_list_ones_{source.type_}({past}, {source.size}, {base}, {to}, {count})"
        self.needed.add(f"values_{source.type_}")
        return f"asrc_list_values_{source.type_}({past}, {source.size}, {base}, {to}, {values}, {count})"

    def _blocks(self, ring: str) -> list[str]:
        neurons = self.layer.neurons
        full, rest = divmod(neurons, BLOCK)
        lines = []
        sums = [f"{_sum_type(group)} g{i}[{min(BLOCK, -(-neurons // 4) * 4)}];" for i, group in enumerate(self.groups)]
        given = "".join(f", g{i}" for i in range(len(self.groups)))
        bits = self._own is not None and self._own.bits

        def fire(block: str, first: str, count: str) -> str:
            call = f"asrc_neurons{self.place}({first}, {count}{given}{ring})"
            return f"asrc_state.sent{self.place + 1}[now][{block}] = (uint16_t){call};" if bits else f"{call};"

        if bits and self._own is not None:
            lines.append(f"const uint32_t now = {self._own.slot(0)};")
        lines += sums
        if full:
            inside = [self._summed(i, group, 4, f"b * {4 * group.inputs}", "") for i, group in enumerate(self.groups)]
            inside.append(fire("b", f"{BLOCK} * b", str(BLOCK)))
            lines += [f"for (uint32_t b = 0; b < {full}; b++) {{", *("    " + each for each in inside), "}"]
        if rest:
            for i, group in enumerate(self.groups):
                start = full * 4 * group.inputs
                summed = self._summed(i, group, 1, f"{start} + q * {group.inputs}", " + 4 * q")
                lines.append(f"for (uint32_t q = 0; q < {-(-rest // 4)}; q++) {summed}")
            lines.append(fire(str(full), str(full * BLOCK), str(rest)))
        return lines

    def _summed(self, i: int, group: Group, words: int, offset: str, to: str) -> str:
        weights, events = f"asrc_weights{self.place}_{i} + {offset}", f"asrc_state.events{i}, n{i}"
        if group.wide:
            self.needed.add("wide")
            values = "0" if group.spikes else f"asrc_state.values{i}"
            return f"asrc_wide({weights}, {words}, asrc_state.events{i}, {values}, n{i}, g{i}{to});"
        if group.spikes:
            self.needed.add(f"spikes_{4 * words}")
            return f"asrc_spikes_{4 * words}({weights}, {events}, g{i}{to});"
        self.needed.add("values")
        return f"asrc_values({weights}, {words}, asrc_state.events{i}, asrc_state.values{i}, n{i}, g{i}{to});"

    # ------------------------------------------------------------------------------------------------------ delays

    def send(self, source: Source) -> list[str]:
        """What is done once a source has sent, for the layer's connections from it with a delay for each synapse."""
        lines = []
        name = INPUT if source.place < 0 else self.network.layers[source.place].name
        for place, each in enumerate(self.layer.connections):
            if each.source == name and each.delays is not None:
                lines += self._sent(source, place, each)
        return lines

    def _sent(self, source: Source, place: int, each: Connection) -> list[str]:
        assert each.delays is not None, "only these are asked for"
        n, mask = self.layer.neurons, _slots(self.ring) - 1
        weights, delays = f"asrc_weights{self.place}_c{place}", f"asrc_delays{self.place}_c{place}"
        self.memory.constant(weights, "int8_t", mantissas(each).T.ravel())
        self.memory.constant(delays, "uint8_t", each.delays.T.ravel())
        self.needed |= {"scatter", "arrivals"}
        back = int(self.network.is_recurrent(self.place, place))
        events, values = "asrc_state.events0", "asrc_state.values0"
        value = "1u" if source.spikes else f"(uint32_t)(int32_t){values}[i]"
        listed = self._listed(source, 0, 0, events, "0", source.spikes, values)
        ring = f"asrc_state.ring{self.place}"
        row = f"{n} * (uint32_t){events}[i]"
        return [
            "{",
            f"    const uint32_t count = {listed};",
            "    for (uint32_t i = 0; i < count; i++) {",
            f"        asrc_scatter({weights} + {row}, {delays} + {row}, {n}, {value} << {exponent_of(each)}, {ring},"
            f" asrc_state.time, {mask});",
            "#ifdef ASRC_TRACE",
            f"        asrc_count_arrivals({delays} + {row}, {n}, asrc_trace_arriving{self.place}[{back}],"
            f" asrc_state.time, {mask});",
            "#endif",
            "    }",
            "}",
        ]

    def reserve(self) -> None:
        """The ring of sums under way."""
        if self.ring >= 0:
            self.memory.member("uint32_t", f"ring{self.place}", _slots(self.ring) * self.layer.neurons)


class _Constants:
    """What differs from neuron to neuron, each array printed once."""

    def __init__(self, memory: Memory, place: int) -> None:
        self._memory, self._place = memory, place
        self._given: list[tuple[Ints, str]] = []

    def each_neuron(self, values: Ints) -> str:
        return self._once(np.asarray(values), lambda name: self._memory.numbers(name, np.asarray(values)))

    def table(self, entries: Ints) -> str:
        def printed(name: str) -> str:
            bits = narrowest(int(entries.min()), int(entries.max()))
            self._memory.constant(name, f"int{bits}_t", entries)
            return name

        return self._once(entries, printed)

    def _once(self, values: Ints, printed: Any) -> str:
        for given, known in self._given:
            if np.array_equal(given, values):
                return known
        text: str = printed(f"asrc_constants{self._place}_{len(self._given)}")
        self._given.append((values, text))
        return text


def _stored_type(bounds: Interval) -> str:
    low, high = int(bounds.low.min()), int(bounds.high.max())
    if low >= 0 and 2**31 <= high <= WORD_MAX:
        return "uint32_t"
    return f"int{max(16, narrowest(low, high))}_t"


def _shifted(text: str, exponent: int) -> str:
    if exponent == 0:
        return text
    if exponent > 0:
        return f"(int32_t){text} * {2**exponent}"
    return f"ASRC_FLOOR((int32_t){text}, {min(31, -exponent)})"


def _sum_type(group: Group) -> str:
    return "int32_t" if group.wide else "int16_t"


def _slots(lag: int) -> int:
    """Steps under way: a power of two."""
    return 1 << lag.bit_length()


def _lines(lines: Iterable[str], depth: int) -> str:
    return "\n".join(line if line.startswith("#") else "    " * depth + line for line in lines)
