"""Where a network's steps lie in Lava's, and what each connection is sent when, on paper: without Lava."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.synapses.connection import INPUT, NOW, Connection, Tap, span
from asrc_lava.graph.axon import Axon, Outlet
from asrc_lava.graph.routes import Route, apart, routes
from asrc_lava.graph.schedule import Schedule, timing

LIF = Neuron("lif", {"bias": 0, "decay": 2048, "threshold": 50, "activation_shift": 0, "reset": "soft"})


def network(*layers: Sequence[Connection], steps: int = 8) -> IntegerNetwork:
    """Layers a, b, c and so on of two LIF neurons, and a readout behind the last; two channels of bits."""
    names = "abcdefgh"[: len(layers)]
    made = [Layer(name, tuple(each), LIF) for name, each in zip(names, layers, strict=True)]
    readout = Layer("readout", (from_(names[-1]),), Neuron("integrator", {"bias": 0}))
    return IntegerNetwork(InputFormat(2, 0, 1, 1.0), (*made, readout), "loihi2", steps)


def from_(source: str, lag: int = 0, **settings: object) -> Connection:
    given: dict[str, object] = {"taps": span(lag) if lag else NOW, **settings}
    return Connection(source, np.full((2, 2), 2), 0, 8, **given)  # type: ignore[arg-type]


def delayed(source: str, delays: list[list[int]]) -> Connection:
    return from_(source, taps=(), delays=np.array(delays), mapping="synaptic-delay")


def way(made: IntegerNetwork, layer: int, source: int) -> Route:
    (found,) = (each for each in routes(made, timing(made)) if (each.layer, each.source) == (layer, source))
    return found


class TestTiming:
    def test_a_chain_takes_one_lava_step_a_step_and_one_more_a_layer(self) -> None:
        when = timing(random_network(0, widths=(3, 3, 3), spans=(1, 2, 3), steps=4))
        assert (when.pace, when.idle, when.lags) == (1, 0, (1, 2, 3, 4))

    @pytest.mark.parametrize(("back", "pace"), [(1, 3), (2, 2), (3, 1), (9, 1)])
    def test_what_comes_back_over_three_layers_needs_a_pace_that_lets_it_arrive(self, back: int, pace: int) -> None:
        assert timing(network([from_(INPUT), from_("c", back)], [from_("a")], [from_("b")])).pace == pace

    def test_lags_anywhere_in_a_circle_count(self) -> None:
        late = network([from_(INPUT), from_("c", 1)], [from_("a", 2)], [from_("b")])
        assert timing(late).pace == 1

    def test_delays_of_their_own_need_idle_steps_as_far_as_they_differ_for_a_neuron(self) -> None:
        assert timing(network([delayed(INPUT, [[5, 9], [7, 9]])])).idle == 2
        assert timing(network([delayed(INPUT, [[5, 9], [5, 9]])])).idle == 0

    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 2**32 - 1))
    def test_everything_arrives_in_time_at_the_smallest_pace(self, seed: int) -> None:
        made = any_network(seed)
        when = timing(made)
        for each in routes(made, when):
            assert np.min(each.delays) >= 0
            if each.outlet is not None:
                assert all(1 <= tap.span <= 32 for tap in each.outlet.taps)


class TestSchedule:
    def test_a_pace_of_two_and_an_idle_step(self) -> None:
        schedule = Schedule(steps=2, rounds=2, pace=2, idle=1)
        assert [schedule.at(lava_step, lag=1) for lava_step in range(1, 13)] == [
            *(None, (0, 1), None, (0, 2), None, None),
            *(None, (1, 1), None, (1, 2), None, None),
        ]
        assert schedule.lava_steps(lag=1) == 10


class TestRoutes:
    def test_a_delay_line_supplies_all_but_the_step_that_the_connection_takes(self) -> None:
        back = way(network([from_(INPUT), from_("a", 7)]), 0, 0)
        assert back.outlet is not None
        assert back.outlet.taps == (Tap(7, 1),)
        assert back.delays == 0

    def test_all_taps_read_what_the_line_holds_after_a_step(self) -> None:
        taps = (Tap(1, 3), Tap(32, 2))
        back = way(network([from_(INPUT), from_("a", taps=taps)]), 0, 0)
        assert back.outlet is not None
        assert back.outlet.taps == taps

    def test_under_the_synaptic_delay_mapping_the_synapses_supply_them(self) -> None:
        back = way(network([from_(INPUT), from_("a", 7, mapping="synaptic-delay")]), 0, 0)
        assert back.outlet is not None
        assert back.outlet.taps == ()
        assert back.delays == 6

    def test_a_skip_past_a_layer_waits_in_its_synapses(self) -> None:
        made = network([from_(INPUT)], [from_("a"), from_(INPUT)])
        assert [way(made, 1, source).delays for source in (-1, 0)] == [1, 0]
        assert way(made, 1, -1).outlet is None

    def test_the_longest_tap_of_a_skip_stays_within_the_word(self) -> None:
        skip = way(network([from_(INPUT)], [from_("a"), from_(INPUT, 32)]), 1, -1)
        assert skip.outlet is not None
        assert skip.outlet.taps == (Tap(32, 1),)
        assert skip.delays == 2

    def test_at_a_pace_of_two_synapses_wait_twice_as_long(self) -> None:
        made = network([from_(INPUT), from_("b", 1), from_("a", 3)], [from_("a"), delayed("a", [[0, 4], [2, 0]])])
        ways = routes(made, timing(made))
        assert timing(made).pace == 2
        assert [each.name for each in ways] == [
            *("a from input", "a from b", "a from a", "b from a", "b from a", "readout from b")
        ]
        assert np.array_equal(ways[4].delays, [[0, 8], [4, 0]])
        assert ways[2].delays == 1  # sent by the delay line a step of the network before, half a step too early

    def test_parts_that_no_connection_ties_to_the_input(self) -> None:
        def parts(*layers: Sequence[Connection]) -> list[int]:
            made = network(*layers)
            return apart(routes(made, timing(made)))

        assert parts([from_(INPUT)], [from_("a")]) == []
        assert parts([from_(INPUT)], [from_("b", 1)]) == [1]
        assert parts([from_("a", 1)], [from_("a")]) == []
        assert parts([from_(INPUT, 3)], [from_(INPUT, 3)]) == [0, 1]


class TestAxon:
    def test_nothing_is_sent_that_would_arrive_after_the_sample(self) -> None:
        axon = Axon(Outlet((), np.array([[0, 0], [0, 2], [5, 2]])), (2,))
        messages = [axon.message(np.array([3, -4]), left).tolist() for left in (7, 2, 1, 0)]
        assert messages == [[3, -4], [3, -4], [0, -4], [0, 0]]
        assert axon.operations == 7 + 7 + 2

    def test_the_line_is_empty_after_a_sample(self) -> None:
        axon = Axon(Outlet((Tap(2, 3),), np.array([[1]])), (1,))
        ones, none = np.array([1]), np.array([0])
        assert [int(axon.message(ones, left)[0]) for left in (2, 1, 0)] == [0, 3, 3]
        assert int(axon.message(none, 9)[0]) == 0

    def test_several_samples_side_by_side(self) -> None:
        axon = Axon(Outlet((Tap(1, 1),), np.array([[4, 4, 4]])), (2, 3))
        assert np.array_equal(axon.message(np.eye(2, 3, dtype=np.int64), 1), np.eye(2, 3))
        assert axon.operations == 8
