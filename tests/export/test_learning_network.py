"""Any network in PyTorch: forward its integers, backward gradients that lower a loss, whatever the kind of neuron."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract import interpreter, neurons
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import any_network
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import INPUT, Connection, span
from asrc_core.errors import InvalidNetwork, InvalidSetting
from asrc_export.quantization.training.learning_network import LearningNetwork

pytestmark = pytest.mark.usefixtures("one_thread")


def samples(network: IntegerNetwork, seed: int, count: int = 3) -> np.ndarray[Any, np.dtype[np.int64]]:
    entry = network.input
    shape = (count, network.steps, entry.channels)
    return np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)


def wide(network: IntegerNetwork) -> list[float]:
    """Surrogates as wide as the thresholds, which a random network's scales do not say."""
    return [float(np.mean(layer.neuron.parameters.get("threshold", 1))) for layer in network.layers]


def require_same(learning: LearningNetwork, network: IntegerNetwork, x: np.ndarray[Any, Any]) -> torch.Tensor:
    """Spikes of every layer and logits, bit for bit. Returns the logits, with their gradients."""
    y, sent = learning.accumulated(torch.from_numpy(x).transpose(0, 1))
    expected = interpreter.run(network, x, trace=True)
    assert expected.trace is not None
    for mine, layer in zip(sent, expected.trace.layers, strict=True):
        assert np.array_equal(mine.detach().numpy(), layer.spikes)
    assert np.array_equal(y.detach().numpy(), expected.logits)
    return y


def require_equal_networks(a: IntegerNetwork, b: IntegerNetwork) -> None:
    for mine, theirs in zip(a.layers, b.layers, strict=True):
        for one, other in zip(mine.connections, theirs.connections, strict=True):
            assert np.array_equal(one.weights, other.weights)
        for name, value in mine.neuron.parameters.items():
            assert np.array_equal(value, theirs.neuron.parameters[name])


@settings(max_examples=30)
@given(st.integers(0, 2**31))
def test_any_network_computes_its_integers_and_has_finite_gradients(seed: int) -> None:
    network = any_network(seed, max_width=8, max_steps=20)
    learning = LearningNetwork(network, learned=("bias", "threshold"), widths=wide(network))
    require_equal_networks(learning.integers(), network)
    y = require_same(learning, network, samples(network, seed))
    y.square().sum().backward()
    gradients = [parameter.grad for parameter in learning.parameters()]
    assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients)
    readout_bias = learning.constants[-1]["bias"]  # type: ignore[index]
    readout = network.readout.neuron
    plain = readout.kind == "integrator" and readout.parameters["time_weights"] is None
    if plain and y.abs().max() < 2**23 - 1 and y.any():
        assert readout_bias.grad.any()


