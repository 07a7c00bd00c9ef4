"""Intervals, tests and scores of the report: equal to published values, to other libraries, and to counting by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import precision_recall_fscore_support

from asrc_export.report.accuracy.scores import _each_class, paired, wilson


def test_wilsons_interval_is_that_of_the_formula() -> None:
    """Solves |p - k / n| = z sqrt(p (1 - p) / n) at both ends."""
    found = wilson(81, 263)
    for end in (found.low, found.high):
        assert abs(end - 81 / 263) == pytest.approx(1.959963984540054 * (end * (1 - end) / 263) ** 0.5)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)  # Newcombe 1998, table I


@given(st.integers(1, 10_000), st.data())
def test_an_interval_holds_its_share_and_stays_within_0_and_1(of: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, of))
    found = wilson(right, of)
    assert 0 <= found.low <= right / of <= found.high <= 1
    assert found.low < found.high


def test_mcnemars_test_counts_only_samples_that_one_of_both_gets_right() -> None:
    first = np.array([1] * 50 + [1] * 9 + [0] * 1 + [0] * 7, bool)
    second = np.array([1] * 50 + [0] * 9 + [1] * 1 + [0] * 7, bool)
    found = paired(first, second)
    assert (found.only_first, found.only_second) == (9, 1)
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)
    assert found.told_apart
    assert paired(first, first).p == 1
    assert not paired(first, first).told_apart


def test_mcnemars_test_of_a_large_test_set_takes_no_time() -> None:
    """10,000 samples that one of both gets right: summing each binomial anew takes minutes."""
    first = np.arange(20_000) < 5_100
    second = np.arange(20_000) >= 15_100
    begun = time.process_time()
    found = paired(first, second)
    assert time.process_time() - begun < 2
    assert (found.only_first, found.only_second) == (5_100, 4_900)
    assert found.p == pytest.approx(2 * binom.cdf(4_900, 10_000, 0.5))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_precision_recall_and_f1_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, answers = (np.array(each) for each in zip(*pairs, strict=True))
    matrix = np.zeros((5, 5), np.int64)
    np.add.at(matrix, (labels, answers), 1)
    expected = precision_recall_fscore_support(labels, answers, labels=range(5), zero_division=np.nan)
    for label, (samples, answered, *mine) in enumerate(_each_class(matrix)):
        assert samples == expected[3][label]
        assert answered == (answers == label).sum()
        for own, theirs in zip(mine[:2], (expected[0][label], expected[1][label]), strict=True):
            assert (own is None) == np.isnan(theirs)
            assert own is None or own == pytest.approx(theirs)
        if samples and answered:
            assert mine[2] == pytest.approx(expected[2][label])
