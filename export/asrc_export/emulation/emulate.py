"""A network's C on an emulated core: samples through it, compared with the reference in every number.

The reference's spikes and membranes of a sample are one hash of all of them in order, as the harness computes it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import run
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result, checked_input
from asrc_core.errors import BackendFailed, ParityBroken
from asrc_export.codegen.mcu.memory import Memory, narrowest
from asrc_export.codegen.mcu.program import Program, program
from asrc_export.emulation import tools
from asrc_export.emulation.cores import Core

HERE = Path(__file__).parent
FLAGS = ("-std=gnu99", "-O2", "-ffunction-sections")
COMPILING_S = 120
INSTRUCTIONS_A_SECOND = 2e6
"""The least that any machine emulates: deadlines only."""
HASH_START, HASH_FACTOR = 2166136261, 16777619
WAY_OUT = "run the native engine, which needs no tools"


@dataclass(frozen=True)
class Sizes:
    """Bytes that a linked network takes, its self-test and counters left out where nothing calls them."""

    flash: int
    ram: int


@dataclass(frozen=True)
class Emulated:
    """What a core did with samples; all numbers were those of the reference."""

    core: str
    samples: int
    steps: int
    instructions: int
    """Of all steps of all samples together."""
    compared: int
    """Spikes and membranes."""

    @property
    def per_step(self) -> float:
        """Instructions a step, on average."""
        return self.instructions / (self.samples * self.steps)


def sizes(printed: Program, core: Core) -> Sizes:
    """Flash and RAM of the network's object on a core. Raises BackendMissing, BackendFailed."""
    compiler = tools.require(core.compiler, core.packages)
    size = tools.require(core.compiler.removesuffix("gcc") + "size", core.packages)
    with tempfile.TemporaryDirectory(prefix="asrc-") as name:
        folder = Path(name)
        _written(printed, folder)
        command = [compiler, *core.flags, "-std=c99", "-O2", "-ffreestanding", "-c", "asrc_network.c", "-o", "net.o"]
        tools.output(command, folder, COMPILING_S, WAY_OUT)
        text, data, bss = map(
            int, tools.output([size, "net.o"], folder, COMPILING_S, WAY_OUT).splitlines()[1].split()[:3]
        )
    return Sizes(text + data, data + bss)


def require(core: Core) -> tuple[str, str]:
    """The compiler and the emulator of a core, "" where it needs none. Raises BackendMissing."""
    compiler = tools.require(core.compiler, core.packages)
    return compiler, tools.require(core.qemu, core.packages) if core.qemu else ""


def emulate(network: IntegerNetwork, x: NDArray[np.generic], core: Core, *, traced: bool = True) -> Emulated:
    """Run (B, T, channels) samples on a core, without a trace for the count of instructions and, unless ``traced`` is
    false, again with one.

    Raises ParityBroken for the first sample with a logit, spike or membrane that is not the reference's; InvalidData,
    BackendMissing, BackendFailed.
    """
    commands = require(core)
    samples = checked_input(network, x)
    printed, expected = program(network, samples[0]), run(network, samples, trace=traced)
    counted = _run(network, samples, printed, expected, core, commands, ())
    compared = 0
    if traced:
        _run(network, samples, printed, expected, core, commands, ("-DASRC_TRACE",))
        compared = samples.shape[0] * samples.shape[1] * (2 * sum(each.neurons for each in network.layers))
    return Emulated(core.name, len(samples), samples.shape[1], counted, compared)


def hashes(network: IntegerNetwork, result: Result) -> NDArray[np.uint32]:
    """The harness's hash of each sample's spikes and membranes: (B,)."""
    last: NDArray[np.uint32] = hashes_by_step(network, result)[-1]
    return last


def hashes_by_step(network: IntegerNetwork, result: Result) -> NDArray[np.uint32]:
    """The same after each step, of all up to it: (T, B)."""
    assert result.trace is not None, "only traced results are hashed"
    batch = len(result.logits)
    found = np.full(batch, HASH_START, np.uint32)
    steps = len(result.trace.readout)
    sent = [each.spikes for each in result.trace.layers]
    shown = [*(each.membrane for each in result.trace.layers), result.trace.readout]
    silent = np.zeros((batch, network.classes), np.int32)
    after = np.zeros((steps, batch), np.uint32)
    with np.errstate(over="ignore"):
        for t in range(steps):
            values = np.concatenate([*(each[t] for each in sent), silent, *(each[t] for each in shown)], axis=1)
            for column in values.astype(np.int32).view(np.uint32).T:
                found = (found ^ column) * np.uint32(HASH_FACTOR)
            after[t] = found
    return after


def _run(
    network: IntegerNetwork,
    samples: NDArray[np.int32],
    printed: Program,
    expected: Result,
    core: Core,
    commands: tuple[str, str],
    more: tuple[str, ...],
) -> int:
    """Run once; the instructions of all steps."""
    compiler, qemu = commands
    with tempfile.TemporaryDirectory(prefix="asrc-") as name:
        folder = Path(name)
        _written(printed, folder)
        (folder / "samples.h").write_text(_samples(network, samples, expected))
        parts = ("harness.c", f"{core.startup}.c", *([f"{core.startup}.ld"] if core.bare else []))
        for each in parts:
            (folder / each).write_text((HERE / each).read_text())
        script = ("-T", f"{core.startup}.ld", "-lgcc") if core.bare else ()
        command = [compiler, *core.flags, *FLAGS, *core.bare, *more, f"{core.startup}.c", *script, "-o", "image"]
        tools.output(command, folder, COMPILING_S, WAY_OUT)
        serial = "null" if "-semihosting" in core.board else "stdio"
        options = ("-icount", "shift=0", "-nographic", "-monitor", "none", "-serial", serial, "-kernel", "image")
        work = len(samples) * samples.shape[1] * (network.synapses + 200 * sum(e.neurons for e in network.layers))
        run_it = [qemu, *core.board, *options] if qemu else [str(folder / "image")]
        told = tools.output(run_it, folder, 60 + work / INSTRUCTIONS_A_SECOND, WAY_OUT)
    lines = told.splitlines()
    if "self-test 0 " not in lines or "done" not in lines:
        raise BackendFailed(core.name, f"the self-test did not pass{tools.last_lines(told)}", "please report it")
    rows = np.array([line.split() for line in lines[lines.index("self-test 0 ") + 1 : lines.index("done")]], np.int64)
    wanted = hashes(network, expected) if more else None
    for i, (hashed, wrong, _) in enumerate(rows.tolist()):
        if wrong:
            raise ParityBroken(core.name, "numpy", f"sample {i}: {wrong} of its logits")
        if wanted is not None and hashed != wanted[i]:
            raise ParityBroken(core.name, "numpy", f"sample {i}: its spikes or membranes")
    assert len(rows) == len(samples), "a line for each sample"
    return int(rows[:, 2].sum()) * core.instructions_a_tick


def _written(printed: Program, folder: Path) -> None:
    (folder / "asrc_network.c").write_text(printed.source)
    (folder / "asrc_network.h").write_text(printed.header)


def _samples(network: IntegerNetwork, samples: NDArray[np.int32], expected: Result) -> str:
    memory = Memory()
    bits = narrowest(network.input.minimum, network.input.maximum)
    memory.constant("samples", f"int{bits}_t", samples.ravel())
    memory.constant("expected", "int32_t", expected.logits.ravel())
    return f"enum {{ SAMPLES = {len(samples)}, STEPS = {samples.shape[1]} }};\n" + "".join(
        each.text for each in memory.constants
    )
