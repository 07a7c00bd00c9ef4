"""Zeros and scales that were learned: when two machines' are the same, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from asrc_core.errors import InvalidData
from asrc_core.preprocessing import alike, identity, standardizing

MADE = standardizing(np.array([-3.0, 0.5]), np.array([2.0, 0.25]), 32, 128)


def moved(by: float, what: str) -> Any:
    return MADE.model_copy(update={what: tuple(each + by * abs(each) for each in getattr(MADE, what))})


@pytest.mark.parametrize("what", ["zero", "scale"])
def test_sums_in_another_order_make_the_same_preprocessing_and_other_samples_do_not(what: str) -> None:
    assert alike(MADE, moved(1e-10, what))
    assert alike(MADE, moved(1e-7, what))  # as float32 features do from processor to processor
    assert not alike(MADE, moved(1e-3, what))


def test_what_is_not_learned_has_to_be_equal() -> None:
    assert alike(None, None)
    assert not alike(MADE, None)
    assert not alike(MADE, identity(2, 255))
    assert not alike(MADE, MADE.model_copy(update={"maximum": 254}))
    assert not alike(MADE, standardizing(np.array([-3.0]), np.array([2.0]), 32, 128))


@pytest.mark.parametrize("raw", [None, "x", np.float64(1.0), np.array(["a", "b"]), np.zeros(3)])
def test_what_are_no_samples_is_a_sentence(raw: Any) -> None:
    with pytest.raises(InvalidData):
        MADE.integers(np.asarray(raw))
