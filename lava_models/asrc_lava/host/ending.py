"""How a process ended, in words."""

from __future__ import annotations

import signal

USUAL_CAUSES = {
    signal.SIGBUS: " (too little shared memory in /dev/shm, as a rule)",
    signal.SIGKILL: " (out of memory, as a rule)",
}


def ending(exit_code: int) -> str:
    """An exit code of Python's process objects, negative for a signal, as the end of a sentence."""
    if exit_code >= 0:
        return f"ended with status {exit_code}"
    sent = signal.Signals(-exit_code)
    return f"was killed by {sent.name}{USUAL_CAUSES.get(sent, '')}"
