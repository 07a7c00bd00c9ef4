"""Both networks with faults between their neurons: one session of the contract's interpreter, faults as its hooks.

The integer network runs on NumPy's operations, the float network on real numbers. Without faults, the integers are
those of every engine, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import Arithmetic, Hooks, NumpyArithmetic, Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.operations import Value
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.result import checked_input
from asrc_core.contract.wiring import Wired
from asrc_export import real_network
from asrc_export.robustness.faulty_links import FaultyLinks
from asrc_export.robustness.stuck import StuckNeurons
from asrc_export.robustness.subject import Links, Stuck
from asrc_train.trained.frozen import Floats, FrozenNetwork

BATCH = 256


def integer_logits(
    network: IntegerNetwork, x: NDArray[np.generic], links: Links | None = None, stuck: Sequence[Stuck] = ()
) -> Ints:
    """Logits (n, C) of the integer network on samples (n, T, channels). Raises InvalidData."""
    logits: Ints = _logits(network, checked_input(network, x), links, stuck, _FaultyArithmetic())
    return logits


def float_logits(
    network: FrozenNetwork, x: NDArray[np.generic], links: Links | None = None, stuck: Sequence[Stuck] = ()
) -> Floats:
    """Logits (n, C) of the float network on integer samples (n, T, channels), in double precision."""
    logits: Floats = _logits(
        real_network.of(network), x.astype(np.float64) * network.scale, links, stuck, RealArithmetic()
    )
    return logits


def _logits(
    network: Wired, x: NDArray[Any], links: Links | None, stuck: Sequence[Stuck], arithmetic: Arithmetic
) -> NDArray[Any]:
    answers = []
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH]
        on_message = FaultyLinks(network, links, start) if links is not None else None
        hooks = Hooks(on_message=on_message, on_spikes=StuckNeurons(stuck) if stuck else None)
        session = Session(network, len(part), arithmetic, hooks)
        for t in range(part.shape[1]):
            done = session.step(part[:, t])
        answers.append(done[-1].shown)
    return np.concatenate(answers)


class _KeptTables(NumpyOperations):
    """Late messages add up to more than a table's index was proven for: beyond its ends, the last entry holds."""

    def table(self, index: Value, entries: Ints) -> Any:
        """entries[index], the index kept within the table."""
        return super().table(np.clip(index, 0, len(entries) - 1), entries)


class _FaultyArithmetic(NumpyArithmetic):
    """NumPy's, with tables that hold beyond their ends."""

    def operations(self) -> NumpyOperations:
        """Fresh ones."""
        return _KeptTables()
