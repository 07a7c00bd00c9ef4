"""The resonator: its step is the definition's, a state left alone dies away, and what is proven of it holds."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract import interpreter, neurons
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.random_network import any_network
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import InvalidNetwork

ONE = 1 << 15
PRF: dict[str, Any] = {
    "bias": 0,
    "pole_real": np.array([[32000], [0]]),
    "pole_imaginary": np.array([[5000], [-32700]]),
    "readout_real": np.array([[1], [1]]),
    "readout_imaginary": np.array([[0], [0]]),
    "threshold": 300,
    "activation_shift": 0,
}
poles = st.tuples(st.floats(0, 0.9999), st.floats(-math.pi, math.pi)).map(
    lambda pole: (int(pole[0] * ONE * math.cos(pole[1])), int(pole[0] * ONE * math.sin(pole[1])))
)


def network(weights: Any = None, *, entry: tuple[int, int] = (0, 1), **parameters: Any) -> IntegerNetwork:
    """Two resonators on an input of two channels, each on its own unless weights say otherwise, and a readout."""
    own = {**PRF, **parameters}
    count = 2
    weights = 100 * np.eye(count, 2, dtype=np.int64) if weights is None else weights
    hidden = Layer("hidden", (Connection(INPUT, weights, 0, 8),), Neuron("resonator", own))
    last = Layer("readout", (Connection("hidden", np.full((2, count), 2), 0, 8),), Neuron("integrator", {"bias": 0}))
    return IntegerNetwork(InputFormat(2, *entry, 1.0), (hidden, last), "loihi2", 50)


@given(
    st.lists(poles, min_size=1, max_size=4),
    st.lists(st.integers(-1000, 1000), min_size=12, max_size=12),
    st.lists(st.integers(-500, 500), max_size=3),
    st.integers(0, 4),
    st.integers(0, 3),
)
def test_the_step_is_the_definitions(
    modes: list[tuple[int, int]], drives: list[int], taps: list[int], period: int, shift: int
) -> None:
    kind = neurons.kind("resonator")
    rng = np.random.default_rng(len(modes) + 31 * period)
    weights = rng.integers(-127, 128, (2, len(modes)))
    p = {
        "bias": 7,
        "pole_real": np.array([[c for c, _ in modes]]),
        "pole_imaginary": np.array([[d for _, d in modes]]),
        "readout_real": weights[:1],
        "readout_imaginary": weights[1:],
        "direct": 11,
        "taps": np.array([taps]) if taps else None,
        "threshold": 400,
        "period": period,
        "activation_shift": 2,
        "input_shift": shift,
        "readout_shift": 6,
    }
    p = kind.checked("layer 'hidden'", p, 1)
    states = {name: np.zeros(1, np.int64) for name in kind.states_of(p)}
    z, past, fired = [(0, 0)] * len(modes), [0] * len(taps), []
    for a in drives:
        after = kind.step(NumpyOperations(), p, states, np.array([a]))
        x = (a * 4 + 7) >> shift
        z = [
            (math.trunc(Fraction(c * re - d * im, ONE)) + x, math.trunc(Fraction(d * re + c * im, ONE)))
            for (c, d), (re, im) in zip(modes, z, strict=True)
        ]
        read = sum(int(w) * re - int(q) * im for (re, im), w, q in zip(z, *weights, strict=True)) + 11 * x
        read += sum(tap * before for tap, before in zip(taps, past, strict=True))
        spike = int(read >> 6 >= 400 and not any(fired[-period:] if period else []))
        past, fired = [x, *past][: len(taps)], [*fired, spike]
        assert (int(after.shown[0]), int(after.sent[0])) == (read >> 6, spike)
        states = dict(after.states)
        assert [(int(states[f"re{k}"][0]), int(states[f"im{k}"][0])) for k in range(len(modes))] == z


def test_a_state_left_alone_shrinks_in_every_step_and_dies_away() -> None:
    rng, count = np.random.default_rng(0), 200
    pole = rng.uniform(0.5, 0.998, count) * np.exp(1j * rng.uniform(-math.pi, math.pi, count))
    c, d = ((ONE * part).astype(np.int64) for part in (pole.real, pole.imag))
    ones, nothing = np.ones((count, 1), np.int64), np.zeros((count, 1), np.int64)
    own = {"pole_real": c[:, None], "pole_imaginary": d[:, None], "readout_real": ones, "readout_imaginary": nothing}
    kind = neurons.kind("resonator")
    p = kind.checked("layer", {**PRF, **own}, count)
    states: Any = {name: rng.integers(-(2**22), 2**22, count) for name in ("re0", "im0")}
    squared = states["re0"] ** 2 + states["im0"] ** 2
    for _ in range(20_000):
        states = kind.step(NumpyOperations(), p, states, np.zeros(count, np.int64)).states
        after = states["re0"] ** 2 + states["im0"] ** 2
        # |z'| <= |pole| |z|, exactly: both sides squared are whole numbers.
        assert all(
            int(new) << 30 <= int(old) * (int(x) ** 2 + int(y) ** 2)
            for new, old, x, y in zip(after, squared, c, d, strict=True)
        )
        squared = after
        if not squared.any():
            return
    raise AssertionError(f"{np.count_nonzero(squared)} states are still alive")


def worst_input(net: IntegerNetwork, part: str, steps: int) -> np.ndarray[Any, Any]:
    """The input of the first neuron's channel that drives its state furthest up at the last step."""
    c, d = (int(net.layers[0].neuron.parameters[f"pole_{name}"][0, 0]) for name in ("real", "imaginary"))
    response = (complex(c, d) / ONE) ** np.arange(steps)
    signs = (response.real if part == "re0" else response.imag) > 0
    return np.where(signs[::-1], net.input.maximum, net.input.minimum)


