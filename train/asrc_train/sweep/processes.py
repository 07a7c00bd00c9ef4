"""The runs of a sweep on this machine: worker processes with one thread each, a run at a time.

Where processes can be forked, they are forks of one that has imported PyTorch and never computed: a process that did
has threads, which a fork of it would wait for. So what takes seconds to import is imported once for all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from asrc_core.cores import usable_cores
from asrc_train.sweep.grid import Run
from asrc_train.sweep.train import Outcome, train

IMPORTED = "asrc_train.training.fit"
"""With PyTorch and all else that a training needs."""
PATIENCE = 10.0
"""Seconds that a worker gets to finish its batch when the sweep is interrupted."""


class Progress(NamedTuple):
    """How much of a run is done, 0 to 1."""

    run: Run
    share: float


class _Worker(NamedTuple):
    process: multiprocessing.process.BaseProcess
    pipe: Connection


def train_all(
    runs: Sequence[Run], folder: Path, workers: int | None = None
) -> Generator[Progress | Outcome, None, None]:
    """Train the runs, each in one of ``workers`` processes (one for each core that this process may use).

    A worker that dies fails its run only; another takes its place. Close the generator to stop: the workers leave
    after the batch they are in, and their runs' states stay where they can be gone on with.
    """
    most = workers or usable_cores()
    waiting, idle = deque(runs), list[_Worker]()
    busy: dict[Connection, tuple[_Worker, Run]] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < most:
                worker, run = idle.pop() if idle else _started(), waiting.popleft()
                busy[worker.pipe] = worker, run
                with suppress(OSError):  # a worker that is dead already is found out below
                    worker.pipe.send((run, folder))
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker, run = busy[pipe]
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    del busy[pipe]
                    _stop([worker])
                    yield Outcome(run, "its process died; it may have run out of memory.")
                    continue
                if isinstance(message, Outcome):
                    del busy[pipe]
                    idle.append(worker)
                    yield message
                else:
                    yield Progress(run, message)
    finally:
        _stop([*idle, *(worker for worker, _ in busy.values())])


def _started() -> _Worker:
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([IMPORTED])
    else:
        context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with _one_thread():
        process = context.Process(target=_serve, args=(theirs, dict(os.environ)), daemon=True)
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _stop(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        worker.process.join(PATIENCE)
        worker.process.terminate()


class _Abandoned(BaseException):
    """The sweep is over, or its process is gone."""


def _serve(pipe: Connection, environment: Mapping[str, str]) -> None:
    """Train what comes in until the other end closes, in this environment: the process that forks may be older."""
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt reaches all processes; the sweep tells its workers

    def on_progress(share: float) -> None:
        try:
            if pipe.poll():  # nothing is sent to a busy worker: the other end has closed
                raise _Abandoned
            pipe.send(share)
        except OSError as error:
            raise _Abandoned from error

    with suppress(EOFError, OSError, _Abandoned):
        while True:
            run, folder = pipe.recv()
            pipe.send(train(run, folder, on_progress))


@contextmanager
def _one_thread() -> Iterator[None]:
    """What starts inside computes on one thread: OpenMP reads its variable when it is loaded."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
