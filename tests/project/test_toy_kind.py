"""A kind of neuron is one file: a toy, written here, runs on every backend, and nothing else is touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from backends import BACKENDS, equal_on

from asrc_core.contract import interpreter, neurons
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import require_equal
from asrc_core.contract.random_network import any_network

TOY = '''"""A toy: it leaks by a shift, rests for some steps after it fired, and sends more the higher it got."""

from asrc_core.contract.neurons.kind import Kind, Number, Step, Table
from asrc_core.contract.numbers import STATE_MAX, WORD


def step(o, p, state, a):
    leaked = o.sub(state["v"], o.toward_zero(state["v"], p["leak"]))
    u = o.saturate(o.add(o.add(leaked, a), p["bias"]))
    rested = o.not_(o.ge(o.mask(state["past"], p["rest"]), 1))
    s = o.and_(o.ge(u, p["threshold"]), rested)
    level = o.min(o.floor(o.max(u, 0), 6), p["levels"].size - 1)
    return Step({"v": o.select(s, 0, u), "past": o.push(state["past"], s)}, o.mul(s, o.table(level, p["levels"])), u)


KIND = Kind(
    parameters={"leak": Number(1, 8), "rest": Number(0, 5), "bias": Number(-20, 20), "threshold": Number(1, STATE_MAX),
                "levels": Table(1, 3)},
    states={"v": 24, "past": WORD},
    step=step,
    sends=(0, 3),
)
'''


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on Python's path, also of processes started from here, in which the file is the only one."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "asrc_kinds").mkdir()
    (folder / "asrc_kinds" / "toy.py").write_text(TOY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder))
        yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == neurons.MORE]:
        del sys.modules[name]
    neurons.kind.cache_clear()


def networks(count: int) -> list[IntegerNetwork]:
    """Networks in which the toy stands beside the package's own kinds."""
    drawn = (any_network(seed, kinds=["toy", "toy", "lif", "cuba-lif"]) for seed in range(1000))
    with_toy = (each for each in drawn if any(layer.neuron.kind == "toy" for layer in each.hidden))
    return [next(with_toy) for _ in range(count)]


def test_it_is_a_file_of_at_most_25_lines() -> None:
    assert len(TOY.splitlines()) <= 25


def test_it_fires_and_its_networks_have_files(toy: Path, tmp_path: Path) -> None:
    firing = 0
    for network in networks(20):
        x = np.full((1, network.steps, network.input.channels), network.input.maximum)
        counts = interpreter.run(network, x).counts
        kinds = [layer.neuron.kind for layer in network.hidden]
        firing += any(count.spikes for count, kind in zip(counts, kinds, strict=False) if kind == "toy")
        network_file.save(network, tmp_path / "toy.safetensors")
        again = network_file.load(tmp_path / "toy.safetensors")
        np.testing.assert_array_equal(interpreter.run(again, x).logits, interpreter.run(network, x).logits)
    assert firing >= 10


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_runs_on_every_backend(toy: Path, backend: str) -> None:
    equal_on([backend], networks(8))


@pytest.mark.lava
@pytest.mark.slow
def test_it_runs_on_lava(toy: Path) -> None:
    from asrc_lava.host import run

    jobs = []
    for seed, network in enumerate(networks(4)):
        entry = network.input
        shape = (2, network.steps, entry.channels)
        jobs.append((network, np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)))
    for graph in ("batched", "single"):
        for (network, x), result in zip(jobs, run.run_each(jobs, trace=True, graph=graph), strict=True):
            require_equal(network, result, interpreter.run(network, x, trace=True), (graph, "numpy"))
