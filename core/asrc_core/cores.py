"""How many cores this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Those that the process is bound to, as by taskset or a container; all of the machine's where no system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
