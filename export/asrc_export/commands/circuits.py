"""asrc-export --verilog: an integer network as a circuit; with --build, how large and how fast it is on an FPGA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core.command import command_line
from asrc_core.counts import plural

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from asrc_core.contract.network import IntegerNetwork
    from asrc_export.chip.devices.built import Summary
    from asrc_export.chip.devices.fpga import Fpga
    from asrc_export.rtl.plan import Plan
    from asrc_export.rtl.synthesis.build import Built

TESTED = 2
"""Samples in the testbench."""
MEASURED = 4
"""Samples over which cycles are counted."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this file."""
    add = parser.add_argument
    add("--verilog", metavar="FOLDER", help="write the integer network as a circuit in SystemVerilog, too")
    add("--lanes", metavar="P", type=command_line.positive, help="with --verilog: neurons at once (default: 8)")
    add(
        "--build",
        metavar="FPGA",
        help="with --verilog: synthesise, place and route it for ice40up5k, ecp5-25f, ecp5-85f or a device file, and "
        "print its size and speed; build.json in the folder holds them for asrc-report --build",
    )
    add(
        "--seeds",
        metavar="N",
        type=command_line.positive,
        help="with --build: place and route with N seeds, and keep the fastest (default: 1)",
    )


def require(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Stop at options that do not go together."""
    for name in ("lanes", "build"):
        if getattr(options, name) is not None and options.verilog is None:
            parser.error(f"argument --{name}: goes with --verilog only")
    if options.seeds is not None and options.build is None:
        parser.error("argument --seeds: goes with --build only")


def require_possible(options: argparse.Namespace, network: IntegerNetwork | None = None) -> None:
    """Raise UnwritableOutput before any work is done, and with --build UnknownName and ExtraMissing.

    A ``network`` that is at hand already has to fit first (RulesBroken): no tool would help it.
    """
    from asrc_core.files import folder

    folder.require_writable(options.verilog)
    if options.build is not None:
        from asrc_export.chip import devices
        from asrc_export.rtl.synthesis import build

        device = _fpga(options.build)
        if network is not None:
            devices.require(network, device)
        build.require(device)
        folder.require_writable(logs_of(options.verilog))


def write(network: IntegerNetwork, options: argparse.Namespace) -> None:
    """Write what is asked for, after `require_possible`, and say what it is.

    Raises UnwritableOutput, UnknownName, InvalidSetting; with --build also RulesBroken for a network that does not fit,
    ExtraMissing, and BackendFailed with the last lines of a tool that fails.
    """
    import tempfile
    from dataclasses import replace
    from pathlib import Path

    from asrc_export.chip import devices
    from asrc_export.chip.devices import built
    from asrc_export.rtl.boards.shell import shell
    from asrc_export.rtl.design import design
    from asrc_export.rtl.plan import Shape
    from asrc_export.rtl.simulation.scratch import working_in, write_all
    from asrc_export.rtl.synthesis import build
    from asrc_export.rtl.testbench import bench

    device = None if options.build is None else _fpga(options.build)
    if device is not None:
        devices.require(network, device)
    shape = Shape() if device is None else build.shape_for(device)
    if options.lanes is not None:
        shape = replace(shape, lanes=options.lanes)
    plan, files = design(network, shape)
    sources = [name for name in files if name.endswith(".sv")]
    x = samples_of(network, MEASURED)
    everything: dict[str, str | Path] = {**files, **shell(plan), **bench(plan, x[:TESTED])}
    if device is None:
        _write(everything, options.verilog, plan)
        return
    with tempfile.TemporaryDirectory(prefix="asrc-rtl-") as name:
        made, logs = Path(name), logs_of(options.verilog)
        write_all(files, made)
        with working_in(logs):
            logs.mkdir(parents=True, exist_ok=True)
        done = build.build(plan, sources, made, logs, device, options.seeds or 1)
    summary = _summary(network, plan, device, done, options.seeds or 1, x)
    _write({**everything, built.FILE: summary.model_dump_json(indent=2) + "\n"}, options.verilog, plan)
    print(f"logs: {logs}")
    _print(summary)


def _write(files: dict[str, str | Path], out: str, plan: Plan) -> None:
    from asrc_core.files import folder

    folder.write(files, out)
    print(
        f"{out}: {plural(len(files), 'file')}; {plural(plan.neurons, 'neuron')}, "
        f"{plural(plan.shape.lanes, 'lane')}, {plan.rows:,} rows of weights,"
        f" {plural(len(plan.program), 'instruction')}; sums of {', '.join(map(str, plan.slots))} bits by the proofs"
    )


def logs_of(out: str) -> Path:
    """The folder beside that of the circuit, also where that one is named by a slash at its end or by dots."""
    import os
    from pathlib import Path

    ends_in_a_name = Path(out).name not in ("", "..")
    return Path(f"{Path(out) if ends_in_a_name else os.path.abspath(out)}.logs")


def _fpga(name: str) -> Fpga:
    from asrc_core.errors import UnknownName
    from asrc_export.chip import devices
    from asrc_export.chip.devices.fpga import Fpga

    device = devices.load(name)
    if not isinstance(device, Fpga):
        known = [each for each in devices.names() if isinstance(devices.load(each), Fpga)]
        raise UnknownName("FPGA", name, known, "a path ending in .toml")
    return device


def _summary(
    network: IntegerNetwork, plan: Plan, device: Fpga, done: Built, seeds: int, x: NDArray[np.generic]
) -> Summary:
    """What place and route says, and the cycles that a simulation of samples (B, T, channels) counts."""
    from asrc_core.contract.file import network_file
    from asrc_core.errors import BackendMissing
    from asrc_export.chip.devices.built import Cycles, Summary, Taken
    from asrc_export.rtl.simulation.circuit import Circuit
    from asrc_export.rtl.synthesis import build

    cycles = None
    try:
        counted = Circuit(network, plan.shape).run(x[:MEASURED])
        cycles = Cycles(a_step=counted.cycles_per_step, samples=len(x[:MEASURED]))
    except BackendMissing as error:
        command_line.say(f"note: no cycles are counted: {error}")
    return Summary(
        network_sha256=network_file.fingerprint(network),
        device=device.name,
        title=device.title,
        tool=build.tool(device),
        seed=done.seed,
        seeds=seeds,
        lanes=plan.shape.lanes,
        pipes=plan.shape.pipes,
        steps=network.steps,
        resources=tuple(Taken(name=name, used=used, limit=there) for name, (used, there) in done.used.items()),
        megahertz=done.megahertz,
        cycles=cycles,
    )


def _print(summary: Summary) -> None:
    from tabulate import tabulate

    from asrc_export.chip.devices import built

    rows = [
        (each.name, f"{each.used:,}", "" if each.limit is None else f"{each.limit:,}", each.unit, each.basis)
        for each in built.resources(summary)
    ]
    print(summary.title)
    print(tabulate(rows, ("", "takes", "of", "", "basis"), disable_numparse=True))


def samples_of(network: IntegerNetwork, count: int) -> NDArray[np.generic]:
    """The first test samples (B, T, channels) of the data set trained on; where it is not at hand, drawn ones."""
    import numpy as np

    from asrc_core.errors import AsrcError
    from asrc_export.samples.dataset_samples import dataset_for

    data = network.provenance.get("data")
    try:
        if data:
            return dataset_for(network, data).test_x[:count]
    except (AsrcError, ImportError):
        command_line.say(f"note: data set '{data}' is not at hand: samples are drawn")
    entry = network.input
    shape = (count, network.steps, entry.channels)
    return np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, shape)
