"""Talking to the shell of a circuit over a serial line, with what Linux brings."""

from __future__ import annotations

import os
import select
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints
from asrc_core.contract.result import checked_input
from asrc_core.counts import plural
from asrc_core.errors import BackendFailed, BackendMissing
from asrc_export.rtl.boards.shell import row_bytes, value_bytes
from asrc_export.rtl.plan import Plan

BAUD = termios.B115200
FIRST, WANTED = 1, 2


def weights_sent(plan: Plan) -> bytes:
    """What loads the weights."""
    return b"W" + b"".join(row.to_bytes(row_bytes(plan), "little") for row in plan.weight_rows())


def steps_sent(plan: Plan, sample: NDArray[np.int32]) -> Iterator[bytes]:
    """What each step of a sample (T, channels) is sent as; the last one's result is wanted."""
    size = value_bytes(plan)
    mask = (1 << 8 * size) - 1
    for t, frame in enumerate(sample.tolist()):
        flags = (FIRST if t == 0 else 0) | (WANTED if t == len(sample) - 1 else 0)
        values = b"".join((each & mask).to_bytes(size, "little") for each in frame)
        yield b"X" + bytes([flags]) + values


class SerialBoard:
    """A board with the circuit of ``plan`` at a serial line such as /dev/ttyUSB1.

    Raises BackendMissing for a line that cannot be opened, BackendFailed for a board that does not answer in time.
    """

    def __init__(self, plan: Plan, port: str | Path, patience: float = 10.0) -> None:
        self._plan, self._port, self._patience = plan, port, patience
        try:
            self._file = os.open(port, os.O_RDWR | os.O_NOCTTY)
            _raw(self._file)
        except (OSError, termios.error) as error:
            why = f"the serial line '{port}' cannot be opened ({error})"
            raise BackendMissing("board", why, "name the board's line, and see that you may write to it") from error
        self._load()

    def close(self) -> None:
        """Let go of the line."""
        os.close(self._file)

    def run(self, x: NDArray[np.generic]) -> Ints:
        """The logits (B, C) of samples (B, T, channels). Raises InvalidData if they do not fit the network's input."""
        answers = []
        for sample in checked_input(self._plan.network, x):
            for step in steps_sent(self._plan, sample):
                self._send(step)
            answers.append(np.frombuffer(self._receive(4 * self._plan.network.classes), "<i4"))
        logits: Ints = np.stack(answers).astype(np.int64)
        return logits

    def _load(self) -> None:
        """The weights, if the circuit is one that takes them."""
        if self._plan.shape.loadable:
            self._send(weights_sent(self._plan))

    def _send(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._file, content) :]

    def _receive(self, size: int) -> bytes:
        content, end = b"", time.monotonic() + self._patience
        while len(content) < size:
            ready, _, _ = select.select([self._file], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                why = f"{len(content)} of {plural(size, 'byte')} came within {self._patience:g} s from '{self._port}'"
                raise BackendFailed("board", why, "load the bitstream that was built with this network, and reset it")
            content += os.read(self._file, size - len(content))
        return content


def _raw(file: int) -> None:
    """8 bits, no parity, nothing translated."""
    _, _, control, _, _, _, special = termios.tcgetattr(file)
    control = (
        (control & ~(termios.CSIZE | termios.PARENB | termios.CSTOPB)) | termios.CS8 | termios.CREAD | termios.CLOCAL
    )
    special[termios.VMIN], special[termios.VTIME] = 1, 0
    termios.tcsetattr(file, termios.TCSANOW, [0, 0, control, 0, BAUD, BAUD, special])
    termios.tcflush(file, termios.TCIOFLUSH)
