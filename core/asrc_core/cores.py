"""How many cores this process may use."""

from __future__ import annotations

import os

from asrc_core.errors import InvalidSetting

MOST_THREADS = 2**15


def usable_cores() -> int:
    """Those that the process is bound to, as by taskset or a container; all of the machine's where no system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_of(asked: int | None) -> int:
    """How many threads an engine takes: as many as are asked for, or one for each usable core.

    Raises InvalidSetting for none and for more than `MOST_THREADS`.
    """
    threads = usable_cores() if asked is None else asked
    if not 1 <= threads <= MOST_THREADS:
        raise InvalidSetting("threads", f"{threads} is not within 1 to {MOST_THREADS}")
    return threads
