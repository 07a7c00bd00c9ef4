"""The neuron unit of layers that compute alike: a pipeline that takes one neuron a cycle, printed from its kind's step.

Layers share a unit if their kind, choices and tables agree. What still differs between them is looked up: by the layer
where all its neurons agree, else by the neuron, in a ROM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.network import Layer
from asrc_core.contract.neurons.kind import of_each_neuron
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.intervals import Interval
from asrc_core.contract.ranges import product_bounds, shifted
from asrc_export.rtl.operations import Term, VerilogOperations, bits_of, joined, literal, signed_bits
from asrc_export.rtl.plan import Plan

STATES_AT = 2
"""Stage at which states are there: a memory's two registers after the sums."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A printed unit."""

    name: str
    layers: tuple[int, ...]
    text: str
    latency: int
    state_bits: int
    sent_bits: int
    """0 of a readout."""
    saturations: int
    """Most of one neuron in one step."""
    roms: dict[str, list[int]]
    """Contents of the files that it reads, by name."""
    rom_bits: dict[str, int]


def units(plan: Plan) -> list[Unit]:
    """The units of a network, in the order of their first layers."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    for place, layer in enumerate(plan.network.layers):
        alike.setdefault(_signature(layer), []).append(place)
    return [_printed(plan, f"neuron_{i}", layers) for i, layers in enumerate(alike.values())]


def _signature(layer: Layer) -> tuple[Any, ...]:
    forms = layer.neuron.of_kind.parameters
    own = []
    for name, value in layer.neuron.parameters.items():
        form = forms[name]
        if not of_each_neuron(form):
            own.append((name, tuple(value.tolist()) if isinstance(value, np.ndarray) else value))
    return layer.neuron.kind, tuple(own), tuple(layer.neuron.states.items())


class _Constants:
    """Constants of a unit: registers that a layer's number or a neuron's chooses, a stage before they are used."""

    def __init__(self, unit: str, plan: Plan, layers: Sequence[int]) -> None:
        self.declared: list[str] = []
        self.clocked: list[str] = []
        self.roms: dict[str, list[int]] = {}
        self.rom_bits: dict[str, int] = {}
        self.deepest = 0
        self._unit, self._plan, self._layers = unit, plan, layers
        self._sizes = [plan.network.layers[each].neurons for each in layers]
        self._known: list[tuple[Ints, str]] = []
        self._made: set[str] = set()

    def varying(self, values: Ints) -> tuple[int, Callable[[int], str]]:
        parts = np.split(values, np.cumsum(self._sizes)[:-1])
        bits = bits_of(min(0, int(values.min())), int(values.max()))
        key = self._key(values)
        if all(np.all(part == part[0]) for part in parts):
            return 1, lambda stage: self._by_layer(key, [int(part[0]) for part in parts], bits, stage)
        return 2, lambda stage: self._by_neuron(key, values, bits, stage)

    def table(self, entries: Ints, index: str, bits: int) -> str:
        name = f"t{len(self.roms)}"
        deep = max(1, (len(entries) - 1).bit_length())
        self._rom(name, [int(each) for each in entries], bits)
        self.declared += [f"logic signed [{bits - 1}:0] {name};", f"logic [{deep - 1}:0] {name}_at;"]
        self.declared.append(f"assign {name}_at = {index};")
        self.clocked.append(f"{name} <= {name}_rom[{name}_at];")
        return name

    def _key(self, values: Ints) -> str:
        for known, key in self._known:
            if np.array_equal(known, values):
                return key
        self._known.append((values, f"k{len(self._known)}"))
        return self._known[-1][1]

    def _by_layer(self, key: str, values: list[int], bits: int, stage: int) -> str:
        name = f"{key}_{stage}"
        if name not in self._made:
            self._made.add(name)
            self.deepest = max(self.deepest, stage)
            self.declared.append(f"logic signed [{bits - 1}:0] {name};")
            cases = " ".join(
                f"{layer}: {name} <= {literal(value)};" for layer, value in zip(self._layers, values, strict=True)
            )
            self.clocked.append(f"case (layer_{stage - 1}) {cases} default: {name} <= 'x; endcase")
        return name

    def _by_neuron(self, key: str, values: Ints, bits: int, stage: int) -> str:
        name = f"{key}_{stage}"
        if name not in self._made:
            self._made.add(name)
            self.deepest = max(self.deepest, stage - 1)
            contents = [0] * self._plan.neurons
            at = 0
            for layer, size in zip(self._layers, self._sizes, strict=True):
                first = self._plan.first_neuron[layer]
                contents[first : first + size] = [int(each) for each in values[at : at + size]]
                at += size
            self._rom(name, contents, bits)
            self.declared.append(f"logic signed [{bits - 1}:0] {name}_q, {name};")
            self.clocked += [f"{name}_q <= {name}_rom[neuron_{stage - 2}];", f"{name} <= {name}_q;"]
        return name

    def _rom(self, name: str, contents: list[int], bits: int) -> None:
        file = f"{self._unit}_{name}.hex"
        self.roms[file], self.rom_bits[file] = contents, bits
        self.declared += [
            f'(* ram_style = "block", rom_style = "block" *) logic [{bits - 1}:0] {name}_rom [0:{len(contents) - 1}];',
            f'initial $readmemh("{file}", {name}_rom);',
        ]


def _printed(plan: Plan, name: str, layers: list[int]) -> Unit:
    network = plan.network
    of = [network.layers[each] for each in layers]
    ranges = [network.ranges[each] for each in layers]
    constants = _Constants(name, plan, layers)
    o = VerilogOperations(constants)
    total = _total(plan, layers, o)
    kind = of[0].neuron.of_kind
    states: dict[str, Term] = {}
    at, fields = 0, []
    for state in of[0].neuron.states:
        low = joined(
            [
                np.broadcast_to(each.each_state[state][0], (layer.neurons,))
                for each, layer in zip(ranges, of, strict=True)
            ]
        )
        high = joined(
            [
                np.broadcast_to(each.each_state[state][1], (layer.neurons,))
                for each, layer in zip(ranges, of, strict=True)
            ]
        )
        bounds = Interval(low, high)
        bits = signed_bits(bounds)
        o.declared.append(f"wire signed [{bits - 1}:0] s_{state} = states[{at + bits - 1}:{at}];")
        states[state] = o.given(f"s_{state}", bounds, STATES_AT)
        fields.append((state, at, bits))
        at += bits
    after = kind.step(o, _parameters(of), states, total)
    outputs = [o.term(after.states[state]) for state, _, _ in fields]
    shown = o.term(after.shown)
    sent = None if after.sent is None else o.term(after.sent)
    latency = max(1, STATES_AT, *(each.stage for each in (*outputs, shown, *o.saturated, *([sent] if sent else []))))
    o.wired += [
        f"states_after[{at + bits - 1}:{at}] = {o.at(value, latency)}" + ";"
        for value, (_, at, bits) in zip(outputs, fields, strict=True)
    ]
    sent_bits = 0 if sent is None else max(plan.sent_bits(each) for each in layers)
    o.wired.append(f"shown = {o.at(shown, latency)};")
    o.wired.append(f"sent = {o.at(sent, latency) if sent is not None else 0};")
    flags = [o.at(each, latency) for each in o.saturated]
    o.wired.append(f"saturations = {' + '.join(flags) if flags else 0};")
    deepest = max(constants.deepest, 0)
    for s in range(1, deepest + 1):
        o.declared.append(
            f"logic [{_layer_bits(plan) - 1}:0] layer_{s}; logic [{_neuron_bits(plan) - 1}:0] neuron_{s};"
        )
        o.clocked.append(f"layer_{s} <= layer_{s - 1}; neuron_{s} <= neuron_{s - 1};")
    text = _TEXT.format(
        name=name,
        kind=of[0].neuron.kind,
        layer=_layer_bits(plan) - 1,
        neuron=_neuron_bits(plan) - 1,
        sums=sum(plan.slots) - 1,
        states=at - 1,
        sent=max(sent_bits, 1) - 1,
        declared="\n".join(f"  {each}" for each in (*o.declared, *constants.declared)),
        wired="\n".join(f"  assign {each}" for each in o.wired),
        clocked="\n".join(f"    {each}" for each in (*o.clocked, *constants.clocked)),
    )
    return Unit(name, tuple(layers), text, latency, at, sent_bits, len(flags), constants.roms, constants.rom_bits)


def _layer_bits(plan: Plan) -> int:
    return max(1, (len(plan.network.layers) - 1).bit_length())


def _neuron_bits(plan: Plan) -> int:
    return max(1, (plan.neurons - 1).bit_length())


_TEXT = """\
// Neurons of kind {kind}: what goes in at stage 0 comes out after the last register; states come {{}} stages later.
module {name} (
  input  logic clk,
  input  logic [{layer}:0] layer_0,
  input  logic [{neuron}:0] neuron_0,
  input  logic [{sums}:0] sums,
  input  logic [{states}:0] states,
  output logic [{states}:0] states_after,
  output logic [{sent}:0] sent,
  output logic signed [31:0] shown,
  output logic [7:0] saturations
);
{declared}
{wired}
  always_ff @(posedge clk) begin
{clocked}
  end
