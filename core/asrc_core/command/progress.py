"""Progress bars on a terminal and in notebooks; silence when piped, and without rich, which comes with the extras that
take long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[float, str], None]]:
    """A bar on standard error; call it with how much is done and a note to show beside it."""
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
        yield lambda done, note: None
        return
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    # In a notebook, rich draws with ipywidgets and would warn where they are missing.
    seen = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
    with Progress(*columns, console=console, disable=not seen) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(done: float, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield update


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
