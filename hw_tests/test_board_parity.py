"""A board computes the contract's integers: the bodies of the simulation's parity tests, run on it."""

from __future__ import annotations

from lava_parity import assert_equal_to_reference, drawn


def test_delay_lines(board: str) -> None:
    assert_equal_to_reference(drawn(5, max_width=20, max_steps=36), "single", board)


def test_synaptic_delays(board: str) -> None:
    assert_equal_to_reference(drawn(5, max_width=8, max_steps=70, max_span=63), "single", board)
