"""A board computes the contract's integers: the bodies of the simulation's parity tests, run on it."""

from __future__ import annotations

import numpy as np
from lava_parity import assert_equal_to_reference, drawn

from asrc_core.contract.random_network import random_network
from asrc_lava.host import run


def test_delay_lines(board: str) -> None:
    assert_equal_to_reference(drawn(5, max_width=20, max_steps=36), "single", board)


def test_synaptic_delays(board: str) -> None:
    assert_equal_to_reference(drawn(5, max_width=8, max_steps=70, max_span=63), "single", board)


def test_the_probes_tell_time_and_energy(board: str) -> None:
    network = random_network(0, widths=(16,), spans=(3,), steps=100)
    _, measured = run.run_on_board(network, np.ones((100, 100, 1), np.int32), name=board)
    assert measured.steps == 100 * 100 + 2
    assert measured.seconds > 0
    assert measured.total_joules > 0
