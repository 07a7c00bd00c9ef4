"""asrc-export --c and --verilog: an integer network as the files of a device, with its sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asrc_core.counts import plural
from asrc_export.commands import circuits

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from asrc_core.contract.network import IntegerNetwork

FORMATS = ("c", "verilog")
"""The options that name a folder to write."""
OPTIONS = (*FORMATS, "run", "lanes", "build", "seeds", "target")
"""Those that mean something for an integer network's file."""
SAMPLES = 3
"""Samples that ``--run`` emulates."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this file."""
    from asrc_export.emulation.cores import CORES

    add = parser.add_argument
    add("--c", metavar="FOLDER", help="write the integer network as C for microcontrollers, too, and print its sizes")
    add("--run", metavar="CORE", choices=CORES, help="with --c: run it under QEMU, compared in every spike")
    circuits.add_options(parser)


def wanted(options: argparse.Namespace) -> bool:
    """Whether files for a device are asked for."""
    return options.c is not None or options.verilog is not None


def folders(options: argparse.Namespace) -> list[str | Path]:
    """The folders that would be written."""
    asked: list[str | Path] = [path for name in FORMATS if (path := getattr(options, name)) is not None]
    return asked if options.build is None else [*asked, circuits.logs_of(options.verilog)]


def require_possible(options: argparse.Namespace, network: IntegerNetwork | None = None) -> None:
    """Raise UnwritableOutput before any work is done, and for missing tools BackendMissing (--run) and ExtraMissing.

    ``network``: one that is at hand already, which has to fit a circuit's device first (RulesBroken).
    """
    from asrc_core.files import folder

    if options.c is not None:
        folder.require_writable(options.c)
        if options.run is not None:
            from asrc_export.emulation import emulate
            from asrc_export.emulation.cores import core

            emulate.require(core(options.run))
    if options.verilog is not None:
        circuits.require_possible(options, network)


def write(network: IntegerNetwork, options: argparse.Namespace) -> None:
    """Write what is asked for, and say what it is. Raises what `circuits.write` and C for a device raise."""
    if options.c is not None:
        _write_c(network, options)
    if options.verilog is not None:
        circuits.write(network, options)


def _write_c(network: IntegerNetwork, options: argparse.Namespace) -> None:
    """Write what is asked for, and print sizes.

    Raises RulesBroken for a network that a device named by ``--target`` has no room for, UnwritableOutput,
    BackendMissing and BackendFailed (``--run``).
    """
    from asrc_core.errors import RulesBroken
    from asrc_core.files import folder
    from asrc_export.chip import devices
    from asrc_export.chip.devices.mcu import CODE, STACK, Microcontroller
    from asrc_export.codegen.mcu.folder import files
    from asrc_export.codegen.mcu.program import program
    from asrc_export.emulation.cores import CORES, core

    device = devices.the_device(options.target)
    samples = _samples(network)
    printed = program(network, None if samples is None else samples[0])
    if isinstance(device, Microcontroller):
        taken = ("flash", printed.constants + CODE, device.flash), ("RAM", printed.ram + STACK, device.ram)
        broken = [
            f"{name}: {plural(used, 'byte')}, limit: {plural(limit.count, 'byte')} ({limit.certainty}). Way "
            "out: fewer neurons."
            for name, used, limit in taken
            if used > limit.count
        ]
        if broken:
            raise RulesBroken(device.name, broken)
    for path in folder.write(files(printed), options.c):
        print(path)
    print(
        f"flash: {plural(printed.constants, 'byte')} of constants, of which {printed.weights:,} are "
        "weights, and the code; "
        f"RAM: {plural(printed.ram, 'byte')}, all of it static"
    )
    for each in CORES.values():
        _print_sizes(printed, each)
    if options.run:
        _emulate(network, samples, core(options.run))


def _print_sizes(printed: Any, core: Any) -> None:
    """What a compiler makes of it, for cores that one is installed for."""
    import shutil

    from asrc_export.emulation.emulate import sizes

    if shutil.which(core.compiler) is not None:
        found = sizes(printed, core)
        print(
            f"{core.name}: {plural(found.flash, 'byte')} of flash, {plural(found.ram, 'byte')} of RAM "
            f"({core.compiler} -O2)"
        )


def _emulate(network: IntegerNetwork, samples: NDArray[np.generic] | None, core: Any) -> None:
    import numpy as np

    from asrc_export.emulation.emulate import emulate

    x = samples
    if x is None:
        entry = network.input
        shape = (SAMPLES, network.steps, entry.channels)
        x = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, shape)
    done = emulate(network, x[:SAMPLES], core)
    print(
        f"{done.core} under QEMU: {plural(done.samples, 'sample')}, {plural(done.compared, 'spike')} and "
        "membranes and all logits equal; "
        f"{done.per_step:,.0f} instructions a step (instructions, not cycles)"
    )


def _samples(network: IntegerNetwork) -> NDArray[np.generic] | None:
    """The first test samples of the data set trained on, None where it is not at hand."""
    from asrc_core.errors import AsrcError
    from asrc_export.samples.dataset_samples import dataset_for

    data = network.provenance.get("data")
    if not data:
        return None
    try:
        return dataset_for(network, data).test_x[:SAMPLES]
    except AsrcError:  # the sample is drawn then, and the self-test is none the weaker
        return None
