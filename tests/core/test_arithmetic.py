"""What connections compute, against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract import arithmetic
from asrc_core.contract.neurons import lif
from asrc_core.contract.numbers import REGISTER_MAX, STATE_MAX, Ints, Reset
from asrc_core.contract.operations.numpy import NumpyOperations

states = st.integers(-STATE_MAX, STATE_MAX)
sums = st.integers(-REGISTER_MAX, REGISTER_MAX)


def one(value: int) -> Ints:
    return np.array([value], np.int64)


@given(sums, st.integers(-16, 16))
def test_shift_rounds_down(a: int, exponent: int) -> None:
    assert arithmetic.shift(one(a), exponent)[0] == math.floor(Fraction(a) * Fraction(2) ** exponent)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=100), st.integers(1, 32))
def test_the_delay_line_gives_back_the_spike_of_span_steps_ago(spikes: list[int], span: int) -> None:
    line = np.zeros(1, np.uint32)
    for t, spike in enumerate(spikes):
        assert arithmetic.tap(line, span)[0] == (spikes[t - span] if t >= span else 0)
        line = arithmetic.push(line, one(spike))


@given(states, st.integers(0, 4096))
def test_decay_rounds_toward_zero(v: int, d: int) -> None:
    assert lif.decay(NumpyOperations(), one(v), d)[0] == math.trunc(Fraction(v) * (4096 - d) / 4096)


@given(states, sums, st.integers(1, STATE_MAX), st.sampled_from(["soft", "hard"]), st.integers(0, 4096))
def test_a_neuron_fires_at_its_threshold_and_resets(v: int, drive: int, threshold: int, reset: Reset, d: int) -> None:
    parameters = {"bias": 0, "decay": d, "threshold": threshold, "activation_shift": 0, "reset": reset}
    after = lif.step(NumpyOperations(), parameters, {"v": one(v)}, one(drive))
    assert after.sent is not None
    (u,), (s,), (left,) = after.shown, after.sent, after.states["v"]
    exact = math.trunc(Fraction(v) * (4096 - d) / 4096) + drive
    assert u == max(-STATE_MAX, min(STATE_MAX, exact))
    assert s == int(u >= threshold)
    assert left == ((u - threshold if reset == "soft" else 0) if s else u)
