"""A microcontroller computes the contract's integers: networks uploaded one by one, every step compared."""

from __future__ import annotations

import time

import numpy as np
import pytest

from asrc_core.contract.random_network import any_network, random_network
from asrc_export.emulation import board as serial

RESTART_S = 3.0
"""Boards begin anew after an upload, and some when their port is opened."""


@pytest.mark.parametrize("seed", range(5))
def test_any_network(microcontroller: serial.Access, seed: int) -> None:
    network = any_network(seed)
    entry = network.input
    x = np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, (2, network.steps, entry.channels))
    serial.upload(network, microcontroller)
    with serial.line_to(microcontroller.port) as line:
        time.sleep(RESTART_S)
        line.send(b"t")
        assert serial.numbers(line) == [0], "the self-test"
        assert serial.require_equal(network, x, line) == 2 * network.steps


def test_long_spans(microcontroller: serial.Access) -> None:
    network = random_network(0, widths=(32, 32), spans=(3, 33), steps=60, mapping="synaptic-delay")
    x = np.random.default_rng(0).integers(0, 256, (1, 60, 1))
    serial.upload(network, microcontroller)
    with serial.line_to(microcontroller.port) as line:
        time.sleep(RESTART_S)
        serial.require_equal(network, x, line)
