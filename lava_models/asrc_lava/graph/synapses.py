"""The synapses of a connection as processes: Lava's own, which map to a chip, or ours, which take batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.proc.dense.process import DelayDense, Dense
from lava.utils.weightutils import SignMode

from asrc_core.contract.numbers import SYNAPTIC_DELAY_MAX, Ints
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses.connection import Connection
from asrc_lava.graph.process import BatchedDense

DELAYS = SYNAPTIC_DELAY_MAX + 1
"""How many delays a chip's synapse can have, from 0."""


@dataclass(frozen=True)
class Synapses:
    """A process of synapses, and how many Lava steps later than they are sent messages have to reach it."""

    process: AbstractProcess
    later: int = 0


MakesSynapses = Callable[[str, Connection, "int | Ints", Range], list[Synapses]]
"""The synapses of a connection, from its name, itself, their delays and the range of what arrives at them."""


def lavas_own(name: str, connection: Connection, delays: int | Ints, message: Range) -> list[Synapses]:
    """Lava's own, each with delays that a chip has; what takes longer comes to a process of its own, over a relay."""
    settings: dict[str, Any] = {
        "name": name,
        "weight_exp": connection.exponent,
        "num_weight_bits": connection.weight_bits,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": _message_bits(message),
    }
    made = []
    for far in np.unique(np.asarray(delays) // DELAYS).tolist():
        here = np.asarray(delays) // DELAYS == far
        weights = np.where(here, connection.weights, 0)
        rest = np.where(here, delays - np.int64(far * DELAYS), 0)
        if rest.any():
            each: int | Ints = rest if rest.ndim else int(rest)
            made.append(Synapses(DelayDense(weights=weights, delays=each, **settings), far * DELAYS))
        else:
            made.append(Synapses(Dense(weights=weights, **settings), far * DELAYS))
    return made


def _message_bits(message: Range) -> int:
    """Bits of a graded spike, two's complement if it can be negative; 0 for a plain one."""
    if message.low >= 0:
        return message.high.bit_length() if message.high > 1 else 0
    return 1 + max((-1 - message.low).bit_length(), message.high.bit_length())


def for_batches(lanes: int, name: str, connection: Connection, delays: int | Ints, message: Range) -> list[Synapses]:
    """One process for ``lanes`` samples side by side, with delays of any length."""
    return [
        Synapses(
            BatchedDense(
                name=name,
                weights=connection.weights,
                weight_exp=connection.exponent,
                delays=delays,
                largest_input=message.magnitude,
                lanes=lanes,
            )
        )
    ]
