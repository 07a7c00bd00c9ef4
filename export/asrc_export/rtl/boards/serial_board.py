"""Talking to the shell of a circuit over a serial line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Ints
from asrc_core.contract.result import checked_input
from asrc_export.rtl import core
from asrc_export.rtl.boards.shell import row_bytes, value_bytes
from asrc_export.rtl.plan import Plan
from asrc_export.serial_line import PATIENCE_S, SerialLine

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

    Raises what `SerialLine` raises: BackendMissing for a line that cannot be opened, BackendFailed for a board that
    does not take the weights in time or whose line is gone, InvalidSetting for what is no path.
    """

    def __init__(self, plan: Plan, port: str | Path, patience: float = PATIENCE_S) -> None:
        self._plan = plan
        self._line = SerialLine(port, "board", WAY_OUT, patience)
        try:
            if plan.shape.loadable:
                self._line.send(weights_sent(plan))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()

    def run(self, x: NDArray[np.generic]) -> Ints:
        """The logits (B, C) of samples (B, T, channels).

        Raises InvalidData if they do not fit the network's input, BackendFailed for a board that does not answer in
        time or whose line is gone.
        """
        answers = []
        for sample in checked_input(self._plan.network, x):
            for step in steps_sent(self._plan, sample):
                self._line.send(step)
            answers.append(np.frombuffer(self._line.receive(4 * self._plan.network.classes), "<i4"))
        logits: Ints = np.stack(answers).astype(np.int64)
        return logits
