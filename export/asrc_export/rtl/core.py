"""The circuit around the neuron units: input, program, lists, weights, lanes, history, results, printed for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from asrc_export.rtl.plan import Instruction, Link, Plan
from asrc_export.rtl.unit import Unit

TEMPLATE = Path(__file__).with_name("core.sv")
LOAD_PORTS = """\
  input  wire load,
  input  wire [$address_top:0] load_address,
  input  wire [$row_top:0] load_data,"""
LOADED = " .load(load), .load_address(load_address), .load_data(load_words[load_address]),"
LOADING = """\
  reg [$row_top:0] load_words [0:$rows];
  initial $$readmemh("weights.hex", load_words, 0, $rows - 1);
  wire load = cycle < $rows;
  wire [$address_top:0] load_address = cycle;"""
BLOCKS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Words and bits of a block RAM of the ECP5: a memory cut so needs no multiplexer behind it."""
AROUND, THROUGH = 16, 128
"""More cycles than an instruction takes beside its slots, and than a neuron takes through its unit to the lists."""
WAITING = {
    "link": ("now", "ahead"),
    "layer": ("now", "ahead"),
    "planes": ("now", "ahead"),
    "last": ("now", "ahead"),
    "frees": ("now", "ahead"),
    **dict.fromkeys(("enters", "early", "begins"), ("ahead",)),
}
"""Fields that are looked at before their instruction's turn, or only then."""


def printed(plan: Plan, units: Sequence[Unit], title: str) -> str:
    """The text of core.sv for this network."""
    latency = max(each.latency for each in units)
    layers = len(plan.network.layers)
    states = max(each.state_bits for each in units)
    values = {
        "title": title,
        "neurons": plan.neurons,
        "synapses": plan.network.synapses,
        "lanes": plan.shape.lanes,
        "pipes": plan.shape.pipes,
        "x_top": plan.sent_bits(-1) - 1,
        "layer_top": top(layers - 1),
        "layers_top": layers - 1,
        "neuron_top": top(plan.neurons - 1),
        "last_neuron": plan.neurons - 1,
        "channels": plan.network.input.channels,
        "channel_top": top(plan.network.input.channels - 1),
        "word_top": sum(width for _, width in fields(plan)) - 1,
        "last_instruction": len(plan.program) - 1,
        "pc_top": top(len(plan.program) - 1),
        "fields": _fields(plan),
        "sequence": _sequence(plan),
        "index_top": _index_bits(plan) - 1,
        "plane_top": top(plan.planes - 1),
        "count_top": _index_bits(plan) - 1,
        "gap_top": top(max(plan.shape.lanes, depth(plan))),
        "depth": depth(plan),
        "readout": layers - 1,
        "counts": _counts(plan),
        "p_declared": _p_declared(plan),
        "p0": _p0(),
        "lanes_count_top": top(plan.shape.lanes),
        "lane_last": plan.shape.lanes - 1,
        "sums_top": sum(plan.slots) - 1,
        "sums": sum(plan.slots),
        "list_memories": _list_memories(plan),
        "weights": _weights(plan),
        "lanes_text": _lanes(plan),
        "stages": _stages(plan, latency),
        "states_top": states - 1,
        "latency": latency,
        "units": _units(plan, units, latency, states),
        "signed_sent": "sent",
        "history": _history(plan, latency),
        "input_memory": _input_memory(plan),
        "last_class": plan.network.classes - 1,
        "class_top": top(plan.network.classes - 1),
        "address_top": top(plan.rows - 1),
        "row_top": row_bits(plan) - 1,
    }
    load = Template(LOAD_PORTS).substitute(values) if plan.shape.loadable else ""
    return Template(TEMPLATE.read_text()).substitute({**values, "load_ports": load})


def row_bits(plan: Plan) -> int:
    """Of a row of weights."""
    return plan.shape.lanes * (plan.weight_bits + plan.delay_bits)


def depth(plan: Plan) -> int:
    """Cycles from the issue of a group's last event to its sums on their way to the neuron unit."""
    return 10 + (plan.shape.pipes - 1)


