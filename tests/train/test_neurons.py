"""Every neuron under every connection: its equations and their gradients, and the whole way from training to export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from asrc_core.contract.chain import chain
from asrc_core.errors import CannotFreeze, InvalidData, InvalidSetting
from asrc_export.chip import targets
from asrc_export.quantization import quantize
from asrc_export.quantization.training import finetune
from asrc_train import data
from asrc_train.data.dataset import Dataset
from asrc_train.kernels.layer import SkipLayer
from asrc_train.network import connections, neurons
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.neurons.neuron import new_neurons
from asrc_train.network.recurrence import Dynamics, driven_recurrence
from asrc_train.network.stepping import stepped_recurrence
from asrc_train.settings.config import Config, NetworkConfig, validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.fit import BatchDone, Epoch, fit, make_optimizer

SKIPPING = [name for name in connections.names() if name not in ("delays", "none")]  # test_delay_network, _state_space
RECURRENT = [name for name in neurons.names() if not neurons.is_state_space(name)]
LEARNED = [name for name in SKIPPING if name not in ("vanilla", "src")]
STEPS, REACH = 24, 18  # both more than a block of `stepping`


pytestmark = pytest.mark.usefixtures("one_thread")


# The equations once more, written for numbers and arrays of any kind: `f` brings the functions, `p` what is learned.


def lif(f: Any, p: dict[str, Any], c: NetworkConfig, state: dict[str, Any], t: int, current: Any) -> Any:
    alpha = f.sigmoid(p["w"]) if "w" in p else c.decay
    u = alpha * state.get("v", 0.0) + current
    s = f.fire(u - c.threshold)
    kept = f.detached(s) if c.detach_reset else s
    state["v"] = u - c.threshold * kept if c.reset == "soft" else u * (1 - kept)
    return s


def clif(f: Any, p: dict[str, Any], c: NetworkConfig, state: dict[str, Any], t: int, current: Any) -> Any:
    u = c.decay * state.get("v", 0.0) + current
    s = f.fire(u - c.threshold)
    state["m"] = state.get("m", 0.0) * f.sigmoid(u * (1 - c.decay)) + s
    kept = f.detached(s) if c.detach_reset else s
    state["v"] = u - kept * c.threshold - kept * f.sigmoid(state["m"])
    return s


def tc_lif(f: Any, p: dict[str, Any], c: NetworkConfig, state: dict[str, Any], t: int, current: Any) -> Any:
    beta_1, beta_2 = -f.sigmoid(p["c"][0]), f.sigmoid(p["c"][1])
    dendrite = state.get("dendrite", 0.0) + beta_1 * state.get("soma", 0.0) + current
    soma = state.get("soma", 0.0) + beta_2 * dendrite
    s = f.fire(soma - c.threshold)
    kept = f.detached(s) if c.detach_reset else s
    state.update(dendrite=dendrite - 0.5 * kept, soma=soma - c.threshold * kept)
    return s


def glif(f: Any, p: dict[str, Any], c: NetworkConfig, state: dict[str, Any], t: int, current: Any) -> Any:
    a, b, g = (f.sigmoid(p["gates"][i]) for i in range(3))
    u, s = state.get("u", 0.0), state.get("s", 0.0)
    kept = f.detached(s) if c.detach_reset and t else s
    leaked = (1 - a * (1 - f.sigmoid(p["tau"]))) * u * (1 - g * kept) - (1 - a) * f.sigmoid(p["leak"])
    heard = current * (1 - b * (1 - f.sigmoid(p["conductance"][min(t, len(p["conductance"]) - 1)])))
    state["u"] = leaked + heard - (1 - g) * f.sigmoid(p["drop"]) * kept
    state["s"] = f.fire(state["u"] - f.sigmoid(p["theta"]))
    return state["s"]


def cuba_lif(f: Any, p: dict[str, Any], c: NetworkConfig, state: dict[str, Any], t: int, current: Any) -> Any:
    alpha, beta = (float(np.exp(-c.dt / tau)) for tau in (c.tau_membrane, c.tau_synapse))
    state["c"] = beta * state.get("c", 0.0) + current
    u = alpha * state.get("v", 0.0) + (1 - alpha) * (c.tau_synapse / c.dt) * (1 - beta) * state["c"]
    s = f.fire(u - c.threshold)
    kept = f.detached(s) if c.detach_reset else s
    state["v"] = u - c.threshold * kept if c.reset == "soft" else u * (1 - kept)
    return s


EQUATIONS: dict[str, Callable[..., Any]] = {
    "lif": lif,
    "plif": lif,
    "clif": clif,
    "tc-lif": tc_lif,
    "cuba-lif": cuba_lif,
    "glif": glif,
    "glif-steady": glif,
}


class InNumpy:
    @staticmethod
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    @staticmethod
    def fire(distance: Any) -> Any:
        return (distance >= 0) * 1.0

    @staticmethod
    def detached(x: Any) -> Any:
        return x


class InTorch:
    sigmoid = torch.sigmoid

    @staticmethod
    def fire(distance: Tensor) -> Tensor:
        """Zero or one, with the derivative of a parabola's two halves: 1 - |distance| within 1 of the threshold."""
        near = distance.clamp(-1, 1)
        smooth = near - near * near.abs() / 2
        return (distance >= 0).double() + smooth - smooth.detach()

    @staticmethod
    def detached(x: Tensor) -> Tensor:
        return x.detach()


