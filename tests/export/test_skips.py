"""Skips past a layer: what a layer hears is trained, frozen and deployed as a connection from each, on every engine."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from backends import BACKENDS, equal_on

from asrc_core.contract import interpreter
from asrc_core.contract.interpreter import Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.errors import InvalidSetting
from asrc_export import exporting, float_network, real_network
from asrc_export.chip import targets
from asrc_export.chip.cost import storage
from asrc_export.chip.shape import of_network
from asrc_export.chip.shape.recipe import of_recipe
from asrc_export.quantization import quantize
from asrc_export.quantization.training.learning_network import LearningNetwork
from asrc_train import data
from asrc_train.network.float_network import new_network
from asrc_train.network.model import SkipRecurrentNetwork
from asrc_train.settings.config import Config, validated
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import FrozenNetwork, freeze

STEPS, CHANNELS, HIDDEN = 30, 2, (10, 12, 8, 9)
SORTS: dict[str, dict[str, Any]] = {
    "ssm": {"neuron": "ssm", "connection": "none", "modes": 2},
    "asrc": {"neuron": "lif", "connection": "asrc"},
    "mixed": {"neuron": "lif", "connection": "src", "layers": [{}, {"neuron": "prf"}, {}, {"neuron": "prf"}]},
}
pytestmark = pytest.mark.usefixtures("one_thread")


def configured(sort: str, skips: str = "concat") -> Config:
    network = {"hidden": HIDDEN, "batch_norm": True, "skips": skips, **SORTS[sort]}
    return validated({"data": {"name": "digits"}, "network": network, "training": {"epochs": 1}}, "test")


@cache
def trained(sort: str) -> Checkpoint:
    """Fresh weights, which batch normalisation has seen samples of."""
    config = configured(sort)
    torch.manual_seed(0)
    network = new_network(CHANNELS, 3, config.network, STEPS)
    assert isinstance(network, SkipRecurrentNetwork)
    network.train()
    for _ in range(60):
        network(torch.rand(STEPS, 32, CHANNELS))
    network.eval()
    return Checkpoint(
        config=config,
        channels=CHANNELS,
        classes=3,
        steps=STEPS,
        scale=1 / 15,
        maximum=15,
        spans=tuple(network.spans),
        temperature=1.0,
        tensors=network.state_dict(),
        permutation=None,
        history=[],
        scores={},
        provenance={},
    )


@cache
def frozen(sort: str) -> FrozenNetwork:
    return freeze(trained(sort))


@cache
def deployed(sort: str) -> IntegerNetwork:
    return quantize.quantize(frozen(sort), targets.load("loihi2")).network


def samples(count: int = 24) -> Any:
    return np.random.default_rng(1).integers(0, 16, (count, STEPS, CHANNELS))


@pytest.mark.parametrize("sort", SORTS)
def test_a_layer_hears_the_two_before_it(sort: str) -> None:
    sources = [[each.source for each in layer.before] for layer in frozen(sort).layers]
    assert sources == [["input"], ["layer0"], ["layer1", "layer0"], ["layer2", "layer1"]]
    network = trained(sort).network()
    assert isinstance(network, SkipRecurrentNetwork)
    x = torch.rand(STEPS, 3, CHANNELS)
    with torch.no_grad():
        _, sent = network.traced(x)
        third = network.hidden_layers()[2](torch.cat([sent[1], sent[0]], dim=2))
    assert torch.equal(third, sent[2])
    assert torch.equal(network(x), network.traced(x)[0])


@pytest.mark.parametrize("sort", SORTS)
def test_gradients_pass_by_a_layer(sort: str) -> None:
    network = trained(sort).network()
    assert isinstance(network, SkipRecurrentNetwork)
    network(torch.rand(STEPS, 8, CHANNELS), 1.0).square().sum().backward()  # type: ignore[no-untyped-call]
    skipped = network.hidden_layers()[2].feedforward.weight.grad
    assert skipped is not None
    assert bool((skipped[:, HIDDEN[1] :] != 0).any())


@pytest.mark.parametrize("sort", SORTS)
def test_the_frozen_network_fires_as_the_trained_one_does(sort: str) -> None:
    network, x = trained(sort).network(), samples(8)
    assert isinstance(network, SkipRecurrentNetwork)
    real = torch.from_numpy(x).transpose(0, 1).float() / 15
    with torch.no_grad():
        _, sent = network.traced(real)
    session = Session(real_network.of(frozen(sort)), len(x), RealArithmetic())
    steps = [[each.sent for each in session.step(now / 15)[:-1]] for now in x.transpose(1, 0, 2)]
    of_frozen = float_network.spikes(frozen(sort), x)
    for mine, theirs, stepped in zip(sent, of_frozen, zip(*steps, strict=True), strict=True):
        assert 0 < theirs.mean() < 1
        assert (mine.numpy() != theirs).mean() < 5e-3  # float32 sums beside a threshold
        assert (np.stack(stepped) != theirs).mean() < 5e-3


@pytest.mark.parametrize("sort", SORTS)
def test_every_backend_computes_the_same(sort: str) -> None:
    equal_on(BACKENDS, [deployed(sort)])


@pytest.mark.parametrize("sort", SORTS)
def test_integers_fire_almost_as_the_floats_do(sort: str) -> None:
    x = samples()
    trace = interpreter.run(deployed(sort), x, trace=True).trace
    assert trace is not None
    for mine, theirs in zip(trace.layers, float_network.spikes(frozen(sort), x), strict=True):
        assert (mine.spikes != theirs).mean() < 0.1


def test_they_are_fine_tuned_on_their_integers() -> None:
    network = LearningNetwork(deployed("ssm"))
    x = samples(4)
    y, _ = network.accumulated(torch.from_numpy(x.astype(np.float64)).transpose(0, 1))
    assert np.array_equal(y.detach().numpy(), interpreter.run(deployed("ssm"), x).logits)
    y.square().sum().backward()  # type: ignore[no-untyped-call]
    past = network.weights[2][1]
    assert isinstance(past, torch.Tensor)
    assert past.grad is not None
    assert bool(past.grad.abs().sum() > 0)


@pytest.mark.parametrize("sort", SORTS)
def test_a_recipe_knows_their_sizes_before_training(sort: str) -> None:
    before = of_recipe(configured(sort), data.shape("digits"), 8, "delay-line").layers
    after = of_network(deployed(sort)).layers
    for mine, theirs in zip(before[1:], after[1:], strict=True):
        assert [each.source for each in mine.connections] == [each.source for each in theirs.connections]
        assert [each.inputs for each in mine.connections] == [each.inputs for each in theirs.connections]
    assert storage.of_shape(of_network(deployed(sort)), targets.load("loihi2"))[2].weights == sum(
        each.weights.size * 8 for each in deployed(sort).layers[2].connections
    )


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["ssm", "mixed"])
def test_a_module_trained_in_a_loop_of_ones_own_keeps_them(sort: str) -> None:
    made = exporting.export(trained(sort).network(), "loihi2", samples=samples(16), scale=1 / 15)
    assert len(made.network.layers) == len(HIDDEN) + 1
    assert [each.source for each in made.network.layers[3].connections][:2] == ["layer2", "layer1"]
    for mine, theirs in zip(made.network.layers, quantize_on_samples(sort).layers, strict=True):
        for one, other in zip(mine.connections, theirs.connections, strict=True):
            assert np.array_equal(one.weights, other.weights)


def quantize_on_samples(sort: str) -> IntegerNetwork:
    return exporting.export(trained(sort), "loihi2", samples=samples(16)).network


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"hidden": [8, 8], "skips": "concat"}, "a skip leads past a layer, and 2 layers leave none to pass by"),
        ({"connection": "delays", "neuron": "cuba-lif", "hidden": [8, 8, 8], "skips": "concat"}, "delay for each"),
        ({"hidden": [8, 8, 8], "skips": "add"}, "skips"),
    ],
)
def test_what_has_no_skips_says_so(network: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        validated({"data": {"name": "digits"}, "network": network}, "test")
