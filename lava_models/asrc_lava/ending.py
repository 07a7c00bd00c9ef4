"""How a process ended, in words."""

from __future__ import annotations

import signal


def ending(exit_code: int) -> str:
    """An exit code of Python's process objects, negative for a signal, as the end of a sentence."""
    if exit_code >= 0:
        return f"ended with status {exit_code}"
    return f"was killed by {signal.Signals(-exit_code).name}"