@pytest.mark.parametrize("part", ["re0", "im0"])
@pytest.mark.parametrize("pole", [(32300, 3000), (-32500, 500), (20000, -25000), (32600, 10), (0, 0)])
def test_the_proven_reach_is_never_left_and_nearly_met(pole: tuple[int, int], part: str) -> None:
    one = {name: np.array([[value], [0]]) for name, value in zip(("pole_real", "pole_imaginary"), pole, strict=True)}
    net = network(entry=(-5, 8), **one)
    low, high = (int(end[0]) for end in net.ranges[0].each_state[part])
    seen: list[int] = []
    x = np.zeros((1, 1500, 2), np.int64)
    x[0, :, 0] = worst_input(net, part, 1500)
    note = interpreter.Hooks(
        on_states=lambda i, t, states: (seen.append(int(states[part][0, 0])), states)[1] if i == 0 else states
    )
    interpreter.run(net, x, hooks=note)
    assert low <= min(seen)
    assert max(seen) <= high
    rest = 4 / (1 - min(math.hypot(*pole) / ONE, 0.9999))  # what roundings may come to
    assert high <= 1.05 * max(seen) + rest + 4


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_what_is_proven_not_to_saturate_does_not(seed: int) -> None:
    net = any_network(seed, kinds=["resonator"])
    rng = np.random.default_rng(seed)
    x = rng.choice([net.input.minimum, net.input.maximum], (3, net.steps, net.input.channels))

    def inside(i: int, t: int, states: Any) -> Any:
        for name, value in states.items():
            low, high = net.ranges[i].each_state[name]
            assert (value >= low).all(), name
            assert (value <= high).all(), name
        return states

    counts = interpreter.run(net, x, hooks=interpreter.Hooks(on_states=inside)).counts
    for count, ranges in zip(counts, net.ranges, strict=True):
        assert ranges.may_saturate or count.saturations == 0


def test_a_slow_mode_needs_a_coarser_input_for_its_proof() -> None:
    slow = {"pole_real": np.array([[32767], [0]]), "pole_imaginary": np.zeros((2, 1), np.int64)}
    assert network(entry=(0, 200), **slow).ranges[0].may_saturate
    assert not network(entry=(0, 200), input_shift=np.array([8, 0]), **slow).ranges[0].may_saturate


def test_past_inputs_are_proven_to_be_no_larger_than_the_input() -> None:
    ranges = network(taps=np.array([[3, -2], [1, 1]]), input_shift=1).ranges[0]
    assert not ranges.may_saturate
    assert ranges.states["x1"].high == ranges.states["x2"].high <= 52


def test_a_period_is_kept_and_one_of_0_costs_no_state() -> None:
    assert "line" not in network().layers[0].neuron.states
    resting = network(period=np.array([0, 5]), threshold=1, pole_imaginary=np.zeros((2, 1), np.int64))
    assert resting.layers[0].neuron.states["line"] == "word"
    result = interpreter.run(resting, np.ones((1, 50, 2), np.int64), trace=True)
    assert result.trace is not None
    spikes = result.trace.layers[0].spikes[:, 0]
    assert spikes[:, 0].all()
    assert np.nonzero(spikes[:, 1])[0].tolist() == list(range(0, 50, 6))


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (
            {"pole_real": np.array([[32000], [32768]]), "pole_imaginary": np.zeros((2, 1), np.int64)},
            r"layer 'hidden'.*pole \(32768, 0\) / 2\^15 of mode 0 of neuron 1 lies on or outside the unit circle",
        ),
        ({"period": 32}, "layer 'hidden'.*period 32 is outside 0 to 31"),
        ({"pole_real": np.zeros((2, 3), np.int64)}, "pole imaginary has 1 modes, and pole real 3"),
        ({"taps": np.zeros((2, 8), np.int64)}, "taps has 8 taps, beyond 1 to 7"),
        ({"readout_real": np.array([[1], [128]])}, "readout real 128 of neuron 1 is outside -127 to 127"),
        ({"pole_real": np.array([32000, 0])}, "pole real is of type int64 and shape"),
        ({"pole_real": None}, "parameter 'pole_real' is missing"),
    ],
)
def test_what_no_resonator_is_is_refused_by_layer_and_neuron(parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidNetwork, match=why):
        network(**parameters)


@pytest.mark.parametrize("seed", range(10))
def test_a_file_holds_it(seed: int, tmp_path: Path) -> None:
    net = any_network(seed, kinds=["resonator"])
    network_file.save(net, tmp_path / "net.safetensors")
    again = network_file.load(tmp_path / "net.safetensors")
    for before, after in zip(net.layers, again.layers, strict=True):
        for name, value in before.neuron.parameters.items():
            np.testing.assert_array_equal(value, after.neuron.parameters[name])
