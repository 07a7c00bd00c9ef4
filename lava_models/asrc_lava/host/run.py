"""Run an integer network on Lava, at arm's length.

Lava forks a process for every process of a graph, sets the interpreter's start method on import, waits for ever
for an actor that died, and stops in destructors. All of that happens in a worker process of its own, which also
keeps the forks away from the caller's threads. What comes back is a result or one sentence, in finite time.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import Result, checked_input
from asrc_core.errors import BackendFailed, UnknownName, UnwritableOutput
from asrc_lava.boards import board
from asrc_lava.boards.board import Measured
from asrc_lava.graph import plan
from asrc_lava.graph.routes import Route, routes
from asrc_lava.graph.schedule import timing
from asrc_lava.host import exchange, interpreter
from asrc_lava.host.ending import ending
from asrc_lava.host.exchange import Job, Order

Progress = Callable[[int, int], object]
"""Called with the Lava steps done and their total."""

WORKER = ("-m", "asrc_lava.host.worker")
LOG = "worker.log"
TICK_S = 0.1
MAX_SENTENCE = 400
GRACE_S = 5.0
"""How long a worker may take to end its children and itself before it is killed."""
START_S = 60.0
STEP_S = 0.05
PRODUCT_S = 2e-8
DELAYED_PRODUCT_S = 2e-7
"""Deadline: START_S + Lava steps * (STEP_S + products * their time), several times what Lava takes on a busy machine.
It is for what hangs; what dies is noticed at once. Lava's DelayDense takes longer for a product than all others: it
sorts its weights by delay anew in every step."""

WAY_OUT = "the numpy backend gives the same integers without Lava"


def run(
    network: IntegerNetwork,
    x: NDArray[np.generic],
    *,
    trace: bool = False,
    graph: plan.Graph = "batched",
    deadline_s: float | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run (B, T, channels) integer samples on Lava; the result equals the reference's in every integer.

    ``graph``: "single" is the graph that maps to a chip, ports of shape (N,), Lava's own Dense, one sample after the
    other; "batched" carries many samples side by side, a hundred times faster. ``deadline_s`` defaults to a generous
    multiple of the work. Raises InvalidNetwork, SpanTooLong, InvalidData, BackendMissing, BackendFailed.
    """
    (result,) = run_each([(network, x)], trace=trace, graph=graph, deadline_s=deadline_s, progress=progress)
    return result


def run_each(
    jobs: Sequence[tuple[IntegerNetwork, NDArray[np.generic]]],
    *,
    trace: bool = False,
    graph: plan.Graph = "batched",
    deadline_s: float | None = None,
    progress: Progress | None = None,
    board: str | None = None,
) -> list[Result]:
    """`run` for several networks, each with its samples, in turn: Lava is started up only once.

    ``board`` asks for a board (see `board.NAMES`) instead of Lava's simulation; raises InvalidSetting, too, then.
    """
    return [result for result, _ in _run_each(jobs, trace, graph, deadline_s, progress, board)]


def run_on_board(
    network: IntegerNetwork,
    x: NDArray[np.generic],
    *,
    trace: bool = False,
    deadline_s: float | None = None,
    progress: Progress | None = None,
    name: str = "loihi2",
) -> tuple[Result, Measured]:
    """`run` on a board, and what its probes measured; nobody has had one to try it on yet."""
    ((result, measured),) = _run_each([(network, x)], trace, "single", deadline_s, progress, name)
    assert measured is not None
    return result, measured


def _run_each(
    jobs: Sequence[tuple[IntegerNetwork, NDArray[np.generic]]],
    trace: bool,
    graph: plan.Graph,
    deadline_s: float | None,
    progress: Progress | None,
    board_name: str | None,
) -> list[tuple[Result, Measured | None]]:
    if graph not in plan.GRAPHS:
        raise UnknownName("Lava graph", graph, plan.GRAPHS)
    prepared = [_job(network, checked_input(network, x), graph) for network, x in jobs]
    wanted = board.require(board_name) if board_name is not None else None
    python = interpreter.command()
    limit = _deadline(prepared) if deadline_s is None else deadline_s
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asrc-lava-")))
            exchange.write_order(folder, Order(prepared, trace, wanted))
            interpreter.link_packages(folder)
        except (OSError, UnwritableOutput) as error:
            said = error.strerror if isinstance(error, OSError) else error.why
            why = f"the samples could not be handed over through a temporary folder ({said})"
            raise BackendFailed("lava", why, "set TMPDIR to a folder with space") from error
        _work(python, folder, limit, progress)
        return [
            (exchange.read_result(folder, i), exchange.read_measured(folder, i) if wanted else None)
            for i in range(len(prepared))
        ]