endmodule
""".replace("{{}}", str(STATES_AT))


def _parameters(layers: Sequence[Layer]) -> dict[str, Any]:
    """Numbers that may differ from neuron to neuron, of all neurons of all layers; the rest is the same in all."""
    forms = layers[0].neuron.of_kind.parameters
    return {
        name: joined([_spread(each, name) for each in layers])
        if of_each_neuron(forms[name]) and value is not None
        else value
        for name, value in layers[0].neuron.parameters.items()
    }


def _spread(layer: Layer, name: str) -> Ints:
    """A parameter of each neuron."""
    value = np.asarray(layer.neuron.parameters[name])
    return np.broadcast_to(value, (layer.neurons, *value.shape[1:]))


def _total(plan: Plan, layers: list[int], o: VerilogOperations) -> Term:
    """The sum of all connections, each after its exponent: a stage that shifts by what the layer says, then sums."""
    network, parts = plan.network, []
    at = 0
    for slot, bits in enumerate(plan.slots):
        links = [[e for e in plan.links if e.layer == layer and e.slot == slot] for layer in layers]
        if any(links):
            parts.append(_shifted(plan, layers, links, slot, at, bits, o))
        at += bits
    total = parts[0]
    for each in parts[1:]:
        total = o.add(total, each)
    ranges = [network.ranges[each].each_total for each in layers]
    sizes = [network.layers[each].neurons for each in layers]
    low, high = (
        joined([np.broadcast_to(each[end], (size,)) for each, size in zip(ranges, sizes, strict=True)])
        for end in (0, 1)
    )
    return (
        Term(total.text, Interval(low, high), total.stage)
        if total.bits == signed_bits(Interval(low, high))
        else (o.given_as(total, Interval(low, high)))
    )


def _shifted(
    plan: Plan, layers: list[int], links: list[list[Any]], slot: int, at: int, bits: int, o: VerilogOperations
) -> Term:
    lows, highs, forms = [], [], {}
    for layer, found in zip(layers, links, strict=True):
        size = plan.network.layers[layer].neurons
        if not found:
            lows.append(np.zeros(size, np.int64))
            highs.append(np.zeros(size, np.int64))
            forms[layer] = "0"
            continue
        link = found[0]
        sent = link.connection.message(plan.sent(link.source))
        low, high = shifted(product_bounds(link.connection.weights, sent.low, sent.high), link.connection.exponent)
        lows.append(low)
        highs.append(high)
        wire = f"sum_{slot}"
        e = link.exponent
        forms[layer] = f"$signed({{{wire}, {e}'b0}})" if e > 0 else f"{wire} >>> {-e}" if e else wire
    o.declared.append(f"wire signed [{bits - 1}:0] sum_{slot} = sums[{at + bits - 1}:{at}];")
    bounds = Interval(joined(lows), joined(highs))
    name = f"a_{slot}"
    o.declared.append(f"logic signed [{signed_bits(bounds) - 1}:0] {name};")
    if len(set(forms.values())) == 1:
        o.wired.append(f"{name} = {forms[layers[0]]};")
        return Term(name, bounds, 0)
    cases = " ".join(f"{layer}: {name} <= {form};" for layer, form in forms.items())
    o.clocked.append(f"case (layer_0) {cases} default: {name} <= 'x; endcase")
    return Term(name, bounds, 1)
