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
from asrc_core.files.paths import as_path
from asrc_export.rtl import core
from asrc_export.rtl.boards.shell import row_bytes, value_bytes
from asrc_export.rtl.plan import Plan

BAUD = termios.B115200
WAY_OUT = "load the bitstream that was built with this network, and reset it"
FIRST, WANTED = 1, 2
CYCLES_A_BYTE = 12_000_000 * 10 // 115_200
"""At the slowest clock of the boards, that of the iCEBreaker."""
IDLE = b"\0"
"""What the shell passes over between commands."""


def weights_sent(plan: Plan) -> bytes:
    """What loads the weights."""
    return b"W" + b"".join(row.to_bytes(row_bytes(plan), "little") for row in plan.weight_rows())


def steps_sent(plan: Plan, sample: NDArray[np.int32], cycles_a_byte: int = CYCLES_A_BYTE) -> Iterator[bytes]:
    """What each step of a sample (T, channels) is sent as; the last one's result is wanted.

    The line has no handshake, so idle bytes follow until the longest step would be over.
    """
    size = value_bytes(plan)
    mask = (1 << 8 * size) - 1
    least = -(-core.most_cycles(plan) // cycles_a_byte)
    for t, frame in enumerate(sample.tolist()):
        flags = (FIRST if t == 0 else 0) | (WANTED if t == len(sample) - 1 else 0)
        values = b"".join((each & mask).to_bytes(size, "little") for each in frame)
        yield (b"X" + bytes([flags]) + values).ljust(least, IDLE)


class SerialBoard:
    """A board with the circuit of ``plan`` at a serial line such as /dev/ttyUSB1.

    Raises BackendMissing for a line that cannot be opened, BackendFailed for a board that does not answer in time or
    whose line is gone, InvalidSetting for what is no path.
    """

    def __init__(self, plan: Plan, port: str | Path, patience: float = 10.0) -> None:
        self._plan, self._port, self._patience = plan, as_path(port, "the board's line"), patience
        try:
            # Opening or writing to a line would otherwise wait, without end, for what is not plugged in.
            self._file = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise self._missing(error.strerror or str(error)) from error
        try:
            _raw(self._file)
            self._load()
        except termios.error as error:
            self.close()
            raise self._missing("it is no serial line") from error
        except BaseException:
            self.close()
            raise

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
            if not select.select([], [self._file], [], self._patience)[1]:
                raise BackendFailed("board", f"it took nothing for {self._patience:g} s at '{self._port}'", WAY_OUT)
            try:
                content = content[os.write(self._file, content) :]
            except OSError as error:
                raise self._gone(error) from error

    def _receive(self, size: int) -> bytes:
        content, end = b"", time.monotonic() + self._patience
        while len(content) < size:
            ready, _, _ = select.select([self._file], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                why = f"{len(content)} of {plural(size, 'byte')} came within {self._patience:g} s from '{self._port}'"
                raise BackendFailed("board", why, WAY_OUT)
            try:
                got = os.read(self._file, size - len(content))
            except OSError as error:
                raise self._gone(error) from error
            if not got:
                raise self._gone()
            content += got
        return content

    def _missing(self, why: str) -> BackendMissing:
        way_out = "name the board's line, and see that you may write to it"
        return BackendMissing("board", f"the serial line '{self._port}' cannot be opened ({why})", way_out)

    def _gone(self, error: OSError | None = None) -> BackendFailed:
        why = f" ({error.strerror})" if error is not None else ""
        return BackendFailed("board", f"the line '{self._port}' is gone{why}", "plug the board in, and start again")


def _raw(file: int) -> None:
    """8 bits, no parity, no handshake, nothing translated."""
    _, _, control, _, _, _, special = termios.tcgetattr(file)
    control = (
        (control & ~(termios.CSIZE | termios.PARENB | termios.CSTOPB | termios.CRTSCTS))
        | termios.CS8
        | termios.CREAD
        | termios.CLOCAL
    )
    special[termios.VMIN], special[termios.VTIME] = 1, 0
    termios.tcsetattr(file, termios.TCSANOW, [0, 0, control, 0, BAUD, BAUD, special])
    termios.tcflush(file, termios.TCIOFLUSH)
