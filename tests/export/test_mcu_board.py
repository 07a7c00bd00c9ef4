"""A microcontroller board over a serial line: the sketch's own part at the other end of a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
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
from asrc_export.serial_line import PATIENCE_S, SerialLine

SUPPORT = Path(__file__).parents[1] / "support"


@contextmanager
def pseudo_terminal(patience: float = PATIENCE_S) -> Iterator[tuple[SerialLine, int]]:
    """A line, and what stands for the board: the descriptor of its other end."""
    end, port = pty.openpty()
    try:
        with board.line_to(os.ttyname(port), patience) as line:
            yield line, end
    finally:
        os.close(end)
        os.close(port)


@contextmanager
def at_the_end(network: IntegerNetwork, folder: Path) -> Iterator[SerialLine]:
    """A line with the compiled sketch's part at its other end."""
    printed = program(network)
    (folder / "asrc_network.c").write_text(printed.source)
    (folder / "asrc_network.h").write_text(printed.header)
    (folder / "serial.c").write_text((board.HERE / "serial.c").read_text())
    (folder / "main.c").write_text((SUPPORT / "serial_board.c").read_text())
    subprocess.run(["cc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "board"], cwd=folder, check=True)
    with pseudo_terminal() as (line, end):
        served = subprocess.Popen([folder / "board"], stdin=end, stdout=end)
        try:
            yield line
        finally:
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
    network = any_network(0)
    told = pytest.raises(BackendFailed, match=r"it did not answer within 0\.1 s from '.*'; see 'On a board'")
    with pseudo_terminal(patience=0.1) as (line, _), told:
        board.require_equal(network, samples(network), line)


def test_what_answers_no_numbers_is_told() -> None:
    with pseudo_terminal() as (line, end):
        os.write(end, b"ready?\n")
        with pytest.raises(BackendFailed, match="which are no numbers"):
            board.numbers(line)


def test_everything_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BackendMissing) as told:
        board.require({"PATH": "/nowhere"})
    for missing in ("ASRC_SERIAL does not name", "ASRC_FQBN does not say", "arduino-cli is not installed"):
        assert missing in str(told.value)
    absent = {"PATH": "/nowhere", "ASRC_SERIAL": str(tmp_path / "tty"), "ASRC_FQBN": "a:b:c"}
    assert "is not there or cannot be opened; arduino-cli" in str(board.why_none(absent))


def test_a_port_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendMissing, match=r"the serial line '.*tty' cannot be opened .*; name the board's line"):
        board.line_to(tmp_path / "tty")
