"""Operations on real numbers: with rounding they are the integers' own, without it they round nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.real import RealArithmetic, RealOperations

NUMBERS = st.lists(st.integers(-(2**30), 2**30), min_size=3, max_size=3).map(lambda values: np.array([values]))
BITS = st.lists(st.integers(0, 1), min_size=3, max_size=3).map(lambda values: np.array([values]))
SHIFTS = st.one_of(
    st.integers(0, 16), st.lists(st.integers(0, 16), min_size=3, max_size=3).map(lambda values: np.array(values))
)


@given(NUMBERS, NUMBERS, BITS, BITS, SHIFTS)
def test_on_whole_numbers_rounding_operations_are_the_integers_own(a: Any, b: Any, p: Any, q: Any, k: Any) -> None:
    whole, real = NumpyOperations(), RealOperations(rounding=True)
    word, table = np.abs(a), np.arange(5) ** 2
    for of_integers, of_reals in (
        (whole.add(a, b), real.add(a * 1.0, b)),
        (whole.sub(a, b), real.sub(a * 1.0, b)),
        (whole.shl(a, k), real.shl(a * 1.0, k)),
        (whole.floor(a, k), real.floor(a * 1.0, k)),
        (whole.toward_zero(a, k), real.toward_zero(a * 1.0, k)),
        (whole.saturate(a), real.saturate(a * 1.0)),
        (whole.min(a, b), real.min(a * 1.0, b)),
        (whole.max(a, b), real.max(a * 1.0, b)),
        (whole.ge(a, b), real.ge(a * 1.0, b)),
        (whole.and_(p, q), real.and_(p * 1.0, q)),
        (whole.or_(p, q), real.or_(p * 1.0, q)),
        (whole.not_(p), real.not_(p * 1.0)),
        (whole.select(p, a, b), real.select(p * 1.0, a * 1.0, b)),
        (whole.push(word, p), real.push(word * 1.0, p * 1.0)),
        (whole.mask(word, k), real.mask(word * 1.0, k)),
        (whole.table(word % 5, table), real.table(word % 5 * 1.0, table)),
    ):
        np.testing.assert_array_equal(of_integers, of_reals)
    assert whole.saturations == real.saturations


@given(NUMBERS, SHIFTS)
def test_without_rounding_a_shift_down_is_undone_by_a_shift_up(a: Any, k: Any) -> None:
    real = RealOperations(rounding=False)
    for down in (real.floor, real.toward_zero):
        np.testing.assert_array_equal(real.shl(down(a * 1.0, k), k), a)
    np.testing.assert_array_equal(real.saturate(a * 1.0), a)
    assert real.saturations == 0


def test_a_table_is_linear_between_its_entries_and_holds_beyond_its_ends() -> None:
    entries = np.array([0, 10, 30])
    found = RealOperations(rounding=False).table(np.array([[-1.0, 0.5, 1.0, 1.25, 7.0]]), entries)
    np.testing.assert_array_equal(found, [[0, 5, 10, 15, 30]])


@pytest.mark.parametrize("exponent", [-3, 0, 3])
def test_sums_of_connections_are_never_rounded(exponent: int) -> None:
    for rounding in (False, True):
        arithmetic = RealArithmetic(rounding=rounding)
        product = arithmetic.product(np.array([[1, 3]]), arithmetic.weights(0, 0, 0, np.array([[2, 1], [0, 1]])))
        np.testing.assert_array_equal(arithmetic.shift(product, exponent), np.array([[5, 3]]) * 2.0**exponent)
