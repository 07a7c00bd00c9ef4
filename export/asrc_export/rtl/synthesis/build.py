"""A circuit built for an FPGA: logs kept, figures read from them, nothing left half-written."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import Template

from asrc_core import extras
from asrc_core.errors import BackendFailed, RulesBroken
from asrc_export.chip.devices.fpga import Fpga
from asrc_export.rtl import core, yowasp
from asrc_export.rtl.plan import Plan, Shape
from asrc_export.rtl.simulation.scratch import write_all
from asrc_export.rtl.simulation.tool import ran

SYNTHESIS = {
    "ice40": "read_verilog -sv {sources}; synth_ice40 -dsp -device {timing} -top {top} -json circuit.json",
    "ecp5": "read_verilog -sv {sources}; synth_ecp5 -top {top} -json circuit.json",
}
HERE = Path(__file__).parent
"""Where what is said to place and route lies, a file for each architecture: its clock aims beyond what is reached."""
USED = {
    "ice40": {
        "logic cells": "ICESTORM_LC",
        "block RAM": "ICESTORM_RAM",
        "large RAM": "ICESTORM_SPRAM",
        "DSP": "ICESTORM_DSP",
    },
    "ecp5": {"logic cells": "TRELLIS_COMB", "flip-flops": "TRELLIS_FF", "block RAM": "DP16KD", "DSP": "MULT18X18D"},
}
TIMING = {"up5k": "u"}
"""Whose delays yosys takes for an iCE40; others are "hx"."""
HARNESS = "pins.sv"


@dataclass(frozen=True)
class Built:
    """What place and route says: how much of each resource, and the clock."""

    used: dict[str, tuple[int, int]]
    """By name, how many and of how many."""
    megahertz: float
    seed: int
    """Of place and route."""


def shape_for(device: Fpga) -> Shape:
    """The circuit that suits the device."""
    loadable = device.weights_in == "large RAM"
    return Shape(device.lanes, device.pipes, loadable, sliced=not loadable)


def require(device: Fpga) -> None:
    """Raise ExtraMissing unless the tools for the device are installed."""
    tools = ("yosys", f"nextpnr_{device.architecture}")
    absent = [yowasp.PACKAGES[each] for each in tools if find_spec(yowasp.PACKAGES[each]) is None]
    extras.require("fpga", absent)


def tool(device: Fpga) -> str:
    """The name and version of what places and routes for the device, which has to be installed."""
    package = yowasp.PACKAGES[f"nextpnr_{device.architecture}"].replace("_", "-")
    return f"{package} {version(package)}"


def build(plan: Plan, sources: list[str], folder: Path, logs: Path, device: Fpga, seeds: int = 1) -> Built:
    """Synthesise the circuit whose files lie in ``folder``, place and route it with the seeds 1 to ``seeds``; logs go
    to ``logs``. The fastest counts.

    Raises ExtraMissing, BackendFailed with a tool's last lines, RulesBroken for more of anything than there is.
    """
    require(device)
    write_all({HARNESS: pins(plan)}, folder)
    timing = TIMING.get(device.part, "hx")
    script = SYNTHESIS[device.architecture].format(sources=" ".join([*sources, HARNESS]), top="pins", timing=timing)
    ran(yowasp.command("yosys", ["-p", script]), folder, "yosys", logs / "synthesis.log")
    return max((_routed(folder, logs, device, seed) for seed in range(1, seeds + 1)), key=lambda each: each.megahertz)


def _routed(folder: Path, logs: Path, device: Fpga, seed: int) -> Built:
    route = logs / f"place-and-route-{seed}.log"
    form = Template((HERE / f"{device.architecture}.arguments").read_text())
    arguments = form.substitute(part=device.part, package=device.package, seed=seed)
    command = yowasp.command(f"nextpnr_{device.architecture}", shlex.split(arguments))
    try:
        said = ran(command, folder, "nextpnr", route)
    except BackendFailed:
        require_fit(route.read_text() if route.exists() else "", device)
        raise
    require_fit(said, device)
    return Built(used(said, device), megahertz(said), seed)


def used(said: str, device: Fpga) -> dict[str, tuple[int, int]]:
    """How much of each resource, as nextpnr prints it."""
    found = {}
    for name, cell in USED[device.architecture].items():
        match = re.search(rf"\b{cell}:\s*(\d+)\s*/\s*(\d+)", said)
        if match:
            found[name] = int(match.group(1)), int(match.group(2))
    return found


def megahertz(said: str) -> float:
    """The clock after routing, the last that nextpnr prints. Raises BackendFailed if it prints none."""
    clocks = re.findall(r"Max frequency for clock\s+'[^']*':\s*([0-9.]+) MHz", said)
    if not clocks:
        raise BackendFailed("nextpnr", "it printed no clock frequency", "please report it, with its log")
    return float(clocks[-1])


def require_fit(said: str, device: Fpga) -> None:
    """Raise RulesBroken, naming each resource of which place and route needs more than there is."""
    broken = [
        f"{name}: {taken:,} of {there:,}. Way out: fewer neurons, or a larger device."
        for name, (taken, there) in used(said, device).items()
        if taken > there
    ]
    if broken:
        raise RulesBroken(device.name, broken)


def pins(plan: Plan) -> str:
    """A frame of few pins, so that a circuit is measured by itself: shift registers in, one bit out."""
    bits, load = plan.sent_bits(-1), ""
    declared = ""
    if plan.shape.loadable:
        row, address = core.row_bits(plan), core.top(plan.rows - 1) + 1
        load = ", .load(load), .load_address(address), .load_data(row)"
        declared = f"  reg load; reg [{address - 1}:0] address; reg [{row - 1}:0] row;\n"
        declared += (
            "  always @(posedge clk) begin row <= {row, in}; address <= {address, row[0]}; load <= address[0]; end\n"
        )
    return f"""\
// A frame of few pins around the circuit, to measure it alone.
module pins (input wire clk, input wire rst, input wire in, input wire next, output reg out);
  reg reset, valid, ready, first, last; reg [{bits - 1}:0] x; reg [31:0] held;
  wire in_ready, out_valid, out_last; wire [31:0] result;
{declared}\
  asrc_core circuit (.clk(clk), .rst(reset), .in_valid(valid), .in_ready(in_ready), .in_data(x), .in_first(first),
    .in_last(last), .out_valid(out_valid), .out_ready(ready), .out_data(result), .out_last(out_last){load});
  always @(posedge clk) begin
    reset <= rst; x <= {{x, in}}; valid <= next; ready <= in; first <= x[0]; last <= first;
    held <= out_valid ? result : held >> 1; out <= held[0] ^ in_ready ^ out_last;
  end
endmodule
"""
