"""A serial line such as /dev/ttyUSB1, at which a board is reached, with what Linux brings."""

from __future__ import annotations

import os
import select
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from asrc_core.counts import plural
from asrc_core.errors import BackendFailed, BackendMissing
from asrc_core.files.paths import as_path

BAUD = termios.B115200
PATIENCE_S = 10.0


class SerialLine:
    """A line at 115,200 bits a second, 8 bits, no parity, no handshake, nothing translated.

    ``board`` is what errors call the board, ``way_out`` what to do about one that does not answer. Whatever happens,
    nothing waits longer than ``patience`` seconds.

    Raises BackendMissing for a line that cannot be opened, InvalidSetting for what is no path.
    """

    def __init__(self, port: str | Path, board: str, way_out: str, patience: float = PATIENCE_S) -> None:
        self._port, self._board, self._way_out, self._patience = as_path(port, "the line"), board, way_out, patience
        self._read = b""
        try:
            # Opening or writing to a line would otherwise wait, without end, for what is not plugged in.
            self._file = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise self._missing(error.strerror or str(error)) from error
        try:
            _set_raw(self._file)
        except termios.error as error:
            self.close()
            raise self._missing("it is no serial line") from error

    def __enter__(self) -> SerialLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the line."""
        os.close(self._file)

    def send(self, content: bytes) -> None:
        """Send all of it. Raises BackendFailed for a board that takes nothing, or whose line is gone."""
        while content:
            if not select.select([], [self._file], [], self._patience)[1]:
                self._fail(f"it took nothing for {self._patience:g} s at '{self._port}'")
            try:
                content = content[os.write(self._file, content) :]
            except OSError as error:
                raise self._gone(error) from error

    def receive(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises BackendFailed if they do not come in time, or the line is gone."""
        end = time.monotonic() + self._patience
        while len(self._read) < size:
            if not self._received_by(end):
                self._fail(f"{len(self._read)} of {plural(size, 'byte')} came {self._within}")
        content, self._read = self._read[:size], self._read[size:]
        return content

    def receive_line(self) -> bytes:
        """What comes before the next end of a line. Raises BackendFailed as `receive` does."""
        end = time.monotonic() + self._patience
        while b"\n" not in self._read:
            if not self._received_by(end):
                self._fail(f"it did not answer {self._within}")
        line, _, self._read = self._read.partition(b"\n")
        return line

    @property
    def _within(self) -> str:
        return f"within {self._patience:g} s from '{self._port}'"

    def _received_by(self, end: float) -> bool:
        """Take what comes; whether anything did in time."""
        if not select.select([self._file], [], [], max(0.0, end - time.monotonic()))[0]:
            return False
        try:
            got = os.read(self._file, 4096)
        except OSError as error:
            raise self._gone(error) from error
        if not got:
            raise self._gone()
        self._read += got
        return True

    def _fail(self, why: str) -> NoReturn:
        raise BackendFailed(self._board, why, self._way_out)

    def _missing(self, why: str) -> BackendMissing:
        way_out = "name the board's line, and see that you may write to it"
        return BackendMissing(self._board, f"the serial line '{self._port}' cannot be opened ({why})", way_out)

    def _gone(self, error: OSError | None = None) -> BackendFailed:
        why = f" ({error.strerror})" if error is not None else ""
        return BackendFailed(self._board, f"the line '{self._port}' is gone{why}", "plug the board in, and start again")


def _set_raw(file: int) -> None:
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