def by_the_equations(f: Any, config: NetworkConfig, p: dict[str, Any], driven: Any, u: Any, weights: Any) -> list[Any]:
    """Spikes of each step for the feed-forward current; ``weights[t][k-1]`` is how much step t hears step t - k."""
    s: list[Any] = []
    state: dict[str, Any] = {}
    for t in range(len(driven)):
        current = driven[t]
        for k in range(1, min(t, len(weights[t])) + 1):
            current = current + weights[t][k - 1] * (s[t - k] @ u.T)
        s.append(EQUATIONS[config.neuron](f, p, config, state, t, current))
    return s


def for_each_step(taps: Tensor | int) -> Tensor:
    """Taps of any kind as weights (T, K)."""
    if isinstance(taps, int):
        return torch.nn.functional.one_hot(torch.full((STEPS,), taps - 1), REACH).double()
    return taps if taps.dim() == 2 else taps.expand(STEPS, -1)


def layer_of(config: NetworkConfig) -> tuple[SkipRecurrentLayer, Tensor]:
    """A layer in double precision whose every parameter is random, and an input for it."""
    torch.manual_seed(7)
    layer = SkipRecurrentNetwork(2, 3, config, STEPS).double().layers[0]
    assert isinstance(layer, SkipRecurrentLayer)
    with torch.no_grad():
        for parameter in (*layer.neuron.parameters(), *layer.connection.parameters()):
            parameter.add_(torch.randn_like(parameter))
        layer.feedforward.bias.add_(0.4)
    return layer, 2 * torch.randn(STEPS, 6, 2, dtype=torch.float64)


@pytest.mark.parametrize("connection", SKIPPING)
@pytest.mark.parametrize("neuron", RECURRENT)
def test_spikes_and_gradients_are_those_of_the_equations(neuron: str, connection: str) -> None:
    config = NetworkConfig(
        neuron=neuron,
        connection=connection,
        hidden=(9,),
        kernel_length=REACH,
        kernels=3,
        span=3,
        decay=0.5 if neuron in ("tc-lif", "cuba-lif") else 0.6,
        detach_reset=connection == "src",  # vanilla is a span too, and lets the gradient flow
    )
    layer, x = layer_of(config)
    p = dict(layer.neuron.named_parameters())  # type: ignore[attr-defined]
    leaves = [p for p in layer.parameters() if p.requires_grad]
    for temperature in (0.7, None):
        spikes, taps = layer(x, temperature), for_each_step(layer.connection.taps(temperature))
        driven, u = layer.feedforward(x), layer.recurrent.weight
        plain = {name: value.detach().numpy() for name, value in p.items()}
        in_numpy = by_the_equations(
            InNumpy, config, plain, driven.detach().numpy(), u.detach().numpy(), taps.detach().numpy()
        )
        np.testing.assert_array_equal(spikes.detach().numpy(), np.stack(in_numpy))
        assert 0.02 < float(spikes.detach().mean()) < 0.9, "the layer should be alive"
        expected = torch.stack(by_the_equations(InTorch, config, p, driven, u, taps))
        toward = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        gradients = (
            torch.autograd.grad((s * toward).sum(), leaves, allow_unused=True, materialize_grads=True)
            for s in (spikes, expected)
        )
        for mine, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


def test_every_neuron_has_its_equations_here() -> None:
    assert sorted(EQUATIONS) == RECURRENT


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    steps=st.sampled_from([1, 2, 15, 16, 17, 33]),
    taps=st.sampled_from([1, 3, 16, 40, [1], [0.3, 0.7], [0.1] * 17, [0.05] * 40]),
    reset=st.sampled_from(["soft", "hard"]),
)
def test_a_layer_run_step_by_step_is_the_layer_in_a_kernel(seed: int, steps: int, taps: Any, reset: Any) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, 3, 5, generator=generator, dtype=torch.float64)
    recurrent = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    taps = torch.tensor(taps, dtype=torch.float64) if isinstance(taps, list) else taps
    neuron = new_neurons(NetworkConfig(reset=reset), 5, None)
    stepped = stepped_recurrence(x, SkipLayer(None, None, recurrent, taps), neuron)
    assert torch.equal(stepped, driven_recurrence(x, recurrent, taps, Dynamics(reset=reset), kernel="autograd"))


