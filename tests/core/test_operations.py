"""The operations against exact arithmetic, and their bounds: nothing leaves an interval."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract.numbers import WIDE_MAX
from asrc_core.contract.operations.intervals import Interval, IntervalOperations, Misused, TooWide
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.operations import Operations

values = st.integers(-(2**40), 2**40)
bits = st.integers(0, 1)
words = st.integers(0, 2**32 - 1)
TABLE = np.array([5, -3, 0, 127, 2])


def one(value: int) -> Any:
    return np.array([value], np.int64)


@given(values, st.integers(0, 20))
def test_shifts_and_roundings(a: int, k: int) -> None:
    o = NumpyOperations()
    exact = Fraction(a, 2**k)
    assert o.floor(one(a), k)[0] == math.floor(exact)
    assert o.toward_zero(one(a), k)[0] == math.trunc(exact)
    assert o.shl(one(a), k)[0] == a * 2**k


@given(values, st.integers(2, 32))
def test_saturation_keeps_to_its_bits_and_counts_what_it_changes(a: int, width: int) -> None:
    o, most = NumpyOperations(), 2 ** (width - 1) - 1
    held = o.saturate(one(a), width)[0]
    assert held == max(-most, min(most, a))
    assert o.saturations == int(held != a)


@given(words, bits, st.integers(0, 32))
def test_words_hold_the_last_32_spikes(word: int, bit: int, k: int) -> None:
    o = NumpyOperations()
    assert o.push(one(word), one(bit))[0] == (2 * word + bit) % 2**32
    assert o.mask(one(word), k)[0] == word % 2**k


@given(values, values, bits, bits)
def test_comparisons_choices_and_logic(a: int, b: int, p: int, q: int) -> None:
    o = NumpyOperations()
    assert o.ge(one(a), one(b))[0] == int(a >= b)
    assert o.select(one(p), one(a), one(b))[0] == (a if p else b)
    assert (o.min(one(a), one(b))[0], o.max(one(a), one(b))[0]) == (min(a, b), max(a, b))
    assert (o.and_(one(p), one(q))[0], o.or_(one(p), one(q))[0], o.not_(one(p))[0]) == (p & q, p | q, 1 - p)


def test_shifts_may_differ_from_neuron_to_neuron() -> None:
    o, a, k = NumpyOperations(), np.array([[-5, -5, 7]]), np.array([0, 1, 2])
    assert o.floor(a, k).tolist() == [[-5, -3, 1]]
    assert o.toward_zero(a, k).tolist() == [[-5, -2, 1]]
    assert o.shl(a, k).tolist() == [[-5, -10, 28]]
    assert o.mask(np.array([[7, 7, 7]]), k).tolist() == [[0, 1, 3]]


def programs(o: Operations, a: Any, b: Any, word: Any, k: int, c: int) -> dict[str, Any]:
    """Every operation, and combinations in which a condition says something of what it chooses."""
    fires = o.ge(a, c)
    both = o.and_(fires, o.ge(b, 0))
    index = o.min(o.max(a, 0), len(TABLE) - 1)
    return {
        "add": o.add(a, b),
        "sub": o.sub(a, b),
        "mul": o.mul(a, b),
        "shl": o.shl(a, k),
        "floor": o.floor(a, k),
        "toward_zero": o.toward_zero(a, k),
        "saturate": o.saturate(a, 12),
        "table": o.table(index, TABLE),
        "soft reset": o.select(fires, o.sub(a, c), a),
        "hard reset": o.select(fires, 0, a),
        "both": o.select(both, o.sub(o.mul(a, b), c), o.add(a, b)),
        "neither": o.select(o.not_(o.or_(fires, o.ge(b, c))), o.sub(a, b), b),
        "free": o.select(o.ge(0, o.mask(word, 3)), a, b),
        "push": o.push(word, fires),
    }


edges = st.tuples(values, values).map(sorted)


@given(edges, edges, st.tuples(words, words).map(sorted), st.integers(0, 20), st.integers(-1000, 1000), st.data())
def test_every_value_lies_within_its_interval(
    a: list[int], b: list[int], word: list[int], k: int, c: int, data: st.DataObject
) -> None:
    a, b = ([end >> 20 for end in ends] for ends in (a, b))  # their products stay within 64 bits
    bounds = [Interval(one(low), one(high)) for low, high in (a, b, word)]
    found = programs(IntervalOperations(), *bounds, k, c)
    inside = [data.draw(st.integers(low, high)) for low, high in (a, b, word)]
    for name, value in programs(NumpyOperations(), *map(one, inside), k, c).items():
        assert found[name].low[0] <= value[0] <= found[name].high[0], name


def test_a_reset_is_known_to_subtract_above_the_threshold_only() -> None:
    o, u = IntervalOperations(), Interval(one(-1000), one(1000))
    after = o.select(o.ge(u, 300), o.sub(u, 300), u)
    assert (after.low[0], after.high[0]) == (-1000, 700)
    assert o.select(o.ge(u, 2000), o.sub(u, 5000), u).low[0] == -1000, "a side that is never taken adds nothing"


def test_neurons_for_which_a_side_is_impossible_have_the_other_one() -> None:
    o, u = IntervalOperations(), Interval(np.array([0, 500]), np.array([100, 900]))
    after = o.select(o.ge(u, 300), o.sub(u, 300), u)
    assert (after.low.tolist(), after.high.tolist()) == ([0, 200], [100, 600])


def test_what_needs_more_than_64_bits_is_told_and_not_wrapped() -> None:
    o, a = IntervalOperations(), Interval(one(-(2**40)), one(2**40))
    with pytest.raises(TooWide, match="beyond 64 bits"):
        o.mul(a, a)
    with pytest.raises(TooWide):
        o.shl(a, 40)
    assert o.widest < WIDE_MAX


def test_an_index_outside_its_table_is_told() -> None:
    o = IntervalOperations()
    with pytest.raises(IndexError, match="5 entries is asked for entry 5"):
        o.table(Interval(one(0), one(5)), TABLE)


MISUSES: dict[str, tuple[Callable[[IntervalOperations, Interval], Any], str]] = {
    "a shift too far": (lambda o, a: o.shl(a, 63), "`shl by k` takes 0 to 62, and could get 63"),
    "a shift the other way": (
        lambda o, a: o.floor(a, np.array([3, -1])),
        "`floor by k` takes 0 to 62, and could get -1",
    ),
    "a fraction of a shift": (lambda o, a: o.toward_zero(a, 0.5), "a constant of type float64"),
    "more of a word than it has": (lambda o, a: o.mask(5, 33), "`mask by k` takes 0 to 32, and could get 33"),
    "a mask of what may be negative": (lambda o, a: o.mask(a, 3), "`mask` takes 0 to 4294967295, and could get -4"),
    "a number as a spike": (lambda o, a: o.push(0, a), "`push` takes 0 to 1, and could get -4"),
    "a number as a condition": (
        lambda o, a: o.select(o.add(o.ge(a, 1), 1), a, 0),
        "`select` takes 0 to 1, and could get 2",
    ),
    "bits of numbers": (lambda o, a: o.and_(a, 1), "`and` takes 0 to 1, and could get -4"),
    "not a number": (lambda o, a: o.not_(a), "`not` takes 0 to 1, and could get -4"),
    "a constant with a fraction": (lambda o, a: o.mul(a, 0.5), "a constant of type float64, not with a whole number"),
}


@pytest.mark.parametrize("case", MISUSES)
def test_what_an_operation_is_not_defined_for_is_told(case: str) -> None:
    misused, says = MISUSES[case]
    with pytest.raises(Misused, match=re.escape(says)):
        misused(IntervalOperations(), Interval(one(-4), one(1)))


def test_an_index_below_its_table_is_told_as_such() -> None:
    with pytest.raises(IndexError, match="asked for entry -2"):
        IntervalOperations().table(Interval(one(-2), one(3)), TABLE)
