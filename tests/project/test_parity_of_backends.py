"""Kinds x sources x lags x mappings x backends: any network of the contract, and not one differing integer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import recorded
from backends import BACKENDS, equal_on

from asrc_core.contract import interpreter
from asrc_core.contract.file import network_file
from asrc_core.contract.random_network import any_network, random_network
from asrc_export.codegen.c import cache
from asrc_export.engines import native, select

EXAMPLES = Path(__file__).parents[2] / "examples"
BLOCK = 100
QUICK, MORE = 8, 25


def test_a_few_networks_are_equal_on_all_backends() -> None:
    equal_on(BACKENDS, (any_network(seed) for seed in range(QUICK)))


@pytest.mark.slow
def test_networks_of_every_sort_are_equal_on_all_backends() -> None:
    equal_on(BACKENDS, (any_network(seed) for seed in range(QUICK, MORE)))


@pytest.fixture(params=range(10))
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A tenth of a thousand networks; the first is compiled as users have it, the others in half the time."""
    if request.param > 0:
        monkeypatch.setenv(cache.OWN_FLAGS, "-O0")
    cache.compiler.cache_clear()
    yield request.param
    cache.compiler.cache_clear()


@pytest.mark.slow
def test_a_thousand_networks_are_equal_on_all_backends(block: int) -> None:
    first = MORE + block * BLOCK
    equal_on(BACKENDS, (any_network(seed, max_width=10, max_steps=20) for seed in range(first, first + BLOCK)))


@pytest.mark.parametrize("name", ["native", "generated", "onnx", "c"])
def test_chains_compute_as_before_on_every_engine(name: str) -> None:
    outputs, _ = recorded.outputs()
    for seed in range(0, 1000, 25 if name == "native" else 100):
        network = random_network(seed, **recorded.settings(seed))
        engine = select.engine(name, network)
        assert engine.name == name
        result = engine.run(network, recorded.samples(seed), trace=True)
        assert recorded.digest(result) == outputs[seed].tobytes(), f"network {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("tenth", range(10))
def test_ten_thousand_chains_compute_and_are_written_as_before(tenth: int) -> None:
    """In NumPy and in the native engine; their files, too."""
    outputs, files = recorded.outputs()
    for seed in range(tenth * recorded.NETWORKS // 10, (tenth + 1) * recorded.NETWORKS // 10):
        network, x = random_network(seed, **recorded.settings(seed)), recorded.samples(seed)
        for run in (interpreter.run, native.run):
            assert recorded.digest(run(network, x, trace=True)) == outputs[seed].tobytes(), f"network {seed}"
        content = hashlib.sha256(network_file.to_bytes(network)).digest()
        assert content[:8] == files[seed].tobytes(), f"the file of network {seed}"


@pytest.mark.parametrize("engine", ["native", "generated", "onnx", "c"])
@pytest.mark.parametrize("name", recorded.EXAMPLES)
def test_the_examples_compute_as_before_on_every_engine(name: str, engine: str) -> None:
    network = network_file.load(EXAMPLES / name)
    entry = network.input
    shape = (8, network.steps, entry.channels)
    x = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, shape)
    result = select.engine(engine, network).run(network, x, trace=True)
    assert recorded.digest(result).hex() == recorded.EXAMPLES[name]
