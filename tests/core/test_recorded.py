"""Versions 1 and 2 give the bits that they gave before there was a version 3: outputs, counts and files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import recorded

from asrc_core.contract import interpreter
from asrc_core.contract.file import network_file
from asrc_core.contract.random_network import random_network

EXAMPLES = Path(__file__).parents[2] / "examples"


def require_as_recorded(seeds: range) -> None:
    outputs, files = recorded.outputs()
    for seed in seeds:
        network = random_network(seed, **recorded.settings(seed))
        result = interpreter.run(network, recorded.samples(seed), trace=True)
        assert recorded.digest(result) == outputs[seed].tobytes(), f"network {seed}"
        content = hashlib.sha256(network_file.to_bytes(network)).digest()
        assert content[:8] == files[seed].tobytes(), f"the file of network {seed}"


@pytest.mark.slow
def test_random_chains_compute_and_are_written_as_before() -> None:
    require_as_recorded(range(300))


@pytest.mark.parametrize("name", recorded.EXAMPLES)
def test_the_examples_compute_as_before(name: str) -> None:
    network = network_file.load(EXAMPLES / name)
    entry = network.input
    shape = (8, network.steps, entry.channels)
    x = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, shape)
    assert recorded.digest(interpreter.run(network, x, trace=True)).hex() == recorded.EXAMPLES[name]
