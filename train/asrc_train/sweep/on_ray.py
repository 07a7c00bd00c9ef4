"""The runs of a sweep as tasks of a Ray cluster, one core each. The folder has to be one that all its nodes share."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Sequence
from pathlib import Path

from asrc_core import extras
from asrc_core.errors import BackendFailed
from asrc_train.sweep.grid import Run
from asrc_train.sweep.train import Outcome, train


def train_all(runs: Sequence[Run], folder: Path, address: str) -> Generator[Outcome, None, None]:
    """Train the runs on the cluster at ``address`` (`auto`: the one this machine belongs to; `local`: one made here).

    Raises ExtraMissing without ray, BackendFailed where no cluster answers.
    """
    # Under `uv run`, Ray by default starts each worker with `uv run` in a copy of the current folder. PyTorch and all
    # the rest are then installed anew for each, which takes longer than Ray waits for a worker. Read as Ray is
    # imported; a user's own setting stands.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    with extras.importing():
        import ray
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # that very class, too: of a node that took longer to start than Ray waits
        ray.shutdown()
        why = str(error).partition("\n")[0].rstrip(".")
        raise BackendFailed("ray", why, "start a cluster, or leave `ray` away") from error
    try:
        task = ray.remote(num_cpus=1)(train)
        pending = {task.remote(run, folder.resolve()): run for run in runs}
        while pending:
            (done,), _ = ray.wait(list(pending))
            run = pending.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:
                yield Outcome(run, f"its task died: {str(error).partition(chr(10))[0].rstrip('.')}.")
    finally:
        ray.shutdown()
