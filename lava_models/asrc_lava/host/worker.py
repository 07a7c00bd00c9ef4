"""The process that Lava runs in: `python -m asrc_lava.host.worker FOLDER FD`, started by `run`.

It runs the jobs in the folder, leaves their results there, and writes to the pipe FD, a JSON object a line:
{"done": steps, "total": steps} as it goes on, {"failure": why} if it cannot. It ends with all of its children.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import NoReturn

from asrc_core.contract.result import joined
from asrc_lava.host import exchange

REPORT_INTERVAL_S = 0.1


def main() -> None:
    """Run the jobs; the exit status is 0 if all results are there."""
    folder, pipe = Path(sys.argv[1]), int(sys.argv[2])
    # The tracker removes shared memory that nobody else did; started first, it stays out of the group that `run` kills.
    resource_tracker.ensure_running()
    os.setpgid(0, 0)
    worker = _Worker(folder, pipe)
    signal.signal(signal.SIGTERM, worker.terminated)
    try:
        worker.work()
    except Exception as error:
        traceback.print_exc()
        worker.leave(f"{type(error).__name__}: {error}")
    worker.leave(None)


class _Worker:
    """Its work, its progress, its end."""

    def __init__(self, folder: Path, pipe: int) -> None:
        self._folder = folder
        self._pipe = pipe
        self._pid, self._caller = os.getpid(), os.getppid()
        self._leaving = threading.Lock()
        self._done = self._total = 0
        self._told = 0.0

    def work(self) -> None:
        """Run the folder's jobs in turn."""
        from asrc_lava.host.simulate import simulate

        order = exchange.read_order(self._folder)
        self._total = sum(part.lava_steps for job in order.jobs for part in job.parts)
        for i, job in enumerate(order.jobs):
            done = [
                simulate(
                    job.network,
                    job.samples[part.start : part.stop],
                    part.lanes,
                    trace=order.trace,
                    board=order.board,
                    on_step=self._step,
                    on_death=self.leave,
                )
                for part in job.parts
            ]
            exchange.write_result(self._folder, i, joined((result for result, _ in done), len(job.samples)))
            measured = [each for _, each in done if each is not None]
            if measured:
                exchange.write_measured(self._folder, i, sum(measured[1:], measured[0]))

    def leave(self, failure: str | None) -> NoReturn:
        """End this process and all of its children, having told why if it failed; from any thread.

        Not by returning from `main`: the destructors of a failed run would wait for its dead.
        """
        if not self._leaving.acquire(blocking=False):
            threading.Event().wait()  # until the thread that came first has ended this process
        if failure is not None:
            with suppress(BrokenPipeError):
                self._tell({"failure": failure})
        while children := multiprocessing.active_children():
            for child in children:
                child.kill()
            for child in children:
                child.join()
        if os.getppid() != self._caller:  # it died, and so could not remove the folder
            shutil.rmtree(self._folder, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        # With the last child gone, the tracker unlinks what shared memory is left.
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
        os._exit(0 if failure is None else 1)

    def terminated(self, *_: object) -> None:
        """Handle SIGTERM; Lava's actors, which are forks of this process, inherit the handler."""
        if os.getpid() != self._pid:
            os._exit(1)
        if not self._leaving.locked():
            self.leave("it was told to end")

    def _step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._told >= REPORT_INTERVAL_S or self._done == self._total:
            self._told = now
            try:
                self._tell({"done": self._done, "total": self._total})
            except BrokenPipeError:
                self.leave("nobody waits for the result any more")

    def _tell(self, message: dict[str, object]) -> None:
        os.write(self._pipe, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
