"""Progress on standard error: bars on a terminal and in notebooks, elsewhere a plain line now and then.

Bars need rich, which comes with the extras that take long; without it a terminal gets the lines, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

SECONDS_BETWEEN_LINES = 5.0
"""A log is told no more often than that, and not at all of what takes less."""
MOST_SECONDS_BETWEEN_LINES = 60.0
OF_THE_TIME = 0.02
"""What goes on for long is told of less often: after another such share of the time that it has taken."""


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[float, str], None]]:
    """Call what is given with how much of ``total`` is done and a note to show beside it."""
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
    console = Console(stderr=True)
    # In a notebook, rich draws with ipywidgets and would warn where they are missing.
    if not (console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)):
        yield lines(title, total)
        return
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(done: float, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield update


def lines(title: str, total: int, clock: Callable[[], float] = time.monotonic) -> Callable[[float, str], None]:
    """The same as lines of text: how much is done, for how long it has been going, how long the rest would take at the
    pace since the first call, and the note.
    """
    started = told = clock()
    first: tuple[float, float] | None = None
    named = title.removesuffix(", %")  # a bar counts to 100, a line says the share with its sign

    def update(done: float, note: str = "") -> None:
        nonlocal told, first
        now = clock()
        first = first or (now, done)  # what goes on where it stopped had done that much before
        between = min(max(SECONDS_BETWEEN_LINES, OF_THE_TIME * (now - started)), MOST_SECONDS_BETWEEN_LINES)
        if now - told < between:
            return
        told = now
        since, before = first
        rest = (total - done) * (now - since) / (done - before) if done > before else 0
        said = [f"after {_minutes(now - started)}", *([f"{_minutes(rest)} left"] if rest > 0 else [])]
        share = f"{done / total:.0%} " if total else ""
        print(f"{named}: {share}{', '.join(said)}{f'  {note}' if note else ''}", file=sys.stderr, flush=True)

    return update


def _minutes(seconds: float) -> str:
    """As 1:05, or 1:00:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@contextmanager
def shown(progress: Callable[[float, str], None] | bool, title: str) -> Iterator[Callable[[float, str], None]]:
    """What a caller asked for, to be called with the share that is done, and a note: a bar for True, silence for False,
    else the caller's own function.
    """
    if not isinstance(progress, bool):
        yield progress
    elif progress:
        with bar(title, 100) as update:
            yield lambda done, note: update(100 * done, note)
    else:
        yield lambda done, note: None
