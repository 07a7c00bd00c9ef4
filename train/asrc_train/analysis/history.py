"""The epochs that a checkpoint tells of."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from asrc_core.errors import UnreadableFile
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.fit import Epoch


def epochs(name: str, trained: Checkpoint) -> list[Epoch]:
    """The checkpoint's history, first epoch first. Raises UnreadableFile where it has none, or not one of ours."""
    way_out = "train with asrc-train, which keeps it"
    if not trained.history:
        raise UnreadableFile(name, "training history", "the checkpoint carries none", way_out)
    try:
        return TypeAdapter(list[Epoch]).validate_python(trained.history)
    except ValidationError as error:
        raise UnreadableFile(name, "training history", "its epochs are incomplete or wrong", way_out) from error
