"""Timing that the benchmarks share: all take turns in one process, so that what slows the machine slows all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def median_seconds(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median processor time of each; the first round only warms up."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            if turn:
                taken[name].append(time.process_time() - begin)
    return {name: statistics.median(each) for name, each in taken.items()}
