"""The contract's operations against exact rational arithmetic, and its page against its code."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract import arithmetic

PAGE = Path(__file__).parents[2] / "docs" / "arithmetic.md"
states = st.integers(-arithmetic.STATE_MAX, arithmetic.STATE_MAX)
sums = st.integers(-arithmetic.REGISTER_MAX, arithmetic.REGISTER_MAX)


def one(value: int) -> arithmetic.Ints:
    return np.array([value], np.int64)


def test_the_page_and_the_code_state_the_same_version() -> None:
    (stated,) = re.findall(r"^Version: (\d+)$", PAGE.read_text(), re.MULTILINE)
    assert int(stated) == arithmetic.CONTRACT_VERSION


@given(states, st.integers(0, 4096))
def test_decay_rounds_toward_zero(v: int, d: int) -> None:
    assert arithmetic.decay(one(v), d)[0] == math.trunc(Fraction(v) * (4096 - d) / 4096)


@given(sums, st.integers(-16, 16))
def test_shift_rounds_down(a: int, exponent: int) -> None:
    assert arithmetic.shift(one(a), exponent)[0] == math.floor(Fraction(a) * Fraction(2) ** exponent)


@given(sums)
def test_saturation_holds_24_bits_and_counts_what_it_changes(u: int) -> None:
    held, count = arithmetic.saturate(one(u))
    assert held[0] == max(-(2**23 - 1), min(2**23 - 1, u))
    assert count == int(held[0] != u)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=100), st.integers(1, 32))
def test_the_delay_line_gives_back_the_spike_of_span_steps_ago(spikes: list[int], span: int) -> None:
    line = np.zeros(1, np.uint32)
    for t, spike in enumerate(spikes):
        assert arithmetic.tap(line, span)[0] == (spikes[t - span] if t >= span else 0)
        line = arithmetic.push(line, one(spike))


@given(states, sums, st.integers(1, 2**23 - 1), st.sampled_from(["soft", "hard"]), st.integers(0, 4096))
def test_a_neuron_fires_at_its_threshold_and_resets(
    v: int, drive: int, threshold: int, reset: arithmetic.Reset, d: int
) -> None:
    fired = arithmetic.fire(
        one(v),
        one(drive),
        one(0),
        bias=one(0),
        decay_constant=d,
        activation_shift=0,
        threshold=threshold,
        reset=reset,
    )
    assert fired.s[0] == int(fired.u[0] >= threshold)
    if fired.s[0]:
        assert fired.v[0] == (fired.u[0] - threshold if reset == "soft" else 0)
    else:
        assert fired.v[0] == fired.u[0]
