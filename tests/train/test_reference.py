"""The exact network: its gradients are those that differences find, for any graph, loss and time constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from asrc_core.errors import InvalidSetting
from asrc_train.reference.adjoint import gradients
from asrc_train.reference.forward import Arrival, Tape, run
from asrc_train.reference.graph import Graph
from asrc_train.reference.losses import Loss, exponential, first_spike, maximum
from asrc_train.reference.membrane import Membrane

END, LABEL = 40.0, 1
LOOKED_AT = 8
"""Entries of each matrix: a difference takes two runs."""
KINDS = ("weights_in", "delays_in", "weights", "delays")
Judge = Callable[[Graph, Tape], Loss]
LOSSES: dict[str, Judge] = {
    "first spike": lambda graph, tape: first_spike(graph, tape, LABEL, 2.0),
    "exponential": lambda graph, tape: exponential(graph, tape, LABEL),
    "maximum": lambda graph, tape: maximum(graph, tape, LABEL),
}


def drawn(seed: int, fires: bool, tau: tuple[float, float] = (20.0, 5.0)) -> tuple[Graph, list[tuple[float, int]]]:
    """Three inputs, four recurrent neurons with self-loops, two outputs."""
    rng = np.random.default_rng(seed)
    hidden, outputs, inputs = 4, 2, 3
    n = hidden + outputs
    weights_in, weights = np.zeros((n, inputs)), np.zeros((n, n))
    weights_in[:hidden] = rng.normal(2.0, 1.5, (hidden, inputs))
    weights[:hidden, :hidden] = rng.normal(0, 0.8, (hidden, hidden))
    weights[hidden:, :hidden] = rng.normal(2.0 if fires else 0.3, 1.0, (outputs, hidden))
    thresholds = np.ones(n)
    if not fires:
        thresholds[hidden:] = np.inf
    delays_in, delays = rng.uniform(0, 8, (n, inputs)), rng.uniform(0.2, 8, (n, n))
    graph = Graph(*tau, thresholds, weights_in, delays_in, weights, delays, outputs)
    spikes = [(float(time), int(channel)) for time in rng.uniform(0, 15, 4) for channel in range(inputs)]
    return graph, [(time + 0.3 * channel, channel) for time, channel in spikes]


def peaks_of(loss: Loss) -> list[tuple[int, bool]]:
    return [(peak.neuron, peak.at is None) for peak in loss.peaks]


def by_differences(graph: Graph, x: list[tuple[float, int]], judge: Judge, kind: str) -> np.ndarray:
    """Central differences of some entries, NaN elsewhere and where no step keeps the order of events."""
    tape = run(graph, x, END)
    order, peaks = tape.order(), peaks_of(judge(graph, tape))
    present = graph.weights_in != 0 if kind.endswith("_in") else graph.weights != 0
    found = np.full(present.shape, np.nan)
    rng = np.random.default_rng(len(x) + int(present.sum()))
    for at in map(tuple, rng.permutation(np.argwhere(present))[:LOOKED_AT]):
        step = 1e-4
        while step > 1e-6 and np.isnan(found[at]):
            values = []
            for sign in (1, -1):
                moved = getattr(graph, kind).copy()
                moved[at] += sign * step
                other = replace(graph, **{kind: moved})
                again = run(other, x, END)
                loss = judge(other, again)
                if again.order() == order and peaks_of(loss) == peaks:
                    values.append(loss.value)
            if len(values) == 2:
                found[at] = (values[0] - values[1]) / (2 * step)
            step /= 4
    return found


def require_same(graph: Graph, x: list[tuple[float, int]], judge: Judge) -> int:
    """Compare all gradients; how many entries were compared."""
    tape = run(graph, x, END)
    exact, compared = gradients(graph, tape, judge(graph, tape)), 0
    for kind in KINDS:
        expected = by_differences(graph, x, judge, kind)
        known = np.isfinite(expected)
        mine = np.where(known, getattr(exact, kind), 0)
        error = np.abs(mine - np.where(known, expected, 0)).max()
        assert error <= 1e-5 * max(1e-3, np.abs(mine).max()), kind
        compared += int(known.sum())
    return compared


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_that_differences_find(loss: str, seed: int) -> None:
    graph, x = drawn(seed, loss == "first spike")
    spikes = run(graph, x, END).spikes
    assert len({spike.neuron for spike in spikes}) >= 3
    assert max(sum(spike.neuron == n for spike in spikes) for n in range(4)) >= 2
    assert require_same(graph, x, LOSSES[loss]) >= 24


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("tau", [(10.0, 10.0), (5.0, 20.0)])
def test_time_constants_may_be_equal_or_the_other_way_round(loss: str, tau: tuple[float, float]) -> None:
    graph, x = drawn(3, loss == "first spike", tau)
    if tau[1] > tau[0]:  # currents that last four times as long would let it run away
        graph = replace(graph, weights_in=0.3 * graph.weights_in, weights=0.3 * graph.weights)
    assert run(graph, x, END).spikes
    assert require_same(graph, x, LOSSES[loss]) >= 24


def test_equal_time_constants_are_the_limit_of_nearly_equal_ones() -> None:
    equal, near = Membrane(10, 10), Membrane(10, 10 * (1 + 1e-9))
    assert equal.after(0.3, 2.0, 7.0) == pytest.approx(near.after(0.3, 2.0, 7.0), rel=1e-8)
    assert equal.crossing(0.1, 4.0, 1.0) == pytest.approx(near.crossing(0.1, 4.0, 1.0), rel=1e-8)
    assert equal.peak(0.1, 4.0) == pytest.approx(near.peak(0.1, 4.0), rel=1e-8)


@pytest.mark.parametrize("tau", [(20.0, 5.0), (5.0, 20.0), (10.0, 10.0)])
def test_a_membrane_obeys_its_equations(tau: tuple[float, float]) -> None:
    membrane, step = Membrane(*tau), 1e-5
    for v, i in ((0.0, 3.0), (0.5, 2.0), (-2.0, 1.5), (0.9, -1.0), (-3.0, -0.5)):
        (v0, i0), (v1, i1) = membrane.after(v, i, 4.0), membrane.after(v, i, 4.0 + step)
        assert (v1 - v0) / step == pytest.approx((i0 - v0) / tau[0], abs=1e-4)
        assert (i1 - i0) / step == pytest.approx(-i0 / tau[1], abs=1e-4)
        grid = np.linspace(0, 200, 20_001)
        course = np.array([membrane.after(v, i, t)[0] for t in grid])
        peak, crossing = membrane.peak(v, i), membrane.crossing(v, i, 1.0)
        if np.isfinite(peak):
            assert membrane.after(v, i, peak)[0] >= course.max() - 1e-12
        above = np.flatnonzero(course >= 1)
        if len(above):
            assert grid[above[0]] - 0.011 <= crossing <= grid[above[0]]
            assert membrane.after(v, i, crossing)[0] == pytest.approx(1, abs=1e-12)
        else:
            assert crossing == np.inf


def test_a_maximum_at_an_arrival_moves_with_it() -> None:
    """An inhibitory arrival cuts the rise short: the peak lies where it arrives; its delay counts, not its weight."""
    weights_in, delays_in = np.array([[3.0, -9.0], [0.5, 0.5]]), np.array([[0.5, 2.5], [0.1, 0.2]])
    none = np.zeros((2, 2))
    graph = Graph(20, 5, np.full(2, np.inf), weights_in, delays_in, none, none, 2)
    x = [(1.0, 0), (1.0, 1)]
    tape = run(graph, x, END)
    assert maximum(graph, tape, LABEL).peaks[0].at is not None
    assert gradients(graph, tape, maximum(graph, tape, LABEL)).weights_in[0, 1] == 0
    assert require_same(graph, x, LOSSES["maximum"]) == 8


def test_arrivals_after_the_end_are_counted_and_worth_nothing() -> None:
    graph, x = drawn(0, fires=False)
    far = replace(graph, delays_in=np.where(np.arange(3) == 0, 100.0, graph.delays_in))
    tape = run(far, x, END)
    assert tape.late >= 4 * 4
    assert not any(isinstance(e, Arrival) and e.cause < 0 and e.source == 0 for e in tape.events)
    found = gradients(far, tape, exponential(far, tape, LABEL))
    assert not found.weights_in[:, 0].any()
    assert not found.delays_in[:, 0].any()


def test_circles_without_delay_and_negative_delays_are_refused() -> None:
    graph, _ = drawn(0, fires=True)
    for kind, value, why in (("delays", 0.0, "does not lead to a later neuron"), ("delays_in", -1.0, "below 0")):
        with pytest.raises(InvalidSetting, match=why):
            replace(graph, **{kind: np.full_like(getattr(graph, kind), value)})
