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
    require_room_for_trace(network, 900, 784)
    require_room_for_trace(network, 450, 784, traces=2)
    with pytest.raises(InvalidData, match=r"^trace: .* 901 samples takes 1\.2 GB, .*; take at most 900 at a time\.$"):
        require_room_for_trace(network, 901, 784)
    with pytest.raises(InvalidData, match="take at most 450 at a time"):
        require_room_for_trace(network, 451, 784, traces=2)
    with pytest.raises(InvalidData, match=r"of 1 sample takes .*; take fewer steps, or no trace"):
        require_room_for_trace(network, 1, 784 * 901)
    monkeypatch.setattr(memory, "available", lambda: None)  # nothing is known, so nothing is refused
    require_room_for_trace(network, 10**9, 784)


GROUPS = {
    2: ("0::/user/job\n", "", ("memory.max", "memory.current", "inactive_file")),
    1: (
        "9:cpu,cpuacct:/\n4:memory:/user/job\n0::/\n",
        "memory",
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ),
}


@pytest.mark.parametrize("version", GROUPS)
def test_what_is_available_is_what_the_machine_and_the_groups_of_this_process_leave(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, below, (most, used, kept) = GROUPS[version]
    meminfo, groups = tmp_path / "meminfo", tmp_path / "groups" / below
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    assert memory.available() is None
    meminfo.write_text("MemTotal:       24000000 kB\nMemAvailable:   8000000 kB\n")
    assert memory.available() == 8_000_000 * 1024
    (tmp_path / "own").write_text(own)
    assert memory.available() == 8_000_000 * 1024

    def limited(group: Path, size: str, taken: int, read_files: int) -> None:
        group.mkdir(parents=True, exist_ok=True)
        (group / most).write_text(f"{size}\n")
        (group / used).write_text(f"{taken}\n")
        (group / "memory.stat").write_text(f"anon 7\n{kept} {read_files}\n")

    limited(groups / "user" / "job", "max" if version == 2 else str(2**63 - 4096), 5, 0)
    assert memory.available() == 8_000_000 * 1024
    limited(groups / "user", str(4 * GB), 3 * GB, GB)  # a group that the process's own lies in
    assert memory.available() == 2 * GB
    limited(groups, str(3 * GB), 4 * GB, 0)
    assert memory.available() == 0


def test_this_machine_tells_what_is_available_if_it_runs_linux() -> None:
    left = memory.available()
    assert left is None or left > 0
    assert (left is None) == (not memory.MEMINFO.exists())
