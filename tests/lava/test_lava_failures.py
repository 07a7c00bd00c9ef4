"""Whatever dies, hangs or is missing: one sentence, in finite time, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from asrc_core.contract.random_network import random_network
from asrc_core.errors import BackendFailed
from asrc_lava.boards import sdk
from asrc_lava.host import run

needs_lava = [pytest.mark.lava, pytest.mark.skipif(sdk.why_no_lava() is not None, reason=str(sdk.why_no_lava()))]

NETWORK = random_network(0, widths=(6, 6), spans=(2, 3), steps=200)
SAMPLES = np.random.default_rng(0).integers(0, 256, (400, 200, 1))
ENDLESS = 1e6
"""A deadline that no test waits for: the samples take a minute, and failures are to be noticed long before."""
PATIENCE_S = 300
"""What never ends has not ended by then, on however busy a machine."""


class Clock:
    """The time of the process that waits, which can be set forward."""

    sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        """Seconds, as Python's own."""
        return time.monotonic() + self.ahead


class Started:
    """The processes that a run started, found by a mark in the environment that they inherit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._mark = uuid.uuid4().hex
        monkeypatch.setenv("ASRC_TEST_MARK", self._mark)
        self.commands: dict[int, str] = {}
        self.worker = 0
        self._segments: set[str] = set()

    def look(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes():
                    self.commands[int(folder.name)] = (folder / "cmdline").read_text()
                    if os.getpid() == int((folder / "stat").read_text().rpartition(")")[2].split()[1]):
                        self.worker = int(folder.name)
                    maps = (folder / "maps").read_text().split()
                    self._segments |= {name for name in maps if name.startswith("/dev/shm/")}
            except OSError:  # ended meanwhile
                continue

    @property
    def actors(self) -> list[int]:
        """Lava's processes: forks of the worker, hence of the same command; the first one owns the shared memory."""
        forks = [p for p, command in self.commands.items() if p != self.worker and "resource_tracker" not in command]
        return sorted(forks)[1:]

    def require_nothing_left(self) -> None:
        """No process, not even as a zombie, and no shared memory; a busy machine may take its time to see them off."""
        assert len(self.commands) > 8
        assert self._segments
        end = time.monotonic() + PATIENCE_S
        while self._alive() or self._mapped():
            assert time.monotonic() < end, (self._alive(), self._mapped())
            time.sleep(0.05)

    def _alive(self) -> list[int]:
        return [pid for pid in self.commands if Path(f"/proc/{pid}").exists()]

    def _mapped(self) -> list[str]:
        return [name for name in self._segments if Path(name).exists()]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    marked = Started(monkeypatch)
    yield marked
    marked.require_nothing_left()


def fail(started: Started, meanwhile: Callable[[], object], deadline_s: float = ENDLESS) -> str:
    """The sentence of a run to which ``meanwhile`` happens once it is under way."""
    done: list[int] = []

    def progress(steps: int, _: int) -> None:
        if not done:
            started.look()
            meanwhile()
        done.append(steps)

    with pytest.raises(BackendFailed) as raised:
        run.run(NETWORK, SAMPLES, graph="single", progress=progress, deadline_s=deadline_s)
    return str(raised.value)


class TestOnLava:
    pytestmark = needs_lava

    @pytest.mark.slow
    def test_an_actor_that_raises(self, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
        sabotage = (
            "from asrc_lava.graph import models\n"
            "from asrc_lava.host import worker\n"
            "step = models.PyNeurons.run_spk\n"
            "def run_spk(self):\n"
            "    if self._layer.name == 'layer1' and self.time_step == 50: raise ArithmeticError('the\\nsky fell')\n"
            "    step(self)\n"
            "models.PyNeurons.run_spk = run_spk\n"
            "worker.main()\n"
        )
        monkeypatch.setattr(run, "WORKER", ("-c", sabotage))
        sentence = fail(started, lambda: None)
        assert "process 'layer1' raised ArithmeticError: the sky fell; " in sentence
        assert "\n" not in sentence

    def test_an_actor_killed(self, started: Started) -> None:
        sentence = fail(started, lambda: os.kill(started.actors[5], signal.SIGKILL))
        assert "was killed by SIGKILL" in sentence
        assert "process '" in sentence or "runtime service" in sentence

    @pytest.mark.slow
    def test_an_actor_that_hangs_until_the_deadline(self, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = Clock()
        monkeypatch.setattr(run, "time", clock)

        def hang() -> None:
            os.kill(started.actors[5], signal.SIGSTOP)
            clock.ahead = 900

        assert "it was not done after 900 s" in fail(started, hang, deadline_s=900)

    @pytest.mark.slow
    def test_a_worker_killed(self, started: Started) -> None:
        sentence = fail(started, lambda: os.kill(started.worker, signal.SIGKILL))
        assert "its worker was killed by SIGKILL" in sentence

    def test_a_worker_that_cannot_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run, "WORKER", ("-c", "raise SystemError('no such luck')"))
        with pytest.raises(BackendFailed, match="its worker ended with status 1, saying 'SystemError: no such luck'"):
            run.run(NETWORK, SAMPLES)

    def test_no_folder_to_hand_over_in(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        with pytest.raises(BackendFailed, match=r"temporary folder.*set TMPDIR"):
            run.run(NETWORK, SAMPLES)

    @pytest.mark.slow
    def test_an_interrupt(self, started: Started) -> None:
        def interrupt(*_: int) -> None:
            started.look()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run.run(NETWORK, SAMPLES, graph="single", progress=interrupt)

    @pytest.mark.slow
    def test_a_caller_that_dies(self, started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        code = (
            "import numpy as np, os\n"
            "from asrc_core.contract.random_network import random_network\n"
            "from asrc_lava.host import run\n"
            "network = random_network(0, widths=(6, 6), spans=(2, 3), steps=200)\n"
            "wait = lambda *_: input(print('under way'))\n"
            "run.run(network, np.ones((400, 200, 1), int), graph='single', progress=wait)\n"
        )
        caller = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with caller:
            assert caller.stdout is not None
            assert caller.stdout.readline() == "under way\n"
            started.look()
            assert list(tmp_path.glob("asrc-lava-*"))
            caller.kill()
        started.require_nothing_left()
        assert not list(tmp_path.glob("asrc-lava-*"))

    @pytest.mark.slow
    def test_a_good_run_leaves_nothing_either(self, started: Started) -> None:
        run.run(NETWORK, SAMPLES[:1], graph="single", progress=lambda *_: started.look())


def test_without_lava_a_sentence_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'lava': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "import numpy as np\n"
        "from asrc_core.contract.random_network import random_network\n"
        "from asrc_lava.host import run\n"
        "from asrc_core.errors import BackendMissing\n"
        "network = random_network(0, widths=(2,), spans=(1,), steps=2)\n"
        "try: run.run(network, np.ones((1, 2, 1), int))\n"
        "except BackendMissing as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "backend 'lava' is not available: " in done.stdout
    assert "use Python 3.10 and pip install 'asrc-toolchain[lava]'" in done.stdout
