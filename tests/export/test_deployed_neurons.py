"""Neurons that train and their kinds of the contract: the same step up to rounding, and the way between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from backends import BACKENDS, equal_on
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract import interpreter, neurons
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import STATE_MAX, Ints
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.rounding.constants import Rounding
from asrc_core.errors import CannotFreeze, RulesBroken
from asrc_export import float_network
from asrc_export.chip import targets
from asrc_export.quantization import quantize
from asrc_export.quantization.scale_choice import choose
from asrc_export.quantization.training.quantized_network import QuantizedNetwork
from asrc_export.robustness.perturbations import bit_flips
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.neurons.neuron import Neuron, new_neurons
from asrc_train.settings.config import Config, validated
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork

SCALE = 3000.0
WIDTH, STEPS = 64, 20
DEPLOYED = ["tc-lif", "clif", "glif-steady"]
STATES = {"tc-lif": ("dendrite", "soma"), "clif": ("v", "m")}
"""Of the kind, in the order in which the neuron that trains keeps the same."""

pytestmark = pytest.mark.usefixtures("one_thread")


def kind_at(neuron: Neuron, bias: Ints) -> tuple[Any, Mapping[str, Any]]:
    """The neurons' kind, and its parameters at the scale."""
    assert neuron.kind is not None
    kind = neurons.kind(neuron.kind)
    constants = {
        name: value.detach().double().numpy() if isinstance(value, torch.Tensor) else value
        for name, value in neuron.constants().items()
    }
    rounded = kind.rounded({**constants, "bias": bias / SCALE}, Rounding(SCALE, 3, np.rint, np.rint))
    return kind, kind.checked("here", rounded, WIDTH)


def drawn_states(name: str, rng: np.random.Generator) -> dict[str, Ints]:
    """The kind's states before a step, as spread as in a network that is alive."""
    drawn = {each: rng.integers(-9000, 9000, WIDTH) for each in STATES.get(name, ("v",))}
    return drawn | ({"m": rng.integers(0, 5 * 4096, WIDTH)} if name == "clif" else {})


def unit(state: str) -> float:
    """What a whole number of a kind's state is in units of the neurons that train."""
    return 1 / 4096 if state == "m" else 1 / SCALE


