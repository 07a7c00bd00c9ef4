"""From floats of any kind to integers: own constants of each neuron, lasting currents, delays, any source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from frozen_networks import connected_network, frozen_network
from torch import Tensor, nn

from asrc_core.contract import interpreter
from asrc_core.contract.chain import why_no_chain
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import InvalidSetting, NonFiniteWeights
from asrc_export import float_network
from asrc_export.chip import targets
from asrc_export.quantization import scale_choice
from asrc_export.quantization.quantize import quantize
from asrc_export.quantization.search import search
from asrc_export.quantization.search.activity import observe
from asrc_export.quantization.training.quantized_network import QuantizedNetwork
from asrc_train.gradients.surrogate import fire
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.network.neurons import lif
from asrc_train.network.neurons.neuron import Constants, State, Step
from asrc_train.settings.config import NetworkConfig, validated
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork

LOIHI2 = targets.load("loihi2")

pytestmark = pytest.mark.usefixtures("one_thread")


def samples(seed: int, count: int = 12) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(0, 17, (count, 20, 2))


def with_constants(seed: int, kind: str, **constants: Any) -> FrozenNetwork:
    """The small float network with other neurons; what is callable is drawn for each neuron."""
    rng, frozen = np.random.default_rng(seed), frozen_network(seed, spread=2.0)
    return replace(
        frozen,
        layers=tuple(
            replace(
                layer,
                kind=kind,
                constants={
                    **layer.constants,
                    **{name: each(rng, layer.neurons) if callable(each) else each for name, each in constants.items()},
                },
            )
            for layer in frozen.layers
        ),
    )


def between(low: float, high: float) -> Any:
    return lambda rng, neurons: rng.uniform(low, high, neurons)


OF_KINDS = {
    "lif, neurons that differ": ("lif", {"decay_factor": between(0.1, 0.8), "threshold": between(0.5, 1.5)}),
    "lif, hard reset, neurons that differ": ("lif", {"decay_factor": between(0.1, 0.8), "reset": "hard"}),
    "cuba-lif": ("cuba-lif", {"current_decay_factor": 0.4}),
    "cuba-lif, neurons that differ": (
        "cuba-lif",
        {"current_decay_factor": between(0.0, 0.6), "decay_factor": between(0.1, 0.7), "threshold": between(0.8, 1.6)},
    ),
}


@pytest.mark.parametrize("name", OF_KINDS)
def test_integers_stand_for_the_constants_and_fire_almost_as_the_floats_do(name: str) -> None:
    kind, constants = OF_KINDS[name]
    for seed in range(3):
        frozen = with_constants(seed, kind, **constants)
        made = quantize(frozen, LOIHI2)
        for layer, real in zip(made.network.hidden, frozen.layers, strict=True):
            assert layer.neuron.kind == kind
            stands_for = layer.neuron.of_kind.stands_for(layer.neuron.parameters, layer.scale)
            for constant, value in real.constants.items():
                if isinstance(value, str):
                    assert stands_for[constant] == value
                else:
                    np.testing.assert_allclose(stands_for[constant], value, atol=0.004)
                    lines = [each for each in made.rounding if each.parameter == constant.replace("_", " ")]
                    assert [each.layer for each in lines] == ["layer0", "layer1", "readout"][: len(lines)]
                    assert len(lines) >= 2
        assert not any(ranges.may_saturate for ranges in made.network.ranges)
        assert (why_no_chain(made.network) is None) == (kind == "lif" and "decay_factor" not in constants)
        x = samples(seed)
        run = interpreter.run(made.network, x, trace=True)
        assert run.trace is not None
        floating = list(float_network.spikes(frozen, x))
        assert floating[0].any()
        different = np.mean([np.mean(a.spikes != b) for a, b in zip(run.trace.layers, floating, strict=True)])
        assert different < 0.05  # once a spike differs, the recurrence carries it on
        # Two networks on the same input answer alike, but for what single spikes do to the logits.
        assert (run.predictions == float_network.logits(frozen, x).argmax(axis=1)).mean() > 0.6


def test_a_current_that_does_not_last_is_lif() -> None:
    frozen = frozen_network(3, spread=2.0)
    lasting = with_constants(3, "cuba-lif", current_decay_factor=0.0)
    x = samples(0)
    for mine, theirs in zip(float_network.spikes(lasting, x), float_network.spikes(frozen, x), strict=True):
        assert np.mean(mine != theirs) < 0.001  # double precision here, single there
    mine, theirs = (interpreter.run(quantize(each, LOIHI2).network, x) for each in (lasting, frozen))
    assert np.array_equal(mine.logits, theirs.logits)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_connections_of_any_source_and_lag_become_integers(seed: int) -> None:
    frozen, x = connected_network(seed), samples(seed)
    made = quantize(frozen, LOIHI2).network
    first, second = made.hidden
    assert [each.source for each in first.connections] == [INPUT, "first", "second"]
    for before, after in zip(frozen.layers[0].connections[:2], first.connections, strict=False):
        assert np.array_equal(before.delays, after.delays)
        assert after.exponent >= 0
    assert first.connections[1].exponent == first.connections[2].exponent
    assert [tap.weight for tap in second.connections[2].taps] == [3, 1]
    run = interpreter.run(made, x, trace=True)
    assert run.trace is not None
    floating = list(float_network.spikes(frozen, x))
    assert 0.02 < floating[0].mean() < 0.98
    assert np.mean([np.mean(a.spikes != b) for a, b in zip(run.trace.layers, floating, strict=True)]) < 0.05
    activity = observe(frozen, x)
    found = search.search(frozen, LOIHI2, 8, activity)
    assert all(part.error <= part.data_free for part in found.measured)
    assert all(part.error < 0.02 for part in found.measured[:2])
    searched = quantize(frozen, LOIHI2, plan=found.plan).network
    assert not any(ranges.may_saturate for ranges in searched.ranges)


def test_a_constant_that_is_no_number_is_refused_by_name() -> None:
    frozen = with_constants(0, "cuba-lif", current_decay_factor=float("nan"))
    with pytest.raises(NonFiniteWeights, match=r"'layer0\.current_decay_factor' holds 1 NaN"):
        quantize(frozen, LOIHI2)


def test_thresholds_too_far_apart_for_one_scale_are_refused_by_layer() -> None:
    frozen = with_constants(0, "lif", threshold=lambda rng, neurons: np.geomspace(1e-6, 10, neurons))
    with pytest.raises(InvalidSetting, match="layer 'layer0': no scale lets its weights, bias and threshold"):
        quantize(frozen, LOIHI2)


class Lasting(nn.Module):
    """CUBA-LIF in floats, a decay of the membrane for each neuron: what its own file will hold."""

    kind: str | None = "cuba-lif"
    missing: str | None = None

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(-1, 1, neurons))

    def constants(self) -> Constants:
        return {"threshold": 1.0, "decay_factor": torch.sigmoid(self.w), "current_decay_factor": 0.375, "reset": "soft"}

    def dynamics(self) -> None:
        return

    def begin(self, like: Tensor) -> tuple[State, Step]:
        def step(state: tuple[Tensor, Tensor], current: Tensor) -> tuple[Tensor, State]:
            c = 0.375 * state[0] + current
            u = torch.sigmoid(self.w) * state[1] + c
            s = fire(u - 1.0)
            return s, (c, u - s)

        return (torch.zeros_like(like), torch.zeros_like(like)), step


class Differing(Lasting):
    """LIF, a decay for each neuron."""

    kind: str | None = "lif"

    def constants(self) -> Constants:
        return {"threshold": 1.0, "decay_factor": torch.sigmoid(self.w), "reset": "soft"}


def checkpoint_of(neuron: type[Lasting], monkeypatch: pytest.MonkeyPatch, **network: Any) -> Checkpoint:
    """A random network of such neurons, under the name of LIF."""

    def build(config: NetworkConfig, neurons: int, steps: int | None) -> Lasting:
        return neuron(neurons)

    monkeypatch.setattr(lif, "build", build)
    settings = {"connection": "src", "hidden": (9, 7), "span": 3, **network}
    config = validated({"data": {"name": "digits"}, "network": settings}, "test")
    torch.manual_seed(4)
    made = SkipRecurrentNetwork(2, 4, config.network)
    tensors = {name: tensor.detach() for name, tensor in made.state_dict().items()}
    for i in range(2):
        torch.nn.init.uniform_(tensors[f"layers.{i}.feedforward.bias"], -0.2, 0.5)
    return Checkpoint(config, 2, 4, 20, 1 / 16, 16, tuple(made.spans), 1.0, tensors, None, [], {}, {})


@pytest.mark.parametrize("network", [{}, {"connection": "k-asrc", "kernels": 3, "kernel_length": 7}])
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("neuron", [Lasting, Differing])
def test_a_float_twin_that_names_its_kind_is_fine_tuned_as_its_integers(
    neuron: type[Lasting], bits: int, network: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else knows of it: frozen, scaled, rounded and trained, and the integer network fires the same spikes."""
    begun = checkpoint_of(neuron, monkeypatch, **network)
    frozen = freeze(begun)
    assert {layer.kind for layer in frozen.layers} == {neuron.kind}
    assert frozen.layers[0].decay.shape == (9,)
    chosen = scale_choice.choose(frozen, LOIHI2, bits, to_train=True)
    learning = QuantizedNetwork(begun, chosen, LOIHI2)
    x = samples(bits)
    real = torch.from_numpy(x).float().transpose(0, 1) * begun.scale
    optimizer = torch.optim.Adam(learning.parameters(), lr=0.002)
    for _ in range(3):  # moves weights off where they started
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(learning(real), torch.arange(12) % 4).backward()
        for i in range(2):
            for name in ("feedforward.weight", "feedforward.bias", "recurrent.weight"):
                gradient = learning.get_parameter(f"layers.{i}.{name}").grad
                assert gradient is not None
                assert torch.isfinite(gradient).all()
                assert gradient.any()
        optimizer.step()
    tensors = {name: tensor.detach() for name, tensor in learning.state_dict().items()}
    tuned = freeze(replace(begun, tensors=tensors, provenance=chosen.carried()))
    integers = quantize(tuned, LOIHI2, bits=bits).network
    expected = interpreter.run(integers, x, trace=True)
    assert expected.trace is not None
    y, spikes = learning.accumulated(torch.from_numpy(x).transpose(0, 1))
    for mine, layer in zip(spikes, expected.trace.layers, strict=True):
        assert np.array_equal(mine.detach().numpy(), layer.spikes)
    assert np.array_equal(y.detach().numpy(), expected.logits)
    assert spikes[1].any()


def test_the_float_network_of_a_twin_is_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = checkpoint_of(Lasting, monkeypatch)
    for i in range(2):  # a float layer's current holds its bias, the kind's membrane gets it past the current's decay
        begun.tensors[f"layers.{i}.feedforward.bias"].zero_()
        begun.tensors[f"layers.{i}.feedforward.weight"].mul_(3)
    x = samples(0)
    real = torch.from_numpy(x).double().transpose(0, 1) * begun.scale
    _, spikes = begun.network().double().traced(real)
    for mine, theirs in zip(float_network.spikes(freeze(begun), x), spikes, strict=True):
        assert 0.05 < mine.mean() < 0.95
        assert np.mean(mine != theirs.detach().numpy()) < 0.001
