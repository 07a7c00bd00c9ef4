"""The size of a trace is known before the run, and one that memory does not hold is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asrc_core import memory
from asrc_core.contract import interpreter, random_network
from asrc_core.contract.result import require_room_for_trace, trace_bytes
from asrc_core.errors import InvalidData

GB = 10**9


@pytest.mark.parametrize("seed", range(12))
def test_the_size_is_that_of_the_arrays_which_a_run_returns(seed: int) -> None:
    network = random_network.any_network(seed)
    x = np.zeros((3, 7, network.input.channels), np.int32)
    trace = interpreter.run(network, x, trace=True).trace
    assert trace is not None
    told = 3 * trace_bytes(network, 7)
    assert told == trace.readout.nbytes + sum(each.spikes.nbytes + each.membrane.nbytes for each in trace.layers)


def test_a_trace_that_memory_does_not_hold_is_refused_with_as_many_samples_as_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = random_network.random_network(0)
    each = trace_bytes(network, 784)
    monkeypatch.setattr(memory, "available", lambda: 1000 * each)
    require_room_for_trace(network, 1000, 784)
    require_room_for_trace(network, 500, 784, traces=2)
    with pytest.raises(InvalidData, match=r"^trace: .* 1,001 samples take 1\.\d GB .*; take at most 800 at a time\.$"):
        require_room_for_trace(network, 1001, 784)
    with pytest.raises(InvalidData, match="take at most 400 at a time"):
        require_room_for_trace(network, 501, 784, traces=2)
    monkeypatch.setattr(memory, "available", lambda: None)  # nothing is known, so nothing is refused
    require_room_for_trace(network, 10**9, 784)


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text, encoding="ascii")
    return folder


def test_what_is_available_is_what_machine_and_container_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       24000000 kB\nMemAvailable:   8000000 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    monkeypatch.setattr(memory, "CGROUP", written(tmp_path, memory_max="max\n", memory_current="5\n"))
    assert memory.available() == 8_000_000 * 1024
    stat = f"anon {2 * GB}\ninactive_file {GB}\n"
    written(tmp_path, memory_max=f"{4 * GB}\n", memory_current=f"{3 * GB}\n", memory_stat=stat)
    assert memory.available() == 2 * GB
    meminfo.write_text("what else\n", encoding="ascii")
    assert memory.available() == 2 * GB
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "none")
    assert memory.available() is None


def test_this_machine_tells_what_is_available_if_it_runs_linux() -> None:
    left = memory.available()
    assert left is None or left > 0
    assert (left is None) == (not memory.MEMINFO.exists())
