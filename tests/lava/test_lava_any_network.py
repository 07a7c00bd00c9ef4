"""Any network of the contract on Lava: kinds, sources, lags, mappings, circles; every spike and every membrane."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lava_parity import Case, assert_equal_to_reference

from asrc_core.contract import neurons
from asrc_core.contract.interpreter import run as reference
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.parity import first_difference
from asrc_core.contract.random_network import any_network
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, NOW, Connection, Tap, span
from asrc_lava.boards import sdk
from asrc_lava.graph import plan
from asrc_lava.graph.routes import apart, routes
from asrc_lava.graph.schedule import timing
from asrc_lava.host import interpreter, run

pytestmark = [pytest.mark.lava, pytest.mark.skipif(sdk.why_no_lava() is not None, reason=str(sdk.why_no_lava()))]

GRAPHS = pytest.mark.parametrize(
    "graph", [pytest.param(name, marks=[pytest.mark.slow] if name == "single" else []) for name in plan.GRAPHS]
)
"""One sample at a time is the same arithmetic, and takes Lava several times as long."""


@pytest.fixture(autouse=True)
def few_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few samples take several rounds then, with a reset in between."""
    monkeypatch.setattr(plan, "MAX_LANES", 2)


def case(network: IntegerNetwork, samples: int = 4) -> Case:
    rng = np.random.default_rng(0)
    shape = (samples, network.steps, network.input.channels)
    return network, rng.integers(network.input.minimum, network.input.maximum + 1, shape, np.int32)


def drawn(count: int, samples: int, **limits: int) -> list[Case]:
    """The networks of the most events, of four times as many."""
    found = [case(any_network(seed, **limits), samples) for seed in range(4 * count)]

    def events(each: Case) -> int:
        return sum((c.spikes > 0) + (c.recurrent_operations > 0) + (c.saturations > 0) for c in reference(*each).counts)

    return sorted(found, key=events, reverse=True)[:count]


@pytest.mark.slow
def test_many_in_batches() -> None:
    assert_equal_to_reference(drawn(30, 4, max_width=8, max_steps=24), "batched")


@pytest.mark.slow
def test_some_one_sample_at_a_time() -> None:
    assert_equal_to_reference(drawn(12, 2, max_width=6, max_steps=20), "single")


class Drawn:
    """Connections and neurons of three each, with weights and parameters drawn from one generator."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def from_(self, source: str, lag: int = 0, **settings: object) -> Connection:
        weights = WeightGrid(8).nearest(self._rng.normal(20, 60, (3, 3)).clip(-256, 254))
        given: dict[str, object] = {"taps": span(lag) if lag else NOW, "exponent": 0, **settings}
        return Connection(source, weights, weight_bits=8, **given)  # type: ignore[arg-type]

    def delayed(self, source: str, least: int, most: int) -> Connection:
        delays = self._rng.integers(least, most + 1, (3, 3))
        delays[0, 0], delays[0, 1] = least, most
        return self.from_(source, taps=(), delays=delays, mapping="synaptic-delay")

    def neuron(self, kind: str = "lif") -> Neuron:
        lasting = {"current_decay": self._rng.integers(500, 4000, 3), "current_bias": self._rng.integers(-9, 20, 3)}
        more = lasting if kind == "cuba-lif" else {}
        own = {"bias": self._rng.integers(-9, 99, 3), "decay": self._rng.integers(0, 1500, 3), "threshold": 150}
        return Neuron(kind, {**own, "activation_shift": 0, "reset": "soft", **more})

    def network(self, layers: dict[str, list[Connection]], kinds: dict[str, str], steps: int) -> IntegerNetwork:
        hidden = [Layer(name, tuple(each), self.neuron(kinds.get(name, "lif"))) for name, each in layers.items()]
        last = self.from_(list(layers)[-1])
        readout = Layer("readout", (last,), Neuron("integrator", {"bias": 1, "decay": 100}))
        return IntegerNetwork(InputFormat(3, 0, 3, 1.0), (*hidden, readout), "loihi2", steps)


def circles() -> list[IntegerNetwork]:
    """Spikes that come back over several layers one step later; a step of the network takes up to 3 Lava steps."""
    draw = Drawn(1)
    taps = (Tap(1, 2), Tap(2, 1), Tap(31, 5))
    two = draw.network(
        {
            "a": [draw.from_(INPUT), draw.from_("b", 1), draw.from_("a", 2)],
            "b": [draw.from_("a"), draw.from_("b", taps=taps, exponent=-2), draw.from_(INPUT)],
        },
        {"a": "cuba-lif"},
        steps=33,
    )
    three = draw.network(
        {
            "a": [draw.delayed(INPUT, 0, 3), draw.from_("c", 1, mapping="synaptic-delay", exponent=-1)],
            "b": [draw.from_("a"), draw.delayed("b", 1, 5)],
            "c": [draw.from_("b"), draw.from_("a", 3)],
        },
        {"b": "cuba-lif"},
        steps=20,
    )
    return [two, three]


def far() -> list[IntegerNetwork]:
    """Delays of more Lava steps than a chip's synapse has, and lags that the whole sample is too short for."""
    draw = Drawn(2)
    slow = draw.network(
        {"a": [draw.from_(INPUT), draw.from_("b", 1)], "b": [draw.from_("a"), draw.delayed("a", 0, 40)]}, {}, steps=45
    )
    skips = draw.network(
        {
            "a": [draw.from_(INPUT)],
            "b": [draw.from_("a"), draw.from_(INPUT, 62, mapping="synaptic-delay")],
            "c": [draw.from_("b"), draw.from_("a", 32), draw.delayed(INPUT, 61, 62)],
        },
        {},
        steps=66,
    )
    return [slow, skips]


