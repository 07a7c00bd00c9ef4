"""How a training goes, shown on a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asrc_core.command import progress
from asrc_train.settings.config import Config
from asrc_train.training.fit import BatchDone, Epoch, Observer


def moving(update: Callable[[float, str], None]) -> Observer:
    """An observer of `fit` that moves a bar of as many units as there are epochs, and notes how the last one went."""
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


@contextmanager
def shown(config: Config) -> Iterator[Observer]:
    """An observer that moves a bar on the terminal, or in a notebook."""
    title = f"training {config.network.connection} on {config.data.name}"
    with progress.bar(title, config.training.epochs) as update:
        yield moving(update)
