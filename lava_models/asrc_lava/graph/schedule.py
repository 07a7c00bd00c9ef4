"""Which step of which sample each process works on: the contract's integers, shifted in time (docs/arithmetic.md)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """``rounds`` samples (or groups of samples side by side) of ``steps`` steps each, back to back without a gap.

    Every Lava Dense takes one step, so a process with ``lag`` of them before it works on the stream's step i
    at Lava step i + lag; both count from 1. The source has lag 0, layer l lag l + 1, the readout lag L + 1.
    """

    steps: int
    rounds: int

    def lava_steps(self, layers: int) -> int:
        """Lava steps until the readout of a network with that many layers has seen everything."""
        return self.steps * self.rounds + layers + 1

    def at(self, lava_step: int, lag: int) -> tuple[int, int] | None:
        """The round, from 0, and the step within it, 1 to T; None while the pipeline fills or drains."""
        moved = lava_step - lag - 1
        return (moved // self.steps, moved % self.steps + 1) if 0 <= moved < self.steps * self.rounds else None
