"""Counting what passed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract.tally import steps_not_zero


@given(st.integers(0, 600), st.sampled_from([np.uint8, np.int32, np.float64, np.bool_]), st.integers(0, 2**32 - 1))
def test_steps_are_counted_one_by_one(steps: int, dtype: type, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-1, 2, (steps, 2, 3)).astype(dtype)
    expected = [[sum(bool(values[t, b, n]) for t in range(steps)) for n in range(3)] for b in range(2)]
    assert steps_not_zero(values).tolist() == expected


@pytest.mark.parametrize("steps", [254, 255, 256, 511, 784])
def test_a_cell_that_is_never_0_counts_every_step_in_any_memory_order(steps: int) -> None:
    values = np.ones((2, steps, 3), np.uint8).swapaxes(0, 1)
    assert (steps_not_zero(values) == steps).all()