def step_of_floats(
    name: str, neuron: Neuron, state: Mapping[str, Ints], current: torch.Tensor
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Spikes and states of the neurons that train, after a step from the states of the kind."""
    _, step = neuron.begin(current)
    if name != "glif-steady":
        before = tuple(torch.from_numpy(state[each] * unit(each))[None] for each in STATES[name])
        spikes, after = step(before, current)
        return spikes, {each: part[0].numpy() for each, part in zip(STATES[name], after, strict=True)}
    # There, what a membrane keeps is computed a step later. A first step begins at rest, without a leak's effect on
    # what follows: the membrane that the kind begins with comes in through the current.
    p = {each: value.detach() for each, value in neuron.constants().items() if isinstance(value, torch.Tensor)}
    v = torch.from_numpy(state["v"] / SCALE)[None]
    spikes, after = step(neuron.begin(current)[0], current + v / p["hearing"])
    _, (kept, _, _) = step(after, torch.zeros_like(current))
    return spikes, {"v": (kept + p["leak"])[0].numpy()}


@pytest.mark.parametrize("name", DEPLOYED)
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_a_step_in_integers_is_the_step_in_floats_up_to_rounding(name: str, seed: int) -> None:
    """From the same states and the same sum: what is rounded adds up to a few units, and to parts of 65,536."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed % 1000)
    neuron = new_neurons(a_config(name).network, WIDTH, STEPS)
    with torch.no_grad():
        for parameter in neuron.parameters():
            parameter.add_(torch.randn_like(parameter))
    bias = rng.integers(-2000, 2000, WIDTH)
    kind, p = kind_at(neuron, bias)
    state = drawn_states(name, rng)
    assert state.keys() == kind.states_of(p).keys()
    a = rng.integers(-1000, 1000, WIDTH)
    after = kind.step(NumpyOperations(), p, state, a)
    current = torch.from_numpy((a * 8 + bias) / SCALE)[None]
    with torch.no_grad():
        spikes, floats = step_of_floats(name, neuron, state, current)
    clear = np.abs(after.shown - p["threshold"]) > 6
    assert clear.sum() > WIDTH // 2
    np.testing.assert_array_equal(after.sent[clear], spikes[0].numpy()[clear])
    # An entry of the sigmoids is off by at most 1/512 of what it scales; the second is read at an m that is off, too.
    tables = 1.25 * 2**-9 * np.maximum(state["m"] * unit("m"), 1)[clear] if name == "clif" else 0
    for each, value in floats.items():
        mine = after.states[each] * unit(each)
        off, size = np.abs(mine - value)[clear], np.abs(value)[clear]
        assert np.all(off <= 6 * unit(each) + size * 2**-13 + tables), each


def a_config(name: str, **network: Any) -> Config:
    given = {"neuron": name, "connection": "src", "span": 3, "hidden": [12, 9], **network}
    return validated({"data": {"name": "digits"}, "network": given, "training": {"seed": 1}}, "test")


def untrained(name: str) -> Checkpoint:
    """A tiny network that nothing trained; alive, and each of its constants drawn."""
    config, channels, classes = a_config(name), 2, 4
    torch.manual_seed(5)
    network = SkipRecurrentNetwork(channels, classes, config.network, STEPS)
    with torch.no_grad():
        for layer in network.layers:
            assert isinstance(layer, SkipRecurrentLayer)
            for own in layer.neuron.parameters():
                own.add_(0.5 * torch.randn_like(own))
            layer.feedforward.bias.add_(0.2)
    spans = (3,) * len(network.layers)
    return Checkpoint(config, channels, classes, STEPS, 1 / 16, 16, spans, 1.0, network.state_dict(), None, [], {}, {})


def exported(frozen: FrozenNetwork) -> IntegerNetwork:
    return quantize.quantize(frozen, targets.load("loihi2")).network


@pytest.mark.parametrize("name", DEPLOYED)
def test_a_trained_network_exports_and_is_equal_on_all_backends(name: str) -> None:
    network = exported(freeze(untrained(name)))
    assert [layer.neuron.kind for layer in network.hidden] == [name.removesuffix("-steady")] * 2
    assert all("activation_shift" in layer.neuron.parameters for layer in network.hidden)
    equal_on(BACKENDS, [network])


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_integers_fire_as_the_floats_do(name: str) -> None:
    """At 8 bits, the spikes of untrained layers of a dozen neurons: as many, and mostly the same."""
    trained = untrained(name)
    frozen = freeze(trained)
    x = np.random.default_rng(1).integers(0, 17, (40, STEPS, 2))
    floats = next(float_network.spikes(frozen, x))
    with torch.no_grad():
        first = trained.network().layers[0](torch.from_numpy(x).float().transpose(0, 1) / 16, None)
    assert (first.numpy() != floats).mean() < 0.001, "the reference on real numbers is the network that was trained"
    result = interpreter.run(exported(frozen), x, trace=True)
    assert result.trace is not None
    integers = result.trace.layers[0].spikes
    assert 0.03 < floats.mean() < 0.9
    assert abs(floats.mean() - integers.mean()) < 0.02
    assert (floats != integers).mean() < 0.05
    assert sum(count.saturations for count in result.counts) == 0


@pytest.mark.parametrize("name", DEPLOYED)
def test_a_chip_with_neurons_of_its_own_refuses_the_kind_and_a_programmable_one_says_what_it_infers(name: str) -> None:
    frozen = freeze(untrained(name))
    kind = name.removesuffix("-steady")
    with pytest.raises(RulesBroken, match=rf"kind '{kind}'.*lif, cuba-lif, first-spike, integrator"):
        quantize.quantize(frozen, targets.load("loihi1"))
    programs = targets.load("loihi2").neurons
    assert programs is not None
    assert programs.programmable
    assert programs.certainty == "inferred"


@pytest.mark.parametrize("name", DEPLOYED)
def test_fine_tuning_computes_the_integers_and_has_gradients(name: str) -> None:
    target, trained = targets.load("loihi2"), untrained(name)
    scales = choose(freeze(trained), target, 8, to_train=True)
    tuned = QuantizedNetwork(trained, scales, target)
    network = quantize.quantize(freeze(replace(trained, provenance=scales.carried())), target).network
    x = np.random.default_rng(2).integers(0, 17, (6, STEPS, 2))
    y, spikes = tuned.accumulated(torch.from_numpy(x).double().transpose(0, 1))
    result = interpreter.run(network, x, trace=True)
    assert result.trace is not None
    for mine, layer in zip(spikes, result.trace.layers, strict=True):
        assert np.array_equal(mine.detach().numpy(), layer.spikes)
    assert np.array_equal(y.detach().numpy(), result.logits)
    y.square().sum().backward()
    for weights in (tuned.layers[0].feedforward.weight, tuned.layers[1].recurrent.weight):  # type: ignore[union-attr]
        assert weights.grad is not None  # type: ignore[union-attr]
        assert torch.isfinite(weights.grad).all()  # type: ignore[union-attr, arg-type]
        assert weights.grad.any()  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("name", DEPLOYED)
def test_flipped_bits_damage_the_float_network_as_much_as_the_integers(name: str) -> None:
    frozen = freeze(untrained(name))
    network = exported(frozen)
    layer = network.layers[0]
    weights = layer.connections[0].weights.copy()
    weights[0, 0] += 2
    first = replace(layer, connections=(replace(layer.connections[0], weights=weights), layer.connections[1]))
    after = bit_flips.damaged(frozen, network, replace(network, layers=(first, *network.layers[1:])))
    moved = (after.layers[0].weight - frozen.layers[0].weight)[0, 0]
    made = 2 * 2.0 ** (layer.connections[0].exponent + layer.neuron.parameters["activation_shift"]) / layer.scale
    assert moved * network.input.scale == pytest.approx(made)


def test_glif_with_a_conductance_for_each_step_is_refused_by_name() -> None:
    with pytest.raises(CannotFreeze, match=r"'glif' cannot be frozen.*one for each step and neuron; .*glif-steady"):
        freeze(untrained("glif"))


def test_what_nothing_keeps_from_growing_gets_room_for_what_many_steps_add() -> None:
    """No scale rules out that TC-LIF saturates; the one that is chosen keeps its `room`."""
    for layer, ranges in zip((network := exported(freeze(untrained("tc-lif")))).hidden, network.ranges, strict=False):
        assert ranges.may_saturate
        p = layer.neuron.parameters
        added = (ranges.total.magnitude << p["activation_shift"]) + np.abs(p["bias"]).max()
        assert added * layer.neuron.of_kind.room <= STATE_MAX
