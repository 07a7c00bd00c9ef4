"""Progress bars on a terminal, silence when piped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from asrc_train.fit import BatchDone, Epoch, Observer


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[float, str], None]]:
    """A bar on standard error; call it with how much is done and a note to show beside it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(done: float, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield update


def of_training(update: Callable[[float, str], None]) -> Observer:
    """An observer of `fit` that moves a bar of as many units as there are epochs, and notes how the last one went."""
    from asrc_train.fit import BatchDone

    shown = ""

    def observe(event: Epoch | BatchDone) -> None:
        nonlocal shown
        if isinstance(event, BatchDone):
            update(event.epoch - 1 + event.batch / event.batches, shown)
            return
        shown = (
            f"loss {event.loss:.4f}  train {event.training_accuracy:.1%}  validation {event.validation_accuracy:.1%}  "
            f"tau {event.temperature:.3f}  spans {'/'.join(map(str, event.spans))}"
        )
        update(event.epoch, shown)

    return observe