def in_parts() -> list[IntegerNetwork]:
    """No input at all; a layer that nobody is connected to; sources that share nothing."""
    draw = Drawn(3)
    return [
        draw.network({"a": [draw.from_("a", 1)], "b": [draw.from_("a")]}, {}, steps=9),
        draw.network({"a": [draw.from_("a", 2)], "b": [draw.from_(INPUT)]}, {}, steps=9),
        draw.network({"a": [draw.from_(INPUT, 3, mapping="synaptic-delay")]}, {}, steps=9),
    ]


def test_these_are_what_they_are_said_to_be() -> None:
    assert [timing(each).pace for each in circles()] == [2, 3]
    assert all(max(way.longest_delay for way in routes(each, timing(each))) > 62 for each in far())
    assert [len(apart(routes(each, timing(each)))) for each in in_parts()] == [0, 1, 0]
    for each in (*circles(), *far(), *in_parts()):
        assert all(count.spikes for count in reference(*case(each)).counts[:-1])


@pytest.mark.slow
@GRAPHS
def test_circles_far_delays_and_parts(graph: plan.Graph) -> None:
    assert_equal_to_reference([case(each) for each in (*circles(), *far(), *in_parts())], graph)


@GRAPHS
def test_delays_under_way_do_not_reach_the_next_sample(graph: plan.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full samples, then empty ones, after each other in one lane: an empty one is as if it were alone."""
    monkeypatch.setattr(plan, "MAX_LANES", 1)
    draw = Drawn(4)
    network = draw.network(
        {
            "a": [draw.delayed(INPUT, 0, 9), draw.delayed("a", 1, 12)],
            "b": [draw.delayed("a", 2, 7), draw.from_("b", 3), draw.from_("a", 5, mapping="synaptic-delay")],
        },
        {"a": "cuba-lif"},
        steps=6,
    )
    assert timing(network).idle > 0
    x = np.zeros((4, 6, 3), np.int32)
    x[::2] = 3
    after_others, alone = run.run_each([(network, x), (network, x[1:2])], trace=True, graph=graph)
    assert np.array_equal(after_others.logits[1::2], alone.logits[[0, 0]])
    assert after_others.trace is not None
    assert alone.trace is not None
    for several, one in zip(after_others.trace.layers, alone.trace.layers, strict=True):
        assert np.array_equal(several.membrane[:, 1], one.membrane[:, 0])
        assert np.array_equal(several.membrane[:, 3], one.membrane[:, 0])
    assert first_difference(network, after_others, reference(network, x, trace=True)) is None


TOY = """
from asrc_core.contract.neurons.kind import Kind, Number, Step


def step(o, p, state, a):
    v = o.saturate(o.add(o.toward_zero(state["v"], 1), o.mul(a, p["gain"])), 20)
    sent = o.sub(o.min(o.floor(o.max(v, 0), 9), 7), o.ge(o.sub(0, v), p["depth"]))
    return Step({"v": v, "spikes": o.push(state["spikes"], o.ge(sent, 1))}, sent, v)


KIND = Kind(
    {"gain": Number(1, 9), "depth": Number(1, 2**18)}, {"v": 20, "spikes": "word"}, step, sends=(-1, 7)
)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A kind in a folder on this Python's path: graded messages, a parameter for each neuron, a word of spikes."""
    folder = tmp_path / "asrc_kinds"
    folder.mkdir()
    (folder / "toy_grader.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "toy-grader"
    for name in [name for name in sys.modules if name.split(".")[0] == neurons.MORE]:
        del sys.modules[name]
    neurons.kind.cache_clear()


@GRAPHS
def test_a_kind_of_ones_own(toy: str, graph: plan.Graph) -> None:
    """Found by the worker though only this process knows its folder; no file but its own says anything of it."""
    draw = Drawn(5)
    own = Neuron(toy, {"gain": np.array([1, 4, 9]), "depth": 300})
    layers = (
        Layer("a", (draw.from_(INPUT), draw.from_("a", 2, mapping="synaptic-delay", exponent=-4)), own),
        Layer("b", (draw.from_("a"), draw.delayed("a", 0, 6)), own),
        Layer("readout", (draw.from_("b"), draw.from_("a")), Neuron("integrator", {"bias": 0})),
    )
    network = IntegerNetwork(InputFormat(3, -4, 15, 1.0), layers, "loihi2", 14)
    whole = reference(*case(network), trace=True).trace
    assert whole is not None
    assert {-1, 7} <= set(whole.layers[0].spikes.flat)
    assert_equal_to_reference([case(network)], graph)


def test_kinds_of_several_folders_are_one_folder_for_the_worker(
    tmp_path: Path, toy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, folder = tmp_path / "first", tmp_path / "second", tmp_path / "worker"
    for each in (second, first):
        (each / "asrc_kinds" / "__pycache__").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(each))
    (first / "asrc_kinds" / "shared.py").write_text("first")
    (second / "asrc_kinds" / "shared.py").write_text("second")
    (second / "asrc_kinds" / "other.py").write_text("other")
    folder.mkdir()
    interpreter.link_packages(folder)
    found = {each.name: each.read_text() for each in (folder / "asrc_kinds").iterdir()}
    assert found == {"shared.py": "first", "other.py": "other", "toy_grader.py": TOY}
