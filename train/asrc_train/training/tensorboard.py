"""TensorBoard logs of a training, on request."""

from __future__ import annotations

from pathlib import Path

from asrc_core.errors import BackendMissing
from asrc_train.training.fit import BatchDone, Epoch, Observer


def writer(folder: Path) -> Observer:
    """An observer that writes each epoch's figures to ``folder``. Raises BackendMissing without tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        install = "pip install 'asrc-toolchain[tensorboard]'"
        raise BackendMissing("tensorboard", "the package is not installed", install) from error
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
