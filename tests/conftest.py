"""Fixtures shared by all tests: a small trained checkpoint and its integer network, made once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # fixtures import what they use: tests of the core need neither PyTorch nor the time to load it
    from asrc_export.exporting import Exported
    from asrc_train.trained.checkpoint import Checkpoint

# Networks here are so small that PyTorch's threads, in each of pytest's processes and in those that tests start, would
# mostly spin beside each other; tests about threads set their own number.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("asrc", deadline=None)  # tests assert behaviour, never seconds
settings.load_profile("asrc")


@pytest.fixture(scope="session")
def checkpoint_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ASRC network of two small layers, trained for two epochs on permuted digits."""
    from asrc_train.commands.train import train

    path = tmp_path_factory.mktemp("trained") / "model.pt"
    train(["--data", "digits", "--permute", "--hidden", "12", "9", "--epochs", "2", "--out", str(path)])
    return path


@pytest.fixture(scope="session")
def trained(checkpoint_path: Path) -> Checkpoint:
    """The same, loaded."""
    from asrc_train.trained import checkpoint

    return checkpoint.load(checkpoint_path)


@pytest.fixture(scope="session")
def exported(checkpoint_path: Path) -> Exported:
    """The same, as an integer network for loihi2."""
    from asrc_export.exporting import export

    return export(checkpoint_path, "loihi2")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For networks so small that threads would mostly wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