def delayed(seed: int, kind: str = "cuba-lif", **constants: Any) -> IntegerNetwork:
    """Six channels, ten recurrent neurons, three classes; every synapse has a delay of its own."""
    rng, grid = np.random.default_rng(seed), WeightGrid(8)

    def connection(source: str, rows: int, columns: int, least: int) -> Connection:
        weights = grid.nearest(rng.normal(0, 60, (rows, columns)).clip(grid.low, grid.high))
        return Connection(source, weights, 0, 8, (), rng.integers(least, 9, (rows, columns)), "synaptic-delay")

    theta = 12000
    plain = {"bias": rng.integers(0, theta // 8, 10), "threshold": theta, "decay": rng.integers(500, 2000, 10)}
    more = {"current_decay": 2048} if kind == "cuba-lif" else {}
    neuron = Neuron(kind, {**plain, **more, "activation_shift": 6, "reset": "soft", **constants})
    hidden = Layer("a", (connection(INPUT, 10, 6, 0), connection("a", 10, 10, 1)), neuron, float(theta))
    readout = Layer("out", (connection("a", 3, 10, 0),), Neuron("integrator", {"bias": np.zeros(3, int)}), 256.0)
    return IntegerNetwork(InputFormat(6, 0, 1, 1.0), (hidden, readout), "loihi2", 20)


@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("kind", ["lif", "cuba-lif"])
def test_gradients_are_those_of_the_unrounded_network_where_nothing_saturates(kind: str, reset: str) -> None:
    """Roundings move membranes by some units of 12,000: where they change no spike, gradients differ as little."""
    compared = 0
    for seed in range(6):
        network = delayed(seed, kind, reset=reset)
        learning = LearningNetwork(network, learned=("bias", "threshold", "decay_factor"))
        x = torch.from_numpy(samples(network, seed)).transpose(0, 1)
        (rounded, fired), (exact, as_well) = learning.accumulated(x), learning.unrounded(x)
        if not torch.equal(fired[0], as_well[0]):
            continue
        compared += 1
        toward = torch.randn(rounded.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        parameters = list(learning.parameters())
        mine, theirs = (torch.autograd.grad((each * toward).sum(), parameters) for each in (rounded, exact))
        for one, other in zip(mine, theirs, strict=True):
            assert other.any()
            torch.testing.assert_close(one, other, rtol=0.02, atol=0.02 * float(other.abs().max()))
    assert compared >= 3


def test_some_steps_of_an_optimizer_lower_the_loss_and_the_integers_follow() -> None:
    network = delayed(1)
    learning = LearningNetwork(network, learned=("bias", "threshold"))
    x = samples(network, 0, 12)
    labels = torch.arange(12) % 3
    optimizer = torch.optim.Adam(learning.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(learning(torch.from_numpy(x).double().transpose(0, 1)), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    after = learning.integers()
    pairs = zip(after.layers[0].connections, network.layers[0].connections, strict=True)
    assert all((a.weights != b.weights).any() for a, b in pairs)
    require_same(learning, after, x)


def test_weights_beyond_the_grid_lie_on_its_end_and_learn_nothing() -> None:
    network = delayed(2)
    learning = LearningNetwork(network)
    with torch.no_grad():
        learning.weights[0][0][0, 0] = 1e6  # type: ignore[index]
    assert learning.integers().layers[0].connections[0].weights[0, 0] == 254
    y = require_same(learning, learning.integers(), samples(network, 0))
    y.square().sum().backward()
    gradient = learning.weights[0][0].grad  # type: ignore[index]
    assert gradient[0, 0] == 0
    assert gradient.any()


def test_parameters_that_outgrow_a_register_are_refused_by_layer() -> None:
    """All weights at the end of their grid, a current that hardly decays leaves its 24 bits."""
    learning = LearningNetwork(delayed(3, current_decay=20, activation_shift=4))
    with torch.no_grad():
        for weights in learning.weights[0]:  # type: ignore[union-attr]
            weights.fill_(1e6)
    with pytest.raises(InvalidNetwork, match=r"layer 'a'.*its state 'c' could reach"):
        learning.integers()


TOY = '''"""A toy that rests after a spike, and one whose register is too wide for a float."""

from asrc_core.contract.neurons.kind import Kind, Number, Step
from asrc_core.contract.numbers import WORD
from asrc_core.contract.rounding.constants import bias, threshold


def step(o, p, state, a):
    u = o.saturate(o.add(o.sub(state["v"], o.floor(state["v"], 2)), o.add(a, p["bias"])), BITS)
    wide = o.floor(o.mul(o.mul(u, u), u), 60)
    s = o.and_(o.ge(u, p["threshold"]), o.not_(o.ge(o.mask(state["past"], 2), 1)))
    return Step({"v": o.select(s, 0, u), "past": o.push(state["past"], s)}, s, o.add(u, o.mul(wide, 0)))


BITS = 18
KIND = Kind(
    parameters={"bias": Number(-999, 999), "threshold": Number(1, 2**17)},
    states={"v": 24, "past": WORD},
    step=step,
    constants={"bias": bias(), "threshold": threshold()},
)
'''


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kinds `resting` and `wide`, each a file on Python's path."""
    (tmp_path / "asrc_kinds").mkdir()
    (tmp_path / "asrc_kinds" / "resting.py").write_text(TOY)
    (tmp_path / "asrc_kinds" / "wide.py").write_text(TOY.replace("BITS = 18", "BITS = 20"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == neurons.MORE]:
        del sys.modules[name]
    neurons.kind.cache_clear()


def toy_network(kind: str) -> IntegerNetwork:
    made = delayed(5)
    hidden = made.layers[0]
    neuron = Neuron(kind, {"bias": np.arange(10) * 20, "threshold": 300})
    back = replace(hidden.connections[1], delays=None, taps=span(3))
    return replace(made, layers=(Layer("a", (hidden.connections[0], back), neuron, 300.0), made.layers[1]))


@pytest.mark.usefixtures("toys")
def test_a_kind_of_ones_own_learns_like_any_other() -> None:
    network = toy_network("resting")
    learning = LearningNetwork(network, learned=("bias", "threshold"))
    y = require_same(learning, network, samples(network, 4))
    y.square().sum().backward()
    for parameter in learning.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.any()


@pytest.mark.usefixtures("toys")
def test_what_double_precision_could_not_hold_is_refused_by_layer() -> None:
    network = toy_network("wide")
    with pytest.raises(InvalidSetting, match=r"layer 'a': a register could reach 144,.*whole numbers up to 4,503,"):
        LearningNetwork(network)


def test_a_constant_that_is_no_number_does_not_learn() -> None:
    with pytest.raises(InvalidSetting, match="reset"):
        LearningNetwork(delayed(1), learned=("reset",))