def _job(network: IntegerNetwork, samples: NDArray[np.int32], graph: plan.Graph) -> Job:
    return Job(network, samples, plan.parts(network, samples.shape, graph))


def _deadline(jobs: Sequence[Job]) -> float:
    seconds = START_S
    for job in jobs:
        ways = routes(job.network, timing(job.network))
        for part in job.parts:
            seconds += part.lava_steps * (STEP_S + sum(_longest_s(way, part.lanes) for way in ways))
    return seconds


def _longest_s(way: Route, lanes: int | None) -> float:
    """How long the products of a connection may take in one Lava step."""
    weights = way.connection.weights.size
    if lanes is not None:
        return PRODUCT_S * weights * lanes * np.unique(way.delays).size
    # One sample at a time, Lava's DelayDense multiplies by a matrix for every delay up to the longest.
    longest = way.longest_delay
    return weights * (DELAYED_PRODUCT_S * (longest + 1) if longest else PRODUCT_S)


def _work(python: Sequence[str], folder: Path, limit_s: float, progress: Progress | None) -> None:
    """Have a worker do the folder's jobs. Raises BackendFailed."""
    end = time.monotonic() + limit_s
    with _worker(python, folder) as (worker, pipe):
        for message in _messages(worker, pipe):
            if "failure" in message:
                raise BackendFailed("lava", _line(message["failure"]), WAY_OUT)
            if time.monotonic() > end:
                raise BackendFailed("lava", f"it was not done after {limit_s:g} s", f"allow more, or {WAY_OUT}")
            if progress is not None and "done" in message:
                progress(message["done"], message["total"])
        if worker.returncode != 0:
            raise BackendFailed("lava", f"its worker {ending(worker.returncode)}{_last_words(folder)}", WAY_OUT)


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_SENTENCE]


@contextmanager
def _worker(python: Sequence[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A worker and the pipe that it tells of itself on. However the body ends, no process is left after it."""
    reader, writer = os.pipe()
    try:
        with (folder / LOG).open("wb") as log:
            worker = subprocess.Popen(  # noqa: S603  # our own module, no shell
                [*python, *WORKER, str(folder), str(writer)],
                cwd=folder,  # `-m` puts it first on the import path, and a user's folder may hold a lava.py
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writer,),
            )
    except OSError as error:
        os.close(reader)
        raise BackendFailed("lava", f"no process could be started ({error.strerror})", WAY_OUT) from error
    finally:
        os.close(writer)
    try:
        yield worker, reader
    finally:
        _end(worker)
        os.close(reader)


def _environment() -> dict[str, str]:
    """The caller's environment, but one thread for each of Lava's processes, and Lava's warnings are no errors."""
    changed = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if path := os.environ.get("PYTHONPATH"):  # relative entries mean the caller's folder, not the worker's
        changed["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
    return {**os.environ, **changed, "PYTHONWARNINGS": ""}


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End a worker and its children if they have not ended yet: asked first, so that it can clean up, then killed."""
    try:
        if worker.poll() is None:
            worker.terminate()
            with suppress(subprocess.TimeoutExpired):
                worker.wait(GRACE_S)
    finally:
        if worker.returncode != 0:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.kill()
            worker.wait()


def _messages(worker: subprocess.Popen[bytes], pipe: int) -> Iterator[dict[str, Any]]:
    """What the worker tells until it has ended, and an empty message whenever it has told nothing for a while."""
    rest = b""
    while True:
        ended = worker.poll() is not None  # asked before reading: what it wrote last is in the pipe by then
        ready, _, _ = select.select([pipe], [], [], 0.0 if ended else TICK_S)
        chunk = os.read(pipe, 2**16) if ready else b""
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines)
        if ended and not chunk:
            return
        if ready and not chunk:
            time.sleep(TICK_S)  # the pipe is closed: it is about to end
        yield {}


def _last_words(folder: Path) -> str:
    said = (folder / LOG).read_text(errors="replace").strip()
    return f", saying '{_line(said.splitlines()[-1])}'" if said else ""
