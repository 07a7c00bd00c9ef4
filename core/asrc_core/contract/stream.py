"""What one step of a stream returns, whichever engine runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import Ints


@dataclass(frozen=True, eq=False)
class StreamStep:
    """State of the readout after one step, and what fired in it.

    logits: (C,) int64, the accumulator so far; spikes: (N,) uint8 for each layer.
    """

    logits: Ints
    spikes: tuple[NDArray[np.uint8], ...]

    @property
    def prediction(self) -> int:
        """Class of the greatest logit so far, the lowest index among equals."""
        return int(self.logits.argmax())
