"""A microcontroller board at a serial port: what has to be there to reach one, and samples through it.

Each network is compiled into a sketch and uploaded by arduino-cli; then its steps are fed over the port, and for each
comes back a hash of every spike and membrane since the sample began. Nobody has run it on a board yet; the sketch's own
part is run on this machine, at the other end of a pseudo-terminal.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import run
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import checked_input
from asrc_core.errors import BackendFailed, BackendMissing, ParityBroken
from asrc_export.codegen.mcu.program import program
from asrc_export.emulation import emulate, tools
from asrc_export.serial_line import PATIENCE_S, SerialLine

NAME = "mcu"
PORT, BOARD, TOOL = "ASRC_SERIAL", "ASRC_FQBN", "arduino-cli"
UPLOAD_S = 300
WAY_OUT = "see 'On a board' in docs/how-to/microcontroller.md"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Access:
    """The port that a board is at, and what arduino-cli calls the board."""

    port: str
    board: str


def why_none(variables: Mapping[str, str] | None = None) -> str | None:
    """What is missing before a network could go to a board, all of it in one sentence, or None."""
    given = os.environ if variables is None else variables
    missing = []
    port = given.get(PORT)
    if not port:
        missing.append(f"{PORT} does not name the board's serial port")
    elif not os.access(port, os.R_OK | os.W_OK):
        missing.append(f"the port '{port}' of {PORT} is not there or cannot be opened")
    if not given.get(BOARD):
        missing.append(f"{BOARD} does not say what board it is, as arduino-cli names it")
    if shutil.which(TOOL, path=given.get("PATH", os.defpath)) is None:
        missing.append(f"{TOOL} is not installed")
    return "; ".join(missing) or None


def require(variables: Mapping[str, str] | None = None) -> Access:
    """The access to a board. Raises BackendMissing with everything that is missing."""
    given = os.environ if variables is None else variables
    why = why_none(given)
    if why is not None:
        raise BackendMissing(NAME, why, WAY_OUT)
    return Access(given[PORT], given[BOARD])


def upload(network: IntegerNetwork, access: Access) -> None:
    """Compile a network's sketch and put it on the board. Raises BackendFailed, the log kept."""
    printed = program(network)
    with tempfile.TemporaryDirectory(prefix="asrc-") as name:
        sketch = Path(name, "parity")
        sketch.mkdir()
        # The network is included by serial.c, so that it is compiled once, with its trace.
        (sketch / "src").mkdir()
        (sketch / "src" / "asrc_network.h").write_text(printed.header)
        served = (HERE / "serial.c").read_text().replace('#include "asrc_network.c"\n', printed.source)
        (sketch / "src" / "serial.c").write_text(served)
        (sketch / "parity.ino").write_text((HERE / "serial.ino").read_text())
        command = [TOOL, "compile", "-u", "-b", access.board, "-p", access.port, str(sketch)]
        tools.output(command, sketch, UPLOAD_S, WAY_OUT)


def require_equal(network: IntegerNetwork, x: NDArray[np.generic], line: SerialLine) -> int:
    """Run (B, T, channels) samples over a line and compare each step; how many steps there were.

    Raises ParityBroken, naming the first step whose spikes or membranes are not the reference's, or the logits;
    BackendFailed for a board that does not answer; InvalidData.
    """
    samples = checked_input(network, x)
    for b, sample in enumerate(samples):
        expected = run(network, sample[np.newaxis], trace=True)
        wanted = emulate.hashes_by_step(network, expected)[:, 0].tolist()
        line.send(b"b")
        for t, frame in enumerate(sample.tolist()):
            line.send(f"s {' '.join(map(str, frame))}\n".encode())
            if numbers(line) != [wanted[t]]:
                raise ParityBroken(NAME, "numpy", f"sample {b}, step {t}: its spikes or membranes")
        line.send(b"l")
        if numbers(line) != expected.logits[0].tolist():
            raise ParityBroken(NAME, "numpy", f"sample {b}: its logits")
    return len(samples) * samples.shape[1]


def line_to(port: str | Path, patience: float = PATIENCE_S) -> SerialLine:
    """The line at which the sketch answers. Raises BackendMissing for one that cannot be opened."""
    return SerialLine(port, NAME, WAY_OUT, patience)


def numbers(line: SerialLine) -> list[int]:
    """A line of numbers. Raises BackendFailed if none comes in time, or something else does."""
    said = line.receive_line()
    try:
        return [int(each) for each in said.split()]
    except ValueError as error:
        raise BackendFailed(NAME, f"it answered {said[:40]!r}, which are no numbers", WAY_OUT) from error
