"""What a connection is sent by its source: spikes from a delay line, kept back once they could reach nothing any more.

Plain NumPy, on arrays of shape (N,) or (lanes, N): the process of a layer has one for each connection that needs it,
and what the input sends is worked out with it in advance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asrc_core.contract import arithmetic
from asrc_core.contract.numbers import Ints
from asrc_core.contract.synapses.connection import Tap


@dataclass(frozen=True, eq=False)
class Outlet:
    """What goes out to one connection after a step.

    taps: of the delay line after it took in that step's spikes, span 1 the latest; without any, what was sent itself.
    fan_out: (R + 1, N), the synapses that a message of each neuron still reaches within the sample if r steps of it are
    left; with more than R left, as with R.
    """

    taps: tuple[Tap, ...]
    fan_out: Ints


class Axon:
    """An outlet and its delay line: one unsigned 32-bit word for each neuron. ``operations`` counts synaptic ones."""

    def __init__(self, outlet: Outlet, shape: tuple[int, ...]) -> None:
        self._taps, self._fan_out = outlet.taps, outlet.fan_out
        # In most steps all neurons reach alike, and then nothing is kept back from one and not another.
        self._alike = [int(row[0]) if (row == row[0]).all() else None for row in outlet.fan_out]
        self._line = np.zeros(shape, np.uint32)
        self.operations = 0

    def message(self, sent: Ints, left: int) -> Ints:
        """What goes out after a step in which ``sent`` was, with ``left`` steps of the sample to come."""
        whole = self._remembered(sent) if self._taps else sent
        if left == 0:
            self._line = np.zeros_like(self._line)
        row = min(left, len(self._fan_out) - 1)
        reached = self._alike[row]
        if reached is not None:
            self.operations += int(np.count_nonzero(whole)) * reached
            return whole if reached else np.zeros_like(whole)
        self.operations += int(((whole != 0) @ self._fan_out[row]).sum())
        return np.where(self._fan_out[row] > 0, whole, 0)

    def _remembered(self, sent: Ints) -> Ints:
        """The weighted sum of the taps, once the line took in what was sent."""
        self._line = arithmetic.push(self._line, sent)
        first, *others = (
            arithmetic.tap(self._line, span) if weight == 1 else weight * arithmetic.tap(self._line, span)
            for span, weight in self._taps
        )
        return sum(others, first)