class _Written(TorchDispatchMode):
    """Counts the numbers that operations make."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        of = made if isinstance(made, tuple | list) else (made,)
        self.numbers += sum(each.numel() for each in of if isinstance(each, Tensor))
        return made


@pytest.mark.parametrize("taps", [1, [0.3, 0.7]])
def test_the_work_of_a_stepped_layer_grows_with_its_steps_and_not_with_their_square(taps: Any) -> None:
    taps = torch.tensor(taps) if isinstance(taps, list) else taps
    neuron = new_neurons(NetworkConfig(neuron="tc-lif"), 4, None)

    def work(steps: int) -> int:
        x = torch.zeros(steps, 2, 4, requires_grad=True)
        with _Written() as written:
            stepped_recurrence(x, SkipLayer(None, None, torch.eye(4), taps), neuron).sum().backward()
        return written.numbers

    assert work(640) < 4.5 * work(160)


def test_what_a_stepped_layer_cannot_be_fed_is_a_named_error() -> None:
    network = SkipRecurrentNetwork(2, 3, NetworkConfig(neuron="clif", hidden=(4,)))
    with pytest.raises(InvalidData, match="NaN"):
        network(torch.full((5, 2, 2), float("nan")))
    with pytest.raises(InvalidData, match="it has 3 channels, the layer takes 2"):
        network(torch.zeros(5, 2, 3))
    gated = SkipRecurrentNetwork(2, 3, NetworkConfig(neuron="glif", hidden=(4,)), 5)
    assert gated(torch.zeros(4, 2, 2)).shape == (2, 3)
    with pytest.raises(InvalidData, match="more than the 5 steps for which conductances were learned"):
        gated(torch.zeros(6, 2, 2))


@pytest.fixture(scope="module")
def few() -> Dataset:
    """Part of the digits, and of each digit twelve pixels."""
    whole, steps = data.load("digits"), slice(20, 32)
    return replace(
        whole,
        shape=replace(whole.shape, steps=12),
        train_x=whole.train_x[:240, steps],
        train_y=whole.train_y[:240],
        test_x=whole.test_x[:50, steps],
        test_y=whole.test_y[:50],
    )


@pytest.fixture
def few_digits(few: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(data, "load", lambda name, dt, validation_fraction: few)
    return few


def everything(neuron: str, connection: str, **network: object) -> Config:
    """A configuration in which all that can be combined is."""
    combined = {
        "neuron": neuron,
        "connection": connection,
        "hidden": [6, 5],
        "kernel_length": 4,
        "kernels": 2,
        "span": 3,
        "sparsity": 0.4,
        "dropout": 0.1,
        "batch_norm": True,
        "shared_span": connection in LEARNED,
        **network,
    }
    training = {"epochs": 2, "batch_size": 100, "learning_rate": 0.01, "seed": 3}
    return validated({"data": {"name": "digits"}, "network": combined, "training": training}, "test")


def interrupted_in_the_second_epoch(event: Epoch | BatchDone) -> None:
    if isinstance(event, BatchDone) and event.epoch == 2:
        raise KeyboardInterrupt


def same(a: Checkpoint, b: Checkpoint) -> bool:
    tensors = all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    return tensors and (a.history, a.scores, a.spans, a.config) == (b.history, b.scores, b.spans, b.config)


@pytest.mark.parametrize("connection", SKIPPING)
@pytest.mark.parametrize("neuron", RECURRENT)
def test_every_combination_goes_all_the_way(neuron: str, connection: str, few_digits: Dataset, tmp_path: Path) -> None:
    """Trained, interrupted and resumed, kept, loaded, frozen and exported, or refused by name."""
    config, out, resumed = everything(neuron, connection), tmp_path / "model.pt", tmp_path / "resumed.pt"
    trained = fit(config, out)
    assert all(np.isfinite(epoch["loss"]) for epoch in trained.history)
    with pytest.raises(KeyboardInterrupt):
        fit(config, resumed, observers=(interrupted_in_the_second_epoch,))
    assert same(trained, fit(config, resumed, resume=True))
    loaded = checkpoint.load(out)
    assert same(trained, loaded)
    x = torch.rand(12, 4, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(trained.network()(x), loaded.network()(x))
    layer = loaded.network().layers[0]
    assert isinstance(layer, SkipRecurrentLayer)
    if layer.neuron.missing or layer.connection.missing:
        with pytest.raises(CannotFreeze, match=f"'({neuron}|{connection})' cannot be frozen.*comes closest") as caught:
            freeze(loaded)
        assert str(caught.value).count(".") == 1
        return
    frozen = freeze(loaded)
    assert tuple(each.span for each in frozen.layers) == loaded.spans
    exported = quantize.quantize(frozen, targets.load("loihi2")).network
    for i, (each, integers) in enumerate(zip(frozen.layers, exported.hidden, strict=True)):
        assert integers.neuron.kind == layer.neuron.kind
        forward, back = integers.connections
        for name, floats, whole in (
            ("feedforward", each.weight, forward.weights),
            ("recurrent", each.recurrent, back.weights),
        ):
            absent = ~loaded.tensors[f"layers.{i}.{name}.mask"].numpy()
            assert absent.any()
            assert not floats[absent].any()
            assert not whole[absent].any()
        assert back.longest_lag == each.span or each.taps


def test_a_frozen_plif_layer_is_the_lif_layer_of_the_decay_that_it_learned(few_digits: Dataset, tmp_path: Path) -> None:
    trained = fit(everything("plif", "asrc", sparsity=0, decay=0.7), tmp_path / "m.pt")
    decays = [float(torch.sigmoid(trained.tensors[f"layers.{i}.neuron.w"])) for i in range(2)]
    assert all(decay != pytest.approx(0.7, abs=1e-4) for decay in decays)
    frozen = freeze(trained)
    assert [layer.decay for layer in frozen.layers] == decays
    exported = chain(quantize.quantize(frozen, targets.load("loihi2")).network)
    assert [layer.decay for layer in exported.layers] == [round((1 - decay) * 4096) for decay in decays]
    own = [{"decay": decay} for decay in decays]
    network = trained.config.network.model_copy(update={"neuron": "lif"}).model_dump() | {"layers": own}
    plain = SkipRecurrentNetwork(1, 10, NetworkConfig.model_validate(network)).eval()
    plain.load_state_dict({name: tensor for name, tensor in trained.tensors.items() if ".neuron." not in name})
    x = torch.rand(12, 20, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(trained.network()(x), plain(x))


def test_fine_tuning_leaves_learned_decays_and_absent_weights_alone(tmp_path: Path) -> None:
    trained = fit(everything("plif", "k-asrc", shared_span=False), tmp_path / "m.pt")
    tuned = finetune.finetune(tmp_path / "m.pt", "loihi2", tmp_path / "q.pt", epochs=1)
    for i in range(2):
        assert torch.equal(tuned.tensors[f"layers.{i}.neuron.w"], trained.tensors[f"layers.{i}.neuron.w"])
        for name in ("feedforward", "recurrent"):
            weight, mask = (tuned.tensors[f"layers.{i}.{name}.{each}"] for each in ("weight", "mask"))
            assert not weight[~mask].any()
            assert not torch.equal(weight, trained.tensors[f"layers.{i}.{name}.weight"])
    assert [layer.decay for layer in freeze(tuned).layers] == [layer.decay for layer in freeze(trained).layers]


@pytest.mark.parametrize("neuron", RECURRENT)
def test_what_a_neuron_learns_does_not_decay(neuron: str) -> None:
    config = everything(neuron, "asrc")
    network = SkipRecurrentNetwork(1, 10, config.network, 12)
    (weights, constants, _) = make_optimizer(network, config).param_groups
    assert constants["weight_decay"] == 0
    found = {id(p) for p in constants["params"]}
    own = [p for layer in network.layers for p in layer.neuron.parameters()]  # type: ignore[union-attr]
    assert {id(p) for p in own} <= found
    assert not found & {id(p) for p in weights["params"]}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"neuron": "plif", "decay": 1}, "'plif': .*within a sigmoid, which cannot start at 1"),
        ({"neuron": "glif", "decay": 0}, "'glif': .*within a sigmoid, which cannot start at 0"),
        ({"neuron": "glif", "threshold": 0.8}, "'glif': it has a threshold of its own.*leave threshold away"),
        ({"neuron": "glif", "reset": "hard"}, "'glif': it has a reset of its own"),
        ({"neuron": "clif", "reset": "hard"}, "'clif': it has a reset of its own"),
        ({"neuron": "tc-lif", "decay": 0.9}, "'tc-lif': it has a decay of its own"),
        ({"neuron": "glif"}, "'glif': it learns a conductance for each step; say how many"),
        ({"neuron": "glif-steady"}, "'glif-steady': its leak starts at a share of the steps; say how many"),
        ({"connection": "per-step"}, "'per-step': it learns a span for each step; say how many"),
    ],
)
def test_settings_that_a_neuron_cannot_obey_are_refused_by_name(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        SkipRecurrentNetwork(1, 10, NetworkConfig(**settings))
