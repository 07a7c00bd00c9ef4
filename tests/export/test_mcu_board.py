"""A microcontroller board over a serial line: the sketch's own part at the other end of a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.random_network import any_network
from asrc_core.errors import BackendFailed, BackendMissing, ParityBroken
from asrc_export.codegen.mcu.program import program
from asrc_export.emulation import board

SUPPORT = Path(__file__).parents[1] / "support"


@contextmanager
def at_the_end(network: IntegerNetwork, folder: Path) -> Iterator[board.Line]:
    """A line with the compiled sketch's part at its other end."""
    printed = program(network)
    (folder / "asrc_network.c").write_text(printed.source)
    (folder / "asrc_network.h").write_text(printed.header)
    (folder / "serial.c").write_text((board.HERE / "serial.c").read_text())
    (folder / "main.c").write_text((SUPPORT / "serial_board.c").read_text())
    subprocess.run(["cc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "board"], cwd=folder, check=True)
    mine, theirs = pty.openpty()
    tty.setraw(theirs)
    served = subprocess.Popen([folder / "board"], stdin=theirs, stdout=theirs)
    os.close(theirs)
    try:
        yield board.Line(mine)
    finally:
        os.close(mine)
        served.terminate()
        served.wait()


def samples(network: IntegerNetwork) -> np.ndarray:
    entry = network.input
    return np.random.default_rng(1).integers(entry.minimum, entry.maximum + 1, (2, network.steps, entry.channels))


@pytest.mark.parametrize("seed", [0, 3, 14])
def test_every_step_over_the_line_is_the_references(seed: int, tmp_path: Path) -> None:
    network = any_network(seed)
    with at_the_end(network, tmp_path) as line:
        assert board.require_equal(network, samples(network), line) == 2 * network.steps


def test_another_network_on_the_board_is_told_at_its_first_step(tmp_path: Path) -> None:
    mine = any_network(0)
    theirs = next(n for n in map(any_network, range(1, 200)) if n.input == mine.input and n.classes == mine.classes)
    with at_the_end(theirs, tmp_path) as line, pytest.raises(ParityBroken, match="sample 0, step 0"):
        board.require_equal(mine, samples(mine), line)


def test_a_board_that_does_not_answer_is_told() -> None:
    mine, theirs = pty.openpty()
    tty.setraw(theirs)
    network = any_network(0)
    with pytest.raises(BackendFailed, match=r"it did not answer for 0\.1 s; see 'On a board'"):
        board.require_equal(network, samples(network), board.Line(mine, 0.1))
    os.close(mine)
    os.close(theirs)


def test_what_answers_no_numbers_is_told() -> None:
    mine, theirs = pty.openpty()
    tty.setraw(theirs)
    os.write(theirs, b"ready?\n")
    with pytest.raises(BackendFailed, match="which are no numbers"):
        board.Line(mine).numbers()
    os.close(mine)
    os.close(theirs)


def test_everything_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BackendMissing) as told:
        board.require({"PATH": "/nowhere"})
    for missing in ("ASRC_SERIAL does not name", "ASRC_FQBN does not say", "arduino-cli is not installed"):
        assert missing in str(told.value)
    absent = {"PATH": "/nowhere", "ASRC_SERIAL": str(tmp_path / "tty"), "ASRC_FQBN": "a:b:c"}
    assert "is not there or cannot be opened; arduino-cli" in str(board.why_none(absent))


def test_a_port_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match="cannot be opened"), board.opened(str(tmp_path / "tty")):
        pass
