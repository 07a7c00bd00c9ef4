"""Dead actors noticed: Lava runs every process in a child of its own, and waits for ever for one that is gone."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.executable import Executable
from lava.magma.runtime.runtime import Runtime

from asrc_lava.host.ending import ending

INTERVAL_S = 0.05


@contextmanager
def watching(runtime: Runtime, executable: Executable, on_death: Callable[[str], Any]) -> Iterator[None]:
    """While the body runs, look at the runtime's actors now and then; call ``on_death(why)`` if one has died.

    It is called from a thread and should not return: the main thread may wait for what the dead actor was to send.
    It is also called when the process that asked for the run is no more.
    """
    parent, done = os.getppid(), threading.Event()

    def look() -> None:
        while not done.wait(INTERVAL_S):
            why = _death(runtime, executable) if os.getppid() == parent else "nobody waits for the result any more"
            if why is not None:
                on_death(why)

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        why = _death(runtime, executable)
        if why is not None:  # the cause, of which the exception here is a consequence
            on_death(why)
        raise
    finally:
        done.set()
        thread.join()


def _death(runtime: Runtime, executable: Executable) -> str | None:
    """The first actor that raised an exception or was killed, in words."""
    infrastructure = runtime._messaging_infrastructure  # None until Lava has begun to start up
    actors = infrastructure.actors if infrastructure else []
    models = [p.name for p, builder in executable.proc_builders.items() if isinstance(builder, PyProcessBuilder)]
    names = [f"process '{name}'" for name in models] + ["the runtime service"] * len(actors)
    for name, actor in zip(names, actors, strict=False):
        if actor.exception:
            error, _ = actor.exception
            return f"{name} raised {type(error).__name__}: {error}"
    for name, actor in zip(names, actors, strict=False):
        with contextlib.suppress(ValueError):  # already joined and closed
            if actor.exitcode:
                return f"{name} {ending(actor.exitcode)}"
    return None