def most_cycles(plan: Plan) -> int:
    """A bound of the cycles of a step: every source sends with all its bits, and nothing overlaps.

    A slot for each plane of each source (half of them with two pipes), `AROUND` for each instruction; for each group
    its way to the neuron unit and a cycle a neuron; for each layer its way through that, `THROUGH` at most.
    """
    cycles = THROUGH * len(plan.network.layers) + AROUND * len(plan.program)
    for each in plan.program:
        link = plan.links[each.link]
        cycles += -(-link.size // plan.shape.pipes) * link.planes
        if each.last:
            cycles += depth(plan) + each.neurons
    return cycles


def slices(plan: Plan) -> list[tuple[int, int]]:
    """Lowest bit and width of each of the memories that weights are cut into."""
    width = row_bits(plan)
    if not plan.shape.sliced:
        return [(0, width)]
    bits = next((bits for words, bits in BLOCKS if plan.rows <= words), 1)
    return [(low, min(bits, width - low)) for low in range(0, width, bits)]


def fields(plan: Plan) -> list[tuple[str, int]]:
    """An instruction's fields and their bits, the lowest first."""
    return [
        ("link", top(len(plan.links) - 1) + 1),
        ("layer", top(len(plan.network.layers) - 1) + 1),
        ("slot", top(len(plan.slots) - 1) + 1),
        ("memory", top(len(plan.memories) - 1) + 1),
        ("planes", top(plan.planes - 1) + 1),
        ("signed", 1),
        ("back", 1),
        ("input", 1),
        ("base", max(1, max(each.base // plan.shape.pipes for each in plan.links).bit_length())),
        ("row", top(plan.rows - 1) + 1),
        ("neuron", top(plan.neurons - 1) + 1),
        ("neurons", top(plan.shape.lanes) + 1),
        ("last", 1),
        ("enters", 1),
        ("begins", 1),
        ("early", 1),
        ("frees", 1),
        ("layer_starts", 1),
        ("layer_ends", 1),
    ]


def program_words(plan: Plan) -> list[int]:
    """Each instruction as one word."""
    return [_word(plan, place, each) for place, each in enumerate(plan.program)]


def _word(plan: Plan, place: int, each: Instruction) -> int:
    link = plan.links[each.link]
    layer = plan.network.layers[link.layer]
    values = {
        "link": each.link,
        "layer": link.layer,
        "slot": link.slot,
        "memory": link.memory,
        "planes": link.planes - 1,
        "signed": int(link.signed),
        "back": int(link.back),
        "input": int(link.source < 0),
        "base": link.base // plan.shape.pipes,
        "row": each.row,
        "neuron": each.neuron,
        "neurons": each.neurons,
        "last": int(each.last),
        "enters": int(each.enters),
        "begins": int(place == 0),
        "early": int(each.early),
        "frees": int(each.frees),
        "layer_starts": int(each.group == 0),
        "layer_ends": int((each.group + 1) * plan.shape.lanes >= layer.neurons),
    }
    word = at = 0
    for name, width in fields(plan):
        assert values[name] < 1 << width, name
        word |= values[name] << at
        at += width
    return word


def top(most: int) -> int:
    """The highest bit of a number up to ``most``."""
    return max(1, most.bit_length()) - 1


def _index_bits(plan: Plan) -> int:
    """Of a place in a list, and of their number plus one."""
    return int(max(each.size for each in plan.links) + 1).bit_length() + 1


def _lines(lines: Iterable[str], depth: int = 1) -> str:
    return "\n".join("  " * depth + line for line in lines)


def _fields(plan: Plan) -> str:
    lines, at = [], 0
    for name, width in fields(plan):
        read = WAITING.get(name, ("now",))
        lines += [f"wire [{width - 1}:0] {of}_{name} = {of}[{at + width - 1}:{at}];" for of in read]
        at += width
    return _lines(lines)


def _sequence(plan: Plan) -> str:
    """Which instruction is fetched next. If its input is there, the next step's first layer passes a readout, which
    would have to wait for the neurons of the layer before.
    """
    last = len(plan.program) - 1
    clocked = [f"if (stepping) pc <= pc == {last} ? '0 : pc + 1'b1;", "if (rst) begin pc <= '0; late <= 1'b0; end"]
    declared = []
    if plan.passes:
        layers = [plan.links[each.link].layer for each in plan.program]
        second, readout = layers.index(1), layers.index(len(plan.network.layers) - 1)
        declared = ["reg owed, there; // a readout; the next step's input"]
        clocked = [
            "there <= full[!ahead_source];",
            "if (stepping) begin",
            "  pc <= pc + 1'b1;",
            f"  if (pc == {second - 1} && owed) begin pc <= {readout}; late <= 1'b1; end",
            f"  if (pc == {readout - 1}) begin owed <= there; if (there) pc <= '0; end",
            f"  if (pc == {last}) begin pc <= late ? {second} : 0; late <= 1'b0; owed <= 1'b0; end",
            "end",
            "if (rst) begin pc <= '0; late <= 1'b0; owed <= 1'b0; end",
        ]
    return _lines([*declared, "always_ff @(posedge clk) begin", *(f"  {each}" for each in clocked), "end"])


def _counts(plan: Plan) -> str:
    """How long each list is and whether it is complete, by bank where one is read while the other is written."""
    high, pipes = _index_bits(plan) - 1, plan.shape.pipes
    lines: list[str] = []
    now: list[str] = []
    ahead: list[str] = []
    for each in plan.links:
        c = each.number
        banks = (0, 1) if each.back or each.source < 0 else (0,)
        for b in banks:
            lines += [f"reg [{high}:0] count_{c}_{b};", *([f"reg done_{c}_{b};"] if each.source >= 0 else [])]
            lines.append("always_ff @(posedge clk)")
            if each.source < 0:
                m = each.memory
                lines += [
                    f"  if (i0_begins && i0_bank == 1'b{b}) count_{c}_{b} <= '0;",
                    f"  else if (i2_v && i2_bank == 1'b{b}) count_{c}_{b} <= m{m}_at + m{m}_add;",
                ]
                continue
            m, source = each.memory, each.source
            here = f" && ahead_bank == 1'b{b}" if each.back else ""
            there = f" && h_bank == 1'b{b}" if each.back else ""
            lines += [
                f"  if (entering && entering_layer == {source}{here}) begin",
                f"    count_{c}_{b} <= '0; done_{c}_{b} <= 1'b0;",
                "  end",
                f"  else if (h_v && h_layer == {source}{there}) begin",
                f"    count_{c}_{b} <= m{m}_at + m{m}_add; done_{c}_{b} <= h_ends;",
                "  end",
            ]
        for cases, of, its in ((now, "now", ""), (ahead, "ahead", "ahead_")):
            name = f"{of}_{c}"
            count, done = f"count_{c}_0", "1'b1" if each.source < 0 else f"done_{c}_0"
            if each.source < 0:
                count = f"({its}source ? count_{c}_1 : count_{c}_0)"
            elif each.back:
                count, done = (f"({its}bank ? {what}_{c}_0 : {what}_{c}_1)" for what in ("count", "done"))
            lines += [f"wire [{high}:0] c_{name} = {count};", f"wire d_{name} = {done};"]
            value = f"{{c_{name}, 1'b0, d_{name}}}"
            if pipes == 2:
                odd = f"d_{name} && c_{name}[0]"
                lines.append(f"wire [{high}:0] pairs_{name} = {{1'b0, c_{name}[{high}:1]}} + {{{high}'b0, {odd}}};")
                value = f"{{pairs_{name}, {odd}, d_{name}}}"
            if each.back:
                value = f"{its}first ? {{{high + 1}'b0, 2'b01}} : {value}"
            cases.append(f"{c}: counted_{of} = {value};")
    lines.append(f"reg [{high + 2}:0] counted_now, counted_ahead;")
    for of, cases in (("now", now), ("ahead", ahead)):
        lines += ["always @*", f"  case ({of}_link)", *(f"    {each}" for each in cases)]
        lines += [f"    default: counted_{of} = 'x;", "  endcase"]
    return _lines(lines)


def _p_declared(plan: Plan) -> str:
    base, row, i = (dict(fields(plan))["base"], dict(fields(plan))["row"], _index_bits(plan))
    f = dict(fields(plan))
    return _lines(
        [
            f"reg [{i - 1}:0] p0_i; reg [{base - 1}:0] p0_base; reg [{row - 1}:0] p0_row;",
            f"reg [{f['slot'] - 1}:0] p0_slot; reg [{f['memory'] - 1}:0] p0_memory; reg [{f['planes'] - 1}:0] p0_k;",
            "reg p0_bank, p0_negative, p0_second;",
        ]
    )


def _p0() -> str:
    return _lines(
        [
            "p0_i <= i; p0_k <= k; p0_base <= now_base; p0_row <= now_row;",
            "p0_slot <= now_slot; p0_memory <= now_memory;",
            "p0_bank <= now_input ? source : now_back && !bank;",
            "p0_negative <= now_signed && plane_end;",
            "p0_second <= !(odd && at_last);",
        ],
        2,
    )


def _list_memories(plan: Plan) -> str:
    """The memories of lists, each cut in as many as there are pipes, and the stages from a place to an entry."""
    pipes, source = plan.shape.pipes, plan.source_bits
    f = dict(fields(plan))
    lines = []
    longest = max(each.payload for each in plan.memories)
    entry = source + longest
    address = max(max(top(-(-each.entries // pipes) - 1) + 1 for each in plan.memories), f["base"])
    lines.append(f"reg [{address - 1}:0] p1_place; reg p1_bank;")
    lines += [f"{_stage(f, s)} reg [{f['row'] - 1}:0] p{s}_row;" for s in (1, 2, 3, 4)]
    lines.append(f"reg [{f['memory'] - 1}:0] p1_memory, p2_memory, p3_memory;")
    lines += [f"reg [{entry - 1}:0] p4_entry_{q};" for q in range(pipes)]
    clocked = [
        "p1_place <= p0_base + p0_i; p1_bank <= p0_bank; p1_memory <= p0_memory; p2_memory <= p1_memory;",
        "p3_memory <= p2_memory;",
    ]
    clocked += [_passed(s, ("v", "last", "negative", "second", "slot", "k", "row")) for s in (1, 2, 3, 4)]
    for m, each in enumerate(plan.memories):
        width = source + each.payload
        words = -(-each.entries // pipes)
        bits = top(words - 1) + 1
        deep = 2 << bits if each.double else words
        for q in range(pipes):
            name = f"list_{m}_{q}"
            lines += [
                f'(* ram_style = "block", no_rw_check *) reg [{width - 1}:0] {name} [0:{deep - 1}];',
                f"reg [{width - 1}:0] {name}_q, {name}_r;",
            ]
            read = f"{{p1_bank, p1_place[{bits - 1}:0]}}" if each.double else f"p1_place[{bits - 1}:0]"
            write = f"m{m}_place[{bits + pipes - 2}:{pipes - 1}]"
            write = f"{{m{m}_bank, {write}}}" if each.double else write
            odd = f" && m{m}_place[0] == 1'b{q}" if pipes == 2 else ""
            lines += [
                "always_ff @(posedge clk) begin",
                f"  {name}_q <= {name}[{read}]; {name}_r <= {name}_q;",
                f"  if (m{m}_add{odd}) {name}[{write}] <= m{m}_entry;",
                "end",
            ]
    for q in range(pipes):
        chosen = " ".join(f"{m}: p4_entry_{q} <= list_{m}_{q}_r;" for m in range(len(plan.memories)))
        clocked.append(f"case (p3_memory) {chosen} default: p4_entry_{q} <= 'x; endcase")
    clocked.append(f"if (rst) begin {_emptied((1, 2, 3, 4))} end")
    lines += ["always_ff @(posedge clk) begin", *(f"  {each}" for each in clocked), "end"]
    return _lines(lines)


def _stage(f: dict[str, int], stage: int) -> str:
    """What each stage of the pipeline from an entry to its weights holds."""
    return (
        f"reg p{stage}_v, p{stage}_last, p{stage}_negative, p{stage}_second; "
        f"reg [{f['slot'] - 1}:0] p{stage}_slot; reg [{f['planes'] - 1}:0] p{stage}_k;"
    )


def _passed(stage: int, names: Iterable[str]) -> str:
    """From the stage before."""
    return " ".join(f"p{stage}_{name} <= p{stage - 1}_{name};" for name in names)


def _place_bits(plan: Plan, m: int) -> int:
    return max(top(plan.memories[m].entries - 1) + 1, plan.shape.pipes, _index_bits(plan))


def _weights(plan: Plan) -> str:
    pipes, width, source = plan.shape.pipes, row_bits(plan), plan.source_bits
    f = dict(fields(plan))
    lines = []
    lines += [_stage(f, s) for s in (5, 6, 7)]
    clocked = [_passed(s, ("v", "last", "negative", "second", "slot", "k")) for s in (5, 6, 7)]
    for q in range(pipes):
        lines.append(f"reg [{f['row'] - 1}:0] p5_address_{q}; reg [{width - 1}:0] p6_row_{q}, p7_row_{q};")
        lines.append(" ".join(f"reg [{plan.window - 1}:0] p{s}_window_{q};" for s in (5, 6, 7)))
        plane = f"p4_entry_{q}[{source + plan.window - 1}:{source}]"
        if plan.planes > 1:
            lines.append(f"wire [{source + plan.planes * plan.window - 1}:0] p4_whole_{q} = p4_entry_{q};")
            plane = f"p4_whole_{q}[{source} + p4_k * {plan.window} +: {plan.window}]"
        clocked += [
            f"p5_address_{q} <= p4_row + p4_entry_{q}[{source - 1}:0]; p5_window_{q} <= {plane};",
            f"p6_window_{q} <= p5_window_{q}; p7_window_{q} <= p6_window_{q}; p7_row_{q} <= p6_row_{q};",
        ]
    if plan.shape.loadable:
        high = top(plan.rows - 1)
        lines += [
            f'(* ram_style = "huge", no_rw_check *) reg [{width - 1}:0] weights [0:{(2 << high) - 1}];',
            f"wire [{high}:0] weights_at = load ? load_address : p5_address_0;",
            "always_ff @(posedge clk)",
            "  if (load) weights[weights_at] <= load_data; else p6_row_0 <= weights[weights_at];",
        ]
    else:
        for s, (low, bits) in enumerate(slices(plan)):
            lines += [
                f'(* ram_style = "block", rom_style = "block" *) reg [{bits - 1}:0] weights_{s} [0:{plan.rows - 1}];',
                f'initial $readmemh("weights_{s}.hex", weights_{s});',
            ]
            clocked += [f"p6_row_{q}[{low + bits - 1}:{low}] <= weights_{s}[p5_address_{q}];" for q in range(pipes)]
    clocked.append(f"if (rst) begin {_emptied((5, 6, 7))} end")
    lines += ["always_ff @(posedge clk) begin", *(f"  {each}" for each in clocked), "end"]
    return _lines(lines)


def _lanes(plan: Plan) -> str:
    pipes, lanes, w, d = plan.shape.pipes, plan.shape.lanes, plan.weight_bits, plan.delay_bits
    word, scaled = w + d, w + plan.planes - 1
    any_signed = any(each.signed for each in plan.links)
    term = scaled + (1 if any_signed else 0)
    f = dict(fields(plan))
    lines = [f"wire [{lanes * sum(plan.slots) - 1}:0] lane_sums;"]
    stages = [8] if pipes == 1 else [8, 9]
    lines += [f"reg p{s}_v, p{s}_last; reg [{f['slot'] - 1}:0] p{s}_slot;" for s in stages]
    end = stages[-1]
    lines.append("reg ship;")
    lines.append("always_ff @(posedge clk) begin")
    lines += [f"  p{s}_v <= p{s - 1}_v; p{s}_last <= p{s - 1}_last; p{s}_slot <= p{s - 1}_slot;" for s in stages]
    lines += [f"  ship <= p{end}_last;"]
    lines += [
        f"  if (rst) begin {_emptied(stages)} ship <= 1'b0; end",
        "end",
    ]
    lines += ["genvar p;", f"generate for (p = 0; p < {lanes}; p = p + 1) begin : lane"]
    clocked = []
    for q in range(pipes):
        lines.append(f"  wire signed [{w - 1}:0] weight_{q} = p7_row_{q}[p * {word} +: {w}];")
        bit = f"p7_window_{q}[p7_row_{q}[p * {word} + {w} +: {d}]]" if d else f"p7_window_{q}[0]"
        there = f" && {bit}" + (" && p7_second" if q else "")
        value = f"weight_{q}"
        if plan.planes > 1:
            lines.append(f"  reg signed [{scaled - 1}:0] shifted_{q};")
            lines.append(f"  wire signed [{scaled - 1}:0] wide_{q} = weight_{q};")
            lines.append(f"  wire signed [{scaled - 1}:0] scaled_{q} = p7_k == 0 ? wide_{q} : shifted_{q} <<< 1;")
            clocked.append(f"if (p7_v) shifted_{q} <= scaled_{q};")
            value = f"scaled_{q}"
        kept = f"p7_negative ? -{value} : {value}" if any_signed else value
        if pipes == 2:
            lines.append(f"  reg signed [{term - 1}:0] term_{q};")
            clocked.append(f"if (p7_v{there}) term_{q} <= {kept}; else term_{q} <= '0;")
    # A register for each sum, 0 unless the event is one of its connection, so that nothing but an adder lies behind it.
    at = 0
    for s, bits in enumerate(plan.slots):
        lines += [f"  reg signed [{bits - 1}:0] sum_{s};", f"  reg signed [{term + pipes - 2}:0] more_{s};"]
        mine = f"p{end - 1}_v && p{end - 1}_slot == {s}"
        if pipes == 2:
            clocked.append(f"if ({mine}) more_{s} <= term_0 + term_1; else more_{s} <= '0;")
        else:
            clocked.append(f"if ({mine}{there}) more_{s} <= {kept}; else more_{s} <= '0;")
        clocked.append(f"sum_{s} <= (ship ? $signed({bits}'d0) : sum_{s}) + more_{s};")
        lines.append(f"  assign lane_sums[p * {sum(plan.slots)} + {at} +: {bits}] = sum_{s};")
        at += bits
    clocked.append(f"if (rst) begin {' '.join(f'sum_{s} <= 0;' for s in range(len(plan.slots)))} end")
    lines += ["  always_ff @(posedge clk) begin", *(f"    {each}" for each in clocked), "  end", "end endgenerate"]
    return _lines(lines)


def _emptied(stages: Iterable[int]) -> str:
    """At reset no stage holds anything."""
    return " ".join(f"p{s}_v <= 1'b0; p{s}_last <= 1'b0;" for s in stages)


def _stages(plan: Plan, latency: int) -> str:
    """Who is where in the neuron units."""
    n, y = top(plan.neurons - 1), top(len(plan.network.layers) - 1)
    lines = [f"reg [{sum(plan.slots) - 1}:0] e0_sums;"]
    names = ("first", "bank", "wanted", "starts", "ends")
    for s in range(latency + 1):
        flags = ", ".join(f"e{s}_{each}" for each in names)
        lines.append(f"reg e{s}_v, {flags}; reg [{n}:0] e{s}_neuron; reg [{y}:0] e{s}_layer;")
    lines += [
        "always_ff @(posedge clk) begin",
        "  e0_v <= left != 0; e0_neuron <= u_neuron; e0_layer <= u_layer; e0_sums <= waiting[0];",
        "  e0_first <= u_first; e0_bank <= u_bank; e0_wanted <= u_wanted; e0_starts <= u_starts;",
        "  e0_ends <= u_ends && left == 1;",
    ]
    for s in range(1, latency + 1):
        lines.append("  " + " ".join(f"e{s}_{each} <= e{s - 1}_{each};" for each in ("v", "neuron", "layer", *names)))
    lines.append(f"  if (rst) begin {' '.join(f'e{s}_v <= 0;' for s in range(latency + 1))} end")
    return _lines([*lines, "end"])


def _units(plan: Plan, units: Sequence[Unit], latency: int, states: int) -> str:
    """The units side by side, what is ready early waiting for the slowest; the layer chooses whose result counts."""
    lines = [
        f"reg [{states - 1}:0] states_after;",
        "reg signed [7:0] sent;",
        "reg signed [31:0] shown;",
        "reg [7:0] saturations;",
    ]
    cases = []
    for u, unit in enumerate(units):
        bits = max(unit.sent_bits, 1)
        signed = any(plan.sent(each).low < 0 for each in unit.layers)
        lines += [
            f"wire [{unit.state_bits - 1}:0] u{u}_states; wire [{bits - 1}:0] u{u}_sent;",
            f"wire signed [31:0] u{u}_shown; wire [7:0] u{u}_saturations;",
            f"{unit.name} unit_{u} (.clk(clk), .layer_0(e0_layer), .neuron_0(e0_neuron), .sums(e0_sums),",
            f"  .states(state_now[{unit.state_bits - 1}:0]), .states_after(u{u}_states), .sent(u{u}_sent),",
            f"  .shown(u{u}_shown), .saturations(u{u}_saturations));",
        ]
        late = latency - unit.latency
        wait = unit.state_bits + bits + 40
        everything = f"{{u{u}_saturations, u{u}_shown, u{u}_sent, u{u}_states}}"
        for s in range(late):
            lines.append(f"reg [{wait - 1}:0] u{u}_late_{s}; always_ff @(posedge clk) u{u}_late_{s} <= {everything};")
            everything = f"u{u}_late_{s}"
        lines.append(f"wire [{wait - 1}:0] u{u}_all = {everything};")
        at = unit.state_bits
        sent = f"u{u}_all[{at + bits - 1}:{at}]"
        chosen = f"$signed({sent})" if signed else sent
        cases.append(
            f"{', '.join(map(str, unit.layers))}: begin states_after = u{u}_all[{at - 1}:0]; sent = {chosen}; "
            f"shown = u{u}_all[{at + bits + 31}:{at + bits}]; saturations = u{u}_all[{wait - 1}:{wait - 8}]; end"
        )
    lines += ["always @*", f"  case (e{latency}_layer)", *(f"    {each}" for each in cases)]
    lines += ["    default: begin states_after = 'x; sent = 'x; shown = 'x; saturations = 'x; end", "  endcase"]
    return _lines(lines)


def _message(plan: Plan, link: Link, past: str, bits: int) -> str:
    """A link's planes from what its source sent, the newest lowest: a concatenation, or a sum of weighted taps."""
    ago = 1 if link.back else 0

    def at(lag: int) -> int:
        return (lag - ago) * bits

    if link.connection.delays is not None:
        planes = []
        for k in range(link.planes):
            lags = [link.first_lag + w for w in range(link.window)]
            window = [f"{past}[{at(lag) + k}]" for lag in reversed(lags)]
            gap = plan.window - link.window if k < link.planes - 1 else 0
            planes.append(f"{{{', '.join([*([f'{gap}{chr(39)}b0'] if gap else []), *window])}}}")
        return f"{{{', '.join(reversed(planes))}}}"
    if len(link.connection.taps) > 1:
        width = link.planes
        terms = (f"({past}[{at(tap.span)}] ? {width}'d{tap.weight} : {width}'d0)" for tap in link.connection.taps)
        return f"{' + '.join(terms)}"
    low = at(link.connection.taps[0].span)
    value = f"{past}[{low + bits - 1}:{low}]"
    if plan.window == 1 or bits == 1:
        return value
    parts = []
    for k in range(bits):
        fill = f"{plan.window - 1}'b0, " if k < bits - 1 else ""
        parts.append(f"{{{fill}{past}[{low + k}]}}")
    return f"{{{', '.join(reversed(parts))}}}"


def _spaced(plan: Plan, link: Link, name: str) -> str:
    """A sum of taps with its bits as far apart as planes are."""
    if plan.window == 1 or link.planes == 1:
        return name
    parts = []
    for k in range(link.planes):
        fill = f"{plan.window - 1}'b0, " if k < link.planes - 1 else ""
        parts.append(f"{{{fill}{name}[{k}]}}")
    return f"{{{', '.join(reversed(parts))}}}"


def _payload(plan: Plan, link: Link, past: str, bits: int, lines: list[str]) -> str:
    """The name of a link's message."""
    name = f"message_{link.number}"
    width = (link.planes - 1) * plan.window + link.window
    if link.connection.delays is None and len(link.connection.taps) > 1:
        lines.append(f"wire [{link.planes - 1}:0] taps_{link.number} = {_message(plan, link, past, bits)};")
        lines.append(f"wire [{width - 1}:0] {name} = {_spaced(plan, link, f'taps_{link.number}')};")
    else:
        lines.append(f"wire [{width - 1}:0] {name} = {_message(plan, link, past, bits)};")
    return name


def _input_memory(plan: Plan) -> str:
    """What the input sent in earlier steps, and what it adds to its lists; declares writers of all memories."""
    bits, kept = plan.sent_bits(-1), plan.history(-1)
    lines = []
    for m, each in enumerate(plan.memories):
        place = _place_bits(plan, m)
        lines += [
            f"reg [{plan.source_bits + each.payload - 1}:0] m{m}_entry; reg m{m}_bank;",
            f"wire m{m}_add; wire [{place - 1}:0] m{m}_place; wire [{_index_bits(plan) - 1}:0] m{m}_at;",
        ]
    if kept:
        lines += [
            '(* ram_style = "block", no_rw_check *)',
            f"reg [{kept * bits - 1}:0] input_memory [0:{plan.network.input.channels - 1}];",
            f"reg [{kept * bits - 1}:0] input_q; reg i1_first; reg signed [{bits - 1}:0] i1_x;",
            f"wire [{(kept + 1) * bits - 1}:0] input_past = {{i1_first ? {kept * bits}'b0 : input_q, i1_x}};",
            "always_ff @(posedge clk) begin",
            "  i1_first <= i0_first; i1_x <= i0_x; input_q <= input_memory[i0_c];",
            f"  if (i1_v) input_memory[i1_c] <= input_past[{kept * bits - 1}:0];",
            "end",
        ]
    else:
        lines += [
            f"reg signed [{bits - 1}:0] i1_x; wire [{bits - 1}:0] input_past = i1_x;",
            "always_ff @(posedge clk) i1_x <= i0_x;",
        ]
    for link in plan.outgoing(-1):
        m = link.memory
        name = _payload(plan, link, "input_past", bits, lines)
        lines += [
            f"reg i2_any_{m}; reg [{_index_bits(plan) - 1}:0] m{m}_count;",
            f"assign m{m}_add = i2_v && i2_any_{m}; assign m{m}_at = m{m}_count;",
            f"assign m{m}_place = m{m}_count + {link.base};",
            "always_ff @(posedge clk) begin",
            f"  i2_any_{m} <= |{name}; m{m}_bank <= i1_bank;",
            f"  m{m}_entry <= {{{name}, {plan.source_bits}'b0}} | i1_c;",
            f"  if (i0_begins) m{m}_count <= '0; else m{m}_count <= m{m}_count + m{m}_add;",
            "end",
        ]
    return _lines(lines)


def _history(plan: Plan, latency: int) -> str:
    """What each neuron sent in earlier steps, and the lists that it adds itself to."""
    layers = range(len(plan.network.layers) - 1)
    widths = {place: (plan.history(place), plan.sent_bits(place)) for place in layers}
    kept = max((count * bits for count, bits in widths.values()), default=0)
    bits_max = max((bits for _, bits in widths.values()), default=1)
    e, lines = f"e{latency}", []
    n = plan.neurons
    if kept:
        lines += [
            f'(* ram_style = "block", no_rw_check *) reg [{kept - 1}:0] past_memory [0:{n - 1}];',
            f"reg [{kept - 1}:0] past_read, past_now;",
            f"wire [{kept + bits_max - 1}:0] past_whole;",
            "always_ff @(posedge clk) begin",
            f"  past_read <= past_memory[e{latency - 2}_neuron];",
            f"  past_now <= e{latency - 1}_first ? '0 : past_read;",
            f"  if ({e}_v) past_memory[{e}_neuron] <= past_whole[{kept - 1}:0];",
            "end",
        ]
        alike = len({bits for _, bits in widths.values()}) == 1
        if alike:
            lines.append(f"assign past_whole = {{past_now, sent[{bits_max - 1}:0]}};")
        else:
            lines.append(f"reg [{kept + bits_max - 1}:0] past_chosen; assign past_whole = past_chosen;")
            cases = " ".join(f"{i}: past_chosen = {{past_now, sent[{b - 1}:0]}};" for i, (_, b) in widths.items())
            lines.append(f"always @* case ({e}_layer) {cases} default: past_chosen = 'x; endcase")
    else:
        lines.append(f"wire [{bits_max - 1}:0] past_whole = sent[{bits_max - 1}:0];")
    s = plan.source_bits
    firsts = " ".join(f"{i}: h_index <= {e}_neuron - {plan.first_neuron[i]};" for i in range(len(plan.network.layers)))
    lines += [
        f"reg [{s - 1}:0] h_index;",
        "always_ff @(posedge clk) begin",
        f"  h_v <= {e}_v; h_layer <= {e}_layer; h_bank <= {e}_bank; h_starts <= {e}_starts; h_ends <= {e}_ends;",
        f"  case ({e}_layer) {firsts} default: h_index <= 'x; endcase",
        "  if (rst) h_v <= 1'b0;",
        "end",
    ]
    for m, memory in enumerate(plan.memories):
        if memory.input:
            continue
        mine = [each for each in plan.links if each.memory == m]
        names = {each.source: _payload(plan, each, "past_whole", widths[each.source][1], lines) for each in mine}
        high = _index_bits(plan) - 1
        bases = " ".join(f"{each.source}: h_base_{m} <= {each.base};" for each in mine)
        backs = " ".join(f"{each.source}: m{m}_bank <= {f'{e}_bank' if each.back else chr(39) + '0'};" for each in mine)
        anys = " ".join(f"{source}: h_any_{m} <= |{name};" for source, name in names.items())
        entries = " ".join(f"{source}: h_payload_{m} <= {name};" for source, name in names.items())
        lines += [
            f"reg h_any_{m}; reg [{high}:0] m{m}_count; reg [{_place_bits(plan, m) - 1}:0] h_base_{m};",
            f"reg [{memory.payload - 1}:0] h_payload_{m};",
            f"assign m{m}_at = h_starts ? '0 : m{m}_count; assign m{m}_add = h_v && h_any_{m};",
            f"assign m{m}_place = h_base_{m} + m{m}_at;",
            f"always @* m{m}_entry = {{h_payload_{m}, h_index}};",
            "always_ff @(posedge clk) begin",
            f"  case ({e}_layer) {bases} default: h_base_{m} <= 'x; endcase",
            f"  case ({e}_layer) {backs} default: m{m}_bank <= 'x; endcase",
            f"  case ({e}_layer) {anys} default: h_any_{m} <= 1'b0; endcase",
            f"  case ({e}_layer) {entries} default: h_payload_{m} <= 'x; endcase",
            f"  if (h_v) m{m}_count <= m{m}_at + m{m}_add;",
            "end",
        ]
    return _lines(lines)
