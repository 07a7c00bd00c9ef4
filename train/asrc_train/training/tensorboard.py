"""TensorBoard logs of a training, on request."""

from __future__ import annotations

from pathlib import Path

from asrc_core import extras
from asrc_train.training.fit import BatchDone, Epoch, Observer


def writer(folder: Path) -> Observer:
    """An observer that writes each epoch's figures to ``folder``. Raises ExtraMissing without tensorboard."""
    with extras.importing():
        from torch.utils.tensorboard import SummaryWriter
    log = SummaryWriter(str(folder))

    def observe(event: Epoch | BatchDone) -> None:
        if isinstance(event, BatchDone):
            return
        figures = {
            "loss": event.loss,
            "accuracy/training": event.training_accuracy,
            "accuracy/validation": event.validation_accuracy,
            "temperature": event.temperature,
            "learning_rate": event.learning_rate,
            **{f"span/layer{i}": float(span) for i, span in enumerate(event.spans)},
        }
        for name, value in figures.items():
            log.add_scalar(name, value, event.epoch)
        log.flush()

    return observe
