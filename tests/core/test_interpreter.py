"""Sessions of any network against the formulas read literally: Python integers, one neuron, one synapse at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asrc_core.contract.interpreter import Hooks, NumpyStream, Session, run
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.parity import first_difference
from asrc_core.contract.random_network import any_network
from asrc_core.contract.result import LayerCounts, LayerTrace, Result, Trace
from asrc_core.contract.synapses.connection import INPUT, Connection, span

M = 2**23 - 1
Numbers = dict[str, Any]
SEEDS = st.integers(0, 2**32 - 1)


def small(seed: int) -> tuple[IntegerNetwork, NDArray[np.int64]]:
    network = any_network(seed, kinds=["lif", "cuba-lif"], max_width=6, max_steps=14)
    entry = network.input
    shape = (2, network.steps, entry.channels)
    return network, np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)


def shifted(a: int, e: int) -> int:
    return a * 2**e if e >= 0 else a // 2**-e


def decayed(v: int, d: int) -> int:
    return (-1 if v < 0 else 1) * (abs(v) * (4096 - d) // 4096)


def held(value: int, count: Counter[str]) -> int:
    count["saturations"] += abs(value) > M
    return max(-M, min(M, value))


def fired(p: Numbers, state: Numbers, current: int, count: Counter[str]) -> tuple[int, int]:
    """A membrane on a current: what is sent, and what is shown."""
    u = held(decayed(state.get("v", 0), p["decay"]) + current + p["bias"], count)
    s = int(u > p["threshold"] if p["fires"] == "above" else u >= p["threshold"])
    state["v"] = (u - p["threshold"] if p["reset"] == "soft" else 0) if s else u
    return s, u


def lif(p: Numbers, state: Numbers, t: int, a: int, count: Counter[str]) -> tuple[int, int]:
    return fired(p, state, a * 2 ** p["activation_shift"], count)


def cuba_lif(p: Numbers, state: Numbers, t: int, a: int, count: Counter[str]) -> tuple[int, int]:
    state["c"] = decayed(state.get("c", 0), p["current_decay"]) + a * 2 ** p["activation_shift"] + p["current_bias"]
    return fired(p, state, state["c"], count)


def integrator(p: Numbers, state: Numbers, t: int, a: int, count: Counter[str]) -> tuple[int, int]:
    state["c"] = decayed(state.get("c", 0), p["current_decay"]) + a * 2 ** p["activation_shift"] + p["current_bias"]
    y = state["y"] = held(decayed(state.get("y", 0), p["decay"]) + state["c"] + p["bias"], count)
    k = p["time_weights"]
    if k is None:
        return 0, y
    weighted = math.floor(Fraction(int(k[min(t, len(k) - 1)]) * y, 2 ** p["weight_shift"]))
    state["z"] = held(state.get("z", 0) + weighted, count)
    return 0, state["z"]


def first_spike(p: Numbers, state: Numbers, t: int, a: int, count: Counter[str]) -> tuple[int, int]:
    s, _ = cuba_lif(p, state, t, a, count)
    if s and not state.get("z", 0):
        state["z"] = 2**20 - t
    return 0, state.get("z", 0)


def peak(p: Numbers, state: Numbers, t: int, a: int, count: Counter[str]) -> tuple[int, int]:
    _, y = integrator({**p, "time_weights": None}, state, t, a, count)
    state["z"] = max(state.get("z", 0), y)
    return 0, state["z"]


STEPS = {"lif": lif, "cuba-lif": cuba_lif, "integrator": integrator, "first-spike": first_spike, "peak": peak}


def of_neuron(layer: Layer, n: int) -> Numbers:
    """The parameters of one neuron."""
    return {
        name: value if isinstance(value, (str, int)) or value is None or name == "time_weights" else int(value[n])
        for name, value in layer.neuron.parameters.items()
    }


def message(connection: Connection, n: int, j: int, sent: Mapping[int, list[int]], t: int) -> int:
    """What synapse (n, j) weighs at step t: sum_lag m_lag x[t - lag], zeros before the first step."""
    if connection.delays is None:
        lags = [(tap.span, tap.weight) for tap in connection.taps]
    else:
        lags = [(int(connection.delays[n, j]), 1)]
    return sum(times * sent[t - lag][j] for lag, times in lags if t >= lag)


def literal(network: IntegerNetwork, x: NDArray[np.int64]) -> Result:
    """Every sample, step, layer, neuron, connection and synapse in turn."""
    batch, steps, _ = x.shape
    shown = [np.zeros((steps, batch, layer.neurons), np.int32) for layer in network.layers]
    spikes = [np.zeros(each.shape, np.uint8) for each in shown]
    counts = [Counter[str]() for _ in network.layers]
    for b in range(batch):
        sent: dict[str, dict[int, list[int]]] = {INPUT: {}, **{name: {} for name in network.names}}
        states: dict[tuple[int, int], Numbers] = {}
        for t in range(steps):
            sent[INPUT][t] = x[b, t].tolist()
            for i, layer in enumerate(network.layers):
                now = []
                for n in range(layer.neurons):
                    a = 0
                    for connection in layer.connections:
                        later = connection.source in network.names[i:]
                        messages = [
                            message(connection, n, j, sent[connection.source], t) for j in range(connection.inputs)
                        ]
                        total = sum(int(w) * m for w, m in zip(connection.weights[n], messages, strict=True))
                        a += shifted(total, connection.exponent)
                        counts[i]["back" if later else "forward"] += sum(m != 0 for m in messages)
                    step = STEPS[layer.neuron.kind]
                    s, value = step(of_neuron(layer, n), states.setdefault((i, n), {}), t, a, counts[i])
                    now.append(s)
                    shown[i][t, b, n], spikes[i][t, b, n] = value, s
                sent[layer.name][t] = now
    totals = (
        LayerCounts(int(s.sum()), each["forward"], each["back"], s.size, each["saturations"])
        for s, each in zip(spikes, counts, strict=True)
    )
    traces = tuple(LayerTrace(*each) for each in zip(spikes[:-1], shown[:-1], strict=True))
    return Result(shown[-1][-1].astype(np.int64), tuple(totals), Trace(traces, shown[-1]))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_any_network_computes_its_formulas(seed: int) -> None:
    network, x = small(seed)
    assert first_difference(network, run(network, x, trace=True), literal(network, x)) is None


def test_the_random_networks_have_everything_that_the_contract_has() -> None:
    """The suites that draw them are worth something only if their cases do something."""
    seen: Counter[str] = Counter()
    for seed in range(150):
        network, x = small(seed)
        result = run(network, x)
        for i, layer in enumerate(network.layers):
            seen[layer.neuron.kind] += 1
            seen["several connections"] += len(layer.connections) > 2
            seen["numbers of each neuron"] += any(np.ndim(p) for p in layer.neuron.parameters.values())
            seen.update(network.sources(i))
            for connection in layer.connections:
                seen["delays"] += connection.delays is not None and connection.longest_lag > 1
                seen["taps"] += len(connection.taps) > 1
                seen["lag onward"] += network.place(connection.source) < i and connection.longest_lag > 0
                seen["negative exponent"] += connection.exponent < 0
        last = network.readout.neuron.parameters
        seen["leaky readout"] += bool(np.any(last["decay"]))
        seen["time weights"] += last.get("time_weights") is not None
        seen["time weights shifted"] += last.get("time_weights") is not None and last["weight_shift"] > 0
        for count in result.counts[:-1]:
            seen["firing now and then"] += 0 < count.spikes < count.neuron_updates
            seen["saturating"] += count.saturations > 0
    few = {what: count for what, count in seen.items() if count < 10}
    assert not few
    assert len(seen) == 19


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_sessions_steps_are_the_trace_of_a_run(seed: int) -> None:
    network, x = small(seed)
    trace = run(network, x, trace=True).trace
    assert trace is not None
    session = Session(network, len(x))
    for t in range(x.shape[1]):
        assert session.t == t
        *hidden, last = session.step(x[:, t])
        for done, whole in zip(hidden, trace.layers, strict=True):
            np.testing.assert_array_equal(done.sent, whole.spikes[t])
            np.testing.assert_array_equal(done.shown, whole.membrane[t])
        assert last.sent is None
        np.testing.assert_array_equal(last.shown, trace.readout[t])


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_after_a_reset_a_session_has_forgotten_everything(seed: int) -> None:
    network, x = small(seed)
    session = Session(network, len(x))
    first = [session.step(x[:, t]) for t in range(x.shape[1])]
    session.reset()
    again = [session.step(x[:, t]) for t in range(x.shape[1])]
    for mine, theirs in zip(first, again, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a.shown, b.shown)
            assert a.operations == b.operations


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_stream_is_a_run_of_one_sample_again_and_again(seed: int) -> None:
    network, x = small(seed)
    stream = NumpyStream(network)
    for sample in x:
        result = run(network, sample[np.newaxis], trace=True)
        assert result.trace is not None
        stream.reset()
        for t, frame in enumerate(sample):
            step = stream.step(frame)
            np.testing.assert_array_equal(step.logits, result.trace.readout[t, 0])
            for spikes, whole in zip(step.spikes, result.trace.layers, strict=True):
                np.testing.assert_array_equal(spikes, whole.spikes[t, 0])
                assert spikes.dtype == whole.spikes.dtype
        assert stream.counts == result.counts


def test_a_stream_keeps_nothing_that_its_caller_may_write_to() -> None:
    network = with_a_lag_of_the_input()
    frames = np.arange(1, 6, dtype=np.int32)
    whole = run(network, frames[np.newaxis, :, np.newaxis], trace=True)
    assert whole.trace is not None
    stream, refilled, shown = NumpyStream(network), np.zeros(1, np.int32), []
    for frame in frames:
        refilled[:] = frame
        logits = stream.step(refilled).logits
        shown.append(int(logits[0]))
        logits[:] = -1
    assert shown == whole.trace.readout.ravel().tolist()


def with_a_lag_of_the_input() -> IntegerNetwork:
    late = Connection(INPUT, np.array([[2]]), 0, 8, span(2), mapping="synaptic-delay")
    return IntegerNetwork(
        InputFormat(1, 0, 255, 1.0), (Layer("out", (late,), Neuron("integrator", {"bias": 0})),), "loihi2", 5
    )


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_hooks_that_hand_on_what_they_get_change_nothing_and_see_everything(seed: int) -> None:
    network, x = small(seed)
    calls: Counter[tuple[Any, ...]] = Counter()

    def on_message(layer: int, connection: int, t: int, value: Any) -> Any:
        calls["message", layer, connection, t] += 1
        assert value.shape == (len(x), network.layers[layer].connections[connection].inputs)
        return value

    def on_spikes(layer: int, t: int, sent: Any) -> Any:
        calls["spikes", layer, t] += 1
        assert sent.shape == (len(x), network.layers[layer].neurons)
        return sent

    def on_states(layer: int, t: int, states: Any) -> Any:
        calls["states", layer, t] += 1
        assert states.keys() == network.layers[layer].neuron.states.keys()
        return states

    hooked = run(network, x, trace=True, hooks=Hooks(on_message, on_spikes, on_states))
    assert first_difference(network, run(network, x, trace=True), hooked) is None
    steps = range(x.shape[1])
    expected = [("states", i, t) for i in range(len(network.layers)) for t in steps]
    expected += [("spikes", i, t) for i in range(len(network.hidden)) for t in steps]
    expected += [
        ("message", i, j, t)
        for i, layer in enumerate(network.layers)
        for j in range(len(layer.connections))
        for t in steps
    ]
    assert calls == Counter(expected)


@pytest.mark.parametrize("seed", range(5))
def test_a_message_that_a_hook_keeps_back_never_arrives(seed: int) -> None:
    """Nothing from any layer reaches the readout: it adds up its biases alone, whatever is fed."""
    network, x = small(seed)

    def on_message(layer: int, connection: int, t: int, value: Any) -> Any:
        return np.zeros_like(value)

    other = np.flip(x, axis=1)
    a, b = (run(network, each, hooks=Hooks(on_message=on_message)) for each in (x, other))
    np.testing.assert_array_equal(a.logits, b.logits)
    assert all(not (count.feedforward_operations or count.recurrent_operations) for count in a.counts)


def test_what_a_hook_lets_a_layer_send_is_what_counts() -> None:
    network, x = small(3)
    silent = run(network, x, trace=True, hooks=Hooks(on_spikes=lambda layer, t, sent: np.zeros_like(sent)))
    loud = run(network, x, trace=True, hooks=Hooks(on_spikes=lambda layer, t, sent: np.ones_like(sent)))
    assert silent.spikes_per_layer == [0] * len(network.hidden)
    assert loud.spikes_per_layer == [count.neuron_updates for count in loud.counts[:-1]]
    assert loud.trace is not None
    assert all((each.spikes == 1).all() for each in loud.trace.layers)


def keeps_all(readout: Layer) -> bool:
    return not np.any(readout.neuron.parameters["decay"])


def test_states_that_a_hook_clears_are_forgotten() -> None:
    """A readout whose states are cleared after every step shows what a sample of that step alone would."""
    cases = map(small, range(100))
    network, x = next(case for case in cases if case[0].steps > 5 and keeps_all(case[0].readout))
    last = len(network.layers) - 1

    def cleared(layer: int, t: int, states: Any) -> Any:
        return {name: np.zeros_like(value) for name, value in states.items()} if layer == last else states

    kept, forgetful = run(network, x, trace=True), run(network, x, trace=True, hooks=Hooks(on_states=cleared))
    assert kept.trace is not None
    assert forgetful.trace is not None
    np.testing.assert_array_equal(kept.trace.readout[0], forgetful.trace.readout[0])
    assert (kept.trace.readout != forgetful.trace.readout).any()
    for mine, theirs in zip(kept.trace.layers, forgetful.trace.layers, strict=True):
        np.testing.assert_array_equal(mine.spikes, theirs.spikes)
