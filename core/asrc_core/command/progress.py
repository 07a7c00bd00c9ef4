"""Progress on standard error: bars on a terminal, elsewhere a plain line now and then (a log, a notebook's shell, CI).

Bars need rich, which comes with the extras that take long; without it a terminal gets the lines, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 5.0
"""A log is told no more often than that, and not at all of what takes less."""


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[float, str], None]]:
    """Call what is given with how much of ``total`` is done and a note to show beside it."""
    if not sys.stderr.isatty():
        yield lines(title, total)
        return
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
    except ImportError:
        yield lines(title, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(done: float, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield update


def lines(title: str, total: int, clock: Callable[[], float] = time.monotonic) -> Callable[[float, str], None]:
    """The same as lines of text: how much is done, for how long it has been going, and the note."""
    started = told = clock()

    def update(done: float, note: str = "") -> None:
        nonlocal told
        now = clock()
        if now - told < SECONDS_BETWEEN_LINES:
            return
        told = now
        minutes, seconds = divmod(int(now - started), 60)
        share = f"{done / total:.0%}" if total else ""
        print(
            f"{title}: {share} after {minutes}:{seconds:02}{f'  {note}' if note else ''}", file=sys.stderr, flush=True
        )

    return update
