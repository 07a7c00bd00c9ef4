"""Layers of state-space neurons: trained, resumed, frozen with their window folded, stacked, or refused by name."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asrc_core.errors import CannotFreeze, InvalidSetting
from asrc_train import data
from asrc_train.commands import train as command
from asrc_train.data.dataset import Dataset
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.network.state_space.neurons import StateSpaceNeurons, started
from asrc_train.settings import recipe
from asrc_train.settings.config import Config, NetworkConfig, from_recipe
from asrc_train.settings.recipe import configured
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenLayer
from asrc_train.training.fit import BatchDone, Epoch, fit, make_optimizer

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 12
NEURONS = ("ssm", "prf", "frssm", "pssm")


@pytest.fixture(scope="module")
def few() -> Dataset:
    """Part of the digits, and of each digit twelve pixels."""
    whole, steps = data.load("digits"), slice(20, 20 + STEPS)
    return replace(
        whole,
        shape=replace(whole.shape, steps=STEPS),
        train_x=whole.train_x[:80, steps],
        train_y=whole.train_y[:80],
        test_x=whole.test_x[:50, steps],
        test_y=whole.test_y[:50],
    )


@pytest.fixture
def few_digits(few: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(data, "load", lambda name, dt, validation_fraction: few)
    return few


def config(neuron: str, epochs: int = 2, layers: Any = (), **network: Any) -> Config:
    made = {"neuron": neuron, "connection": "none", "hidden": [7, 5], "batch_norm": True, "layers": layers, **network}
    return Config.model_validate(
        {
            "data": {"name": "digits"},
            "network": made,
            "training": {"epochs": epochs, "batch_size": 16, "learning_rate": 0.01},
        }
    )


def interrupted_in_the_second_epoch(done: Epoch | BatchDone) -> None:
    if isinstance(done, BatchDone) and done.epoch == 2:
        raise KeyboardInterrupt


def with_own_constants(trained: Checkpoint) -> Checkpoint:
    """Every constant moved away from where it started."""
    torch.manual_seed(5)
    for name, tensor in trained.tensors.items():
        if ".neuron." in name or name.endswith(("beta", "mean")):
            tensor.add_(0.2 * torch.randn_like(tensor))
        if name.endswith("window"):
            tensor[:, 0] += 0.5
    return trained


@pytest.mark.parametrize("neuron", NEURONS)
def test_it_goes_all_the_way(neuron: str, few_digits: Dataset, tmp_path: Path) -> None:
    """Trained, interrupted and resumed, kept, loaded."""
    given, out, resumed = (
        config(neuron, dropout=0.2, sparsity=0.3, rounding_noise=8),
        tmp_path / "a.pt",
        tmp_path / "b.pt",
    )
    trained = fit(given, out)
    with pytest.raises(KeyboardInterrupt):
        fit(given, resumed, observers=(interrupted_in_the_second_epoch,))
    again = fit(given, resumed, resume=True)
    loaded = checkpoint.load(out)
    for other in (again, loaded):
        assert (other.history, other.scores, other.config) == (trained.history, trained.scores, trained.config)
        assert all(torch.equal(other.tensors[name], tensor) for name, tensor in trained.tensors.items())
    x = torch.rand(STEPS, 4, 1)
    assert torch.equal(loaded.network()(x), trained.network()(x))
    assert {"aliased_layer0", "firing_layer0", "aliased_layer1", "firing_layer1"} == set(trained.history[0]["figures"])
    assert trained.spans == (0, 0)
    moved = trained.network().state_dict()
    torch.manual_seed(given.training.seed)
    fresh = SkipRecurrentNetwork(1, 10, given.network, STEPS).state_dict()
    for name in moved:
        if name.endswith(("log_dt", "log_decay", "turn", "read", "direct", "window")):
            assert not torch.equal(moved[name], fresh[name]), f"{name} learns"


@pytest.mark.parametrize(
    "settings",
    [
        {"neuron": "prf", "threshold": 0.4},
        {"neuron": "frssm", "modes": 2},
        {"neuron": "pssm", "window": 8, "modes": 3},
        {"neuron": "pssm", "period": 2, "initialization": "s4d-inv"},
        {"neuron": "ssm", "initialization": "real-lin", "batch_norm": False, "threshold": 0.7},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_frozen_it_fires_as_the_trained_network_does(
    settings: dict[str, Any], few_digits: Dataset, tmp_path: Path
) -> None:
    """Batch normalisation and window folded, in float64, on every sample and step."""
    trained = with_own_constants(fit(config(epochs=1, **{"hidden": [16, 12], **settings}), tmp_path / "m.pt"))
    network = trained.network().double()
    x = torch.from_numpy(few_digits.test_x).double().transpose(0, 1) / 16
    logits, expected = network.traced(x)
    frozen, sent = freeze(trained), x.numpy()
    for layer, spikes in zip(frozen.layers, expected, strict=True):
        assert layer.kind == "resonator"
        assert len(layer.connections) == 1
        sent = run_frozen(layer, sent)
        np.testing.assert_array_equal(sent, spikes.detach().numpy())
        assert 0.01 < sent.mean() < 0.9
    summed = sent.sum(0) @ frozen.readout_weight.T + STEPS * frozen.readout_bias
    np.testing.assert_allclose(summed / STEPS, logits.detach().numpy(), rtol=1e-9, atol=1e-12)


def run_frozen(layer: FrozenLayer, sent: Any) -> Any:
    """The equations of `network.state_space.folding`."""
    of, z, currents, spikes = layer.constants, 0.0, [], []
    for t, now in enumerate(sent):
        u = now @ layer.weight.T + layer.bias
        z = of["pole"] * z + u[..., None]
        h = (of["readout"] * z).sum(-1).real + of["direct"] * u
        for i in range(min(t, of["taps"].shape[1])):
            h = h + of["taps"][:, i] * currents[t - 1 - i]
        recent = spikes[max(0, t - of["period"]) :]
        rests = np.any(recent, axis=0) if recent and of["period"] else np.zeros(h.shape, bool)
        currents.append(u)
        spikes.append((h >= of["threshold"]) & ~rests)
    return np.stack(spikes).astype(float)


def test_a_pole_that_does_not_fade_is_named_when_frozen(few_digits: Dataset, tmp_path: Path) -> None:
    trained = fit(config("ssm", epochs=1), tmp_path / "m.pt")
    trained.tensors["layers.1.neuron.log_dt"][3] = -60.0
    with pytest.raises(CannotFreeze, match=r"layers.1, neuron 'ssm'.*neuron 3, mode 0, has the size 1"):
        freeze(trained)
    with pytest.raises(InvalidSetting, match=r"layer 1, pole.*neuron 3, mode 0"):
        trained.network()(torch.rand(STEPS, 2, 1))


def test_poles_and_read_out_learn_at_rates_of_their_own() -> None:
    given = configured("digits-pssm", pole_learning_rate=0.0005, mode_learning_rate=0.02, learning_rate=0.01)
    network = SkipRecurrentNetwork(1, 10, given.network, 64)
    groups = make_optimizer(network, given).param_groups
    rates = {id(p): (group["factor"] * 0.01, group["weight_decay"]) for group in groups for p in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    for name, p in network.named_parameters():
        ending = name.rsplit(".")[-1]
        expected = {"weight": (0.01, 0.01), "bias": (0.01, 0.01), "gamma": (0.01, 0.0), "beta": (0.01, 0.0)}
        expected |= dict.fromkeys(("log_dt", "log_decay", "turn"), (0.0005, 0.0))
        expected |= dict.fromkeys(("read", "direct", "window"), (0.02, 0.0))
        assert rates[id(p)] == pytest.approx(expected[ending])


def test_white_noise_of_variance_one_is_read_with_about_that_variance() -> None:
    torch.manual_seed(0)
    for modes, plain in ((1, True), (4, False)):
        neurons = StateSpaceNeurons(64, modes, plain=plain, steps=100)
        if neurons.direct is not None:
            neurons.direct = None
        of = neurons.resonators()
        pole, read = torch.complex(*of.pole), torch.complex(*of.readout)
        powers = pole ** torch.arange(4000)[:, None, None]
        power = (read * powers).sum(-1).real.square().sum(0).mean().item()
        assert 0.7 < power < 1.4


def test_where_poles_start() -> None:
    decay, turn = started("s4d-lin", 2, 4)
    assert torch.equal(decay, torch.full((2, 4), 0.5))
    assert turn is not None
    torch.testing.assert_close(turn[1], math.pi * torch.arange(4.0))
    inverse = started("s4d-inv", 1, 4)[1]
    assert inverse is not None
    torch.testing.assert_close(inverse[0], 8 / math.pi * (8 / (2 * torch.arange(4.0) + 1) - 1))
    assert started("real", 1, 4)[0].tolist() == [[1, 2, 3, 4]]
    spread, none = started("real-lin", 2, 4)
    assert none is None
    torch.testing.assert_close(spread, torch.hypot(decay, turn))
    lone = started("s4d-lin", 10, 1)[1]
    assert lone is not None
    assert len(lone.unique()) == 8


def test_modes_that_alias_are_counted_and_told(few_digits: Dataset, tmp_path: Path) -> None:
    neurons = StateSpaceNeurons(3, 2, steps=64)
    assert neurons.aliased() == 0
    with torch.no_grad():
        neurons.turn[1] = 4 / neurons.log_dt[1].exp()  # type: ignore[index]
    assert neurons.aliased() == 2
    history = [{"figures": {"aliased_layer0": 2.0, "aliased_layer1": 0.0}}]
    (note,) = command.told(history)
    assert note.startswith("2 modes of layer0 turn by more than pi a step")


def test_layers_stack_with_recurrent_ones(few_digits: Dataset, tmp_path: Path) -> None:
    given = config("lif", connection="asrc", hidden=[6, 7, 5], layers=[{}, {"neuron": "pssm"}, {"decay": 0.7}])
    trained = fit(given, tmp_path / "m.pt")
    network = checkpoint.load(tmp_path / "m.pt").network()
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [SkipRecurrentLayer, StateSpaceLayer, SkipRecurrentLayer]
    assert [len(lags) for lags in trained.history[0]["skip_weights"]] == [16, 0, 16]
    assert [layer.kind for layer in freeze(trained).layers] == ["lif", "resonator", "lif"]


def test_a_layer_stands_alone_and_in_a_copy() -> None:
    layer = StateSpaceLayer(3, 6, "pssm", steps=20, batch_norm=True, sparsity=0.5)
    assert repr(layer) == "StateSpaceLayer(3 -> 6, pssm, modes 4, period 0, window 4)"
    x = torch.randn(20, 4, 3)
    assert layer(x).shape == (20, 4, 6)
    twin = copy.deepcopy(layer)
    twin(x).sum().backward()
    weight, mask = twin.feedforward.weight, twin.feedforward.get_buffer("mask")
    assert weight.grad is not None
    assert not weight.grad[~mask].any()


def test_dropout_silences_a_current_for_a_whole_sample() -> None:
    torch.manual_seed(0)
    layer = StateSpaceLayer(1, 40, "prf", steps=20, dropout=0.5, batch_norm=True)
    u = layer.current(torch.randn(20, 3, 1))
    silent = (u == 0).all(0)
    assert torch.equal(silent, (u == 0).any(0))
    assert 0.3 < silent.double().mean() < 0.7


def test_a_known_span_of_time_scales_the_time_constants() -> None:
    torch.manual_seed(0)
    fast, slow = (StateSpaceNeurons(200, 1, steps=steps).log_dt.detach().exp() for steps in (10, 10_000))
    assert 1e-4 <= slow.min() < 2e-4
    assert fast.min() >= 0.1
    assert max(fast.max(), slow.max()) <= 0.25


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"neuron": "prf", "modes": 2}, "'prf': it has one mode, not 2"),
        ({"neuron": "ssm", "modes": 9}, "modes"),
        ({"neuron": "ssm", "period": 32}, "a period of 32 steps is beyond 31"),
        ({"neuron": "ssm", "window": 9}, "a window of 9 taps is beyond 8"),
        ({"neuron": "ssm", "connection": "asrc"}, "'ssm' has no recurrent connection, not 'asrc'; take 'none'"),
        ({"neuron": "lif"}, r"neuron 'lif' \(layer 0\) needs a recurrent one"),
        ({"neuron": "prf", "layers": [{"neuron": "lif"}, {}]}, r"neuron 'lif' \(layer 0\) needs a recurrent one"),
        ({"neuron": "ssm", "reset": "hard"}, "'ssm': it has a reset of its own"),
        ({"neuron": "ssm", "decay": 0.9}, "'ssm': it has a decay of its own"),
        ({"neuron": "ssm", "shared_span": True}, "no spans to share"),
        ({"neuron": "ssm", "bidirectional": True}, "bidirectional: .*cannot answer while samples come"),
        ({"neuron": "ssm", "layer_norm": True}, "layer_norm: only batch normalisation folds"),
        ({"neuron": "ssm", "glu": True}, "glu: between layers a chip sends spikes"),
        ({"neuron": "ssm", "gelu": True}, "gelu: between layers a chip sends spikes"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings: dict[str, Any], says: str) -> None:
    given = {"connection": "none", "hidden": (4, 4), **settings}
    with pytest.raises(InvalidSetting, match=says):
        SkipRecurrentNetwork(1, 2, NetworkConfig(**given), 10)


def test_a_recurrent_layer_of_such_neurons_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="make a StateSpaceLayer of it"):
        SkipRecurrentLayer(1, 4, "none", "ssm")
    with pytest.raises(InvalidSetting, match="needs a recurrent one"):
        StateSpaceLayer(1, 4, "lif")


def test_naming_the_neurons_is_enough() -> None:
    options = "--data digits --neuron prf --hidden 20 --period 1 --batch-norm --pole-learning-rate 0.002"
    given = command.configuration(command._parser().parse_args(options.split()))
    assert (given.network.connection, given.network.period, given.training.pole_learning_rate) == ("none", 1, 0.002)
    assert configured("digits", neuron="pssm").network.connection == "none"


@pytest.mark.parametrize("name", [name for name in recipe.names() if name.endswith(("prf", "ssm"))])
def test_recipes_are_small_enough_and_run(name: str) -> None:
    given = from_recipe(recipe.find(name), {})
    assert given.network.neuron == name.split("-")[1]
    network = SkipRecurrentNetwork(1, 10, given.network, 784)
    assert sum(p.numel() for p in network.parameters()) <= 160_000
    spikes: list[Tensor] = network.traced(torch.rand(20, 2, 1))[1]
    assert [s.shape[2] for s in spikes] == list(given.network.hidden)
