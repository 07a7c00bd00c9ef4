"""Layers in modules of one's own: made by name or of objects, trained, copied, compiled, and looked at for export."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from asrc_core.errors import AsrcError, InvalidData, InvalidSetting, UnknownName
from asrc_train import SkipRecurrentLayer, SkipRecurrentNetwork, as_checkpoint, load, save
from asrc_train.network import connections, neurons
from asrc_train.network.connections.asrc import AdaptiveSpan
from asrc_train.network.connections.src import FixedSpan
from asrc_train.network.neurons.glif import GLIF
from asrc_train.network.neurons.lif import LIF
from asrc_train.network.parts import LayerSettings, NetworkSettings
from asrc_train.network.recurrence import Dynamics, using
from asrc_train.settings.config import NetworkConfig, network_config

STEPS, CHANNELS, CLASSES = 12, 2, 3
SCALE, ZERO = 0.25, 4


class Own(nn.Module):
    """Two layers and a readout, as a user writes it; ``how`` says how logits come from spikes."""

    def __init__(self, how: str = "sum", first: str = "time", raw: bool = False, **settings: Any) -> None:
        super().__init__()
        self.below = SkipRecurrentLayer(CHANNELS, 8, "src", span=3, **settings)
        self.above = SkipRecurrentLayer(8, 6, "src", span=2, decay=0.75)
        self.out = nn.Linear(6, CLASSES)
        self.how, self.first, self.raw = how, first, raw

    def forward(self, x: Tensor) -> Tensor:
        x = (x - ZERO) * SCALE if self.raw else x
        x = x.transpose(0, 1) if self.first == "samples" else x
        s = self.above(self.below(x))
        if self.how == "sum":
            return self.out(s).sum(0)
        if self.how == "mean":
            return self.out(s).mean(0)
        if self.how == "of sums":
            return self.out(s.sum(0))
        if self.how == "of means":
            return self.out(s.mean(0))
        if self.how == "softmax":
            return self.out(s.sum(0)).softmax(1)
        return self.out(s[-1])


def samples(count: int = 5) -> Any:
    return np.random.default_rng(0).integers(0, 17, (count, STEPS, CHANNELS))


def fed() -> Tensor:
    return torch.from_numpy((samples() - ZERO) * SCALE).float().transpose(0, 1)


def seeded(**settings: Any) -> Own:
    torch.manual_seed(1)
    made = Own(**settings)
    with torch.no_grad():
        for layer in (made.below, made.above):
            layer.feedforward.weight.mul_(3)
    return made


@pytest.mark.parametrize("connection", sorted({*connections.names()} - {"delays", "none"}))
@pytest.mark.parametrize("neuron", ["lif", "plif", "clif"])
def test_a_layer_is_made_by_the_names_of_its_parts(connection: str, neuron: str) -> None:
    layer = SkipRecurrentLayer(CHANNELS, 5, connection, neuron, steps=STEPS)
    spikes = layer(torch.rand(STEPS, 4, CHANNELS), 1.0)
    assert spikes.shape == (STEPS, 4, 5)
    spikes.sum().backward()
    assert layer.recurrent.weight.grad is not None
    assert len(repr(layer)) < 120
    assert connection in repr(layer)


def test_names_and_objects_make_the_same_layer() -> None:
    torch.manual_seed(0)
    named = SkipRecurrentLayer(CHANNELS, 5, "src", "lif", span=4, decay=0.8)
    torch.manual_seed(0)
    made = SkipRecurrentLayer(CHANNELS, 5, FixedSpan(4), LIF(Dynamics(0.8)))
    x = torch.rand(STEPS, 3, CHANNELS) * 4
    assert torch.equal(named(x), made(x))


REFUSED = [
    ({"inputs": 0}, "inputs: 0 is not a whole number"),
    ({"inputs": "2"}, "inputs: '2' is not a whole number"),
    ({"size": 2.5}, "size: 2.5 is not a whole number"),
    ({"connection": "asrx"}, "unknown connection 'asrx'"),
    ({"connection": None}, "connection: 'NoneType' is neither a name"),
    ({"connection": FixedSpan}, "FixedSpan is a class"),
    ({"connection": nn.Linear(2, 2)}, "'Linear' is neither a name"),
    ({"connection": FixedSpan(2), "span": 3}, "span: the connection is an object"),
    ({"connection": "vanilla", "span": 3}, "span: connection 'vanilla' has none; leave it away, or take src"),
    ({"connection": "asrc", "span": 3}, "span: connection 'asrc' has none"),
    ({"connection": "src", "kernel_length": 3}, "take asrc or k-asrc or per-step"),
    ({"neuron": "ssm"}, "^SkipRecurrentLayer: connection: 'ssm' has no recurrent connection"),
    ({"neuron": "lifs"}, "unknown neuron 'lifs'"),
    ({"neuron": 3}, "neuron: 'int' is neither a name"),
    ({"neuron": LIF(Dynamics()), "decay": 0.3}, "decay: the neuron is an object"),
    ({"neuron": GLIF(4, STEPS, 0.5, False)}, "make it for as many as the layer has"),
    ({"neuron": "glif"}, "say how many a sample has"),
    ({"neuron": "plif", "decay": 1.0}, "choose between 0 and 1"),
    ({"decai": 0.5}, "did you mean 'decay'"),
    ({"decay": 2}, "SkipRecurrentLayer, decay"),
    ({"connection": "k-asrc", "kernels": 9, "kernel_length": 4}, "9 cannot choose among 4 spans"),
    (
        {"connection": "delays", "neuron": "cuba-lif", "reset": "hard"},
        "a whole network learns and no single layer",
    ),
    ({"steps": "ten"}, "steps: 'ten'"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_does_not_fit_is_said_at_construction(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AsrcError, match=sentence) as error:
        SkipRecurrentLayer(**{"inputs": CHANNELS, "size": 5, **arguments})
    assert str(error.value).endswith(".")


def test_a_network_takes_its_settings_one_by_one() -> None:
    network = SkipRecurrentNetwork(CHANNELS, CLASSES, hidden=(6, 5), connection="src", span=3)
    assert network.spans == [3, 3]
    assert network.config == NetworkConfig(hidden=(6, 5), connection="src", span=3)
    assert len(repr(network)) < 120
    assert "<table>" in network._repr_html_()
    for arguments, sentence in [
        ({"hidden": ()}, "hidden"),
        ({"hidden": 4}, r"hidden: give a list of values, such as \[64, 64\]"),
        ({"connection": "vanilla", "span": 3}, "span: connection 'vanilla' has none"),
        ({"hiden": (4,)}, "did you mean 'hidden'"),
        ({"config": {}}, "give a NetworkConfig"),
        ({"config": NetworkConfig(), "span": 2}, "the configuration says it"),
        ({"classes": 0}, "classes: 0"),
    ]:
        with pytest.raises(InvalidSetting, match=sentence):
            SkipRecurrentNetwork(**{"channels": 1, "classes": 2, **arguments})


def test_the_settings_of_layers_and_networks_are_those_of_the_configuration() -> None:
    assert set(NetworkSettings.__annotations__) < set(NetworkConfig.model_fields), "what is of delays is not there"
    assert set(LayerSettings.__annotations__) < set(NetworkConfig.model_fields)


@pytest.mark.parametrize("x", [None, [[1.0]], np.zeros((2, 2, 2)), torch.zeros(3), torch.zeros(2, 2, 2).int()])
def test_a_layer_fed_with_something_else_says_so(x: Any) -> None:
    for module in (SkipRecurrentLayer(2, 3), SkipRecurrentNetwork(2, 3, hidden=(4,))):
        with pytest.raises(InvalidData, match="input x"):
            module(x)
        with pytest.raises(InvalidData, match="it has 7 channels, the layer takes 2"):
            module(torch.rand(4, 3, 7))
        with pytest.raises(InvalidSetting, match="temperature"):
            module(torch.zeros(2, 1, 2), 0.0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_is_as_sparse_as_the_original(copied: Any) -> None:
    layer = copied(SkipRecurrentLayer(CHANNELS, 8, sparsity=0.5, neuron="plif"))
    layer(torch.rand(STEPS, 3, CHANNELS) * 4, 1.0).sum().backward()
    gradient = layer.recurrent.weight.grad
    assert gradient is not None
    assert gradient.any()
    assert not gradient[~layer.recurrent.get_buffer("mask")].any()


@pytest.mark.parametrize("kernel", ["native", "bptt", "autograd"])
@pytest.mark.parametrize("span", [2, STEPS + 1])
def test_a_learned_decay_beside_a_fixed_threshold_gets_its_gradient(kernel: str, span: int) -> None:
    layer = SkipRecurrentLayer(CHANNELS, 5, "src", "plif", span=span)
    with using(kernel):
        layer(torch.rand(STEPS, 3, CHANNELS) * 4).sum().backward()
    assert all(p.grad is not None for p in layer.neuron.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the compiler looks at it
def test_compiled_layers_give_what_they_give_uncompiled() -> None:
    plain = seeded()
    compiled = torch.compile(copy.deepcopy(plain), backend="eager")
    x = fed()
    for module in (plain, compiled):
        module(x).square().sum().backward()
    assert torch.equal(plain(x), compiled(x))
    assert torch.equal(plain.below.feedforward.weight.grad, compiled.below.feedforward.weight.grad)


@pytest.mark.parametrize("how", ["sum", "mean", "of sums", "of means"])
@pytest.mark.parametrize("first", ["time", "samples"])
@pytest.mark.parametrize("raw", [False, True])
def test_a_checkpoint_of_an_own_module_answers_as_the_module_does(
    how: str, first: str, raw: bool, tmp_path: Any
) -> None:
    module = seeded(how=how, first=first, raw=raw).train()
    trained = as_checkpoint(module, samples=samples(), scale=SCALE, zero=ZERO, maximum=16, classes=("a", "b", "c"))
    assert module.training
    save(trained, tmp_path / "model.pt")
    network = load(tmp_path / "model.pt").network()
    x = samples()
    given = torch.from_numpy(x if raw else (x - ZERO) * SCALE).float()
    with torch.no_grad():
        expected = module(given.transpose(0, 1) if first == "time" else given)
        found = network(torch.from_numpy(x * SCALE).float().transpose(0, 1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert trained.provenance["classes"] == ["a", "b", "c"]
    assert trained.spans == (3, 2)


class Skips(Own):
    """The second layer gets the samples, too."""

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.above(torch.cat([self.below(x)[..., :6], x], 2)).sum(0))


class Twice(Own):
    """A layer that runs twice."""

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.above(self.below(x) * self.below(x)).sum(0))


class Mixed(Own):
    """A layer that keeps its mixture."""

    def __init__(self) -> None:
        super().__init__()
        self.below = SkipRecurrentLayer(CHANNELS, 8, AdaptiveSpan(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.above(self.below(x, 1.0)).sum(0))


class Normalised(Own):
    """A normalisation of PyTorch's."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)


class TwoHeads(Own):
    """Two readouts."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Linear(6, 2)


class Tuple(Own):
    """Not logits."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x), x


NOT_TAKEN = [
    (lambda: Skips(), "layer 'above' is not fed with what the spikes of 'below' give"),
    (lambda: Twice(), "layer 'below' runs 2 times"),
    (lambda: Mixed(), "temperature in evaluation mode"),
    (lambda: Normalised(), r"'norm' \(BatchNorm1d\) has parameters"),
    (lambda: TwoHeads(), r"2 nn.Linear \(out, other\)"),
    (lambda: Tuple(), "it returns tuple"),
    (lambda: seeded(how="last"), "is not 'out' of the last layer's spikes"),
    (lambda: seeded(how="softmax"), "without a softmax"),
    (lambda: nn.Sequential(nn.Linear(2, 2)), "holds no SkipRecurrentLayer"),
]


@pytest.mark.parametrize(("make", "sentence"), NOT_TAKEN, ids=[sentence for _, sentence in NOT_TAKEN])
def test_a_module_that_computes_something_else_is_refused_by_name(make: Any, sentence: str) -> None:
    torch.manual_seed(1)
    with pytest.raises(InvalidSetting, match=sentence):
        as_checkpoint(make(), samples=samples(), scale=SCALE, zero=ZERO)


def test_a_network_within_a_module_is_taken() -> None:
    class Lightning(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = SkipRecurrentNetwork(CHANNELS, CLASSES, hidden=(6,), connection="asrc")

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)

    module = Lightning()
    trained = as_checkpoint(module, samples=samples(), scale=SCALE, zero=ZERO)
    assert torch.equal(trained.tensors["readout.weight"], module.network.readout.weight)
    assert trained.config.network == module.network.config


SAMPLES_REFUSED = [
    ({"samples": [1]}, "they are a list"),
    ({"samples": np.zeros((3, 4))}, r"their shape is \(3, 4\)"),
    ({"samples": np.zeros((3, 4, 2))}, "they are float64, and a chip is fed integers"),
    ({"samples": np.full((3, 4, 2), -1)}, "their least value is -1"),
    ({"samples": np.ones((3, 4, 5), int)}, "5 channels"),
    ({"samples": samples(), "maximum": 3}, "and maximum is 3"),
    ({"scale": 0}, "scale: 0"),
    ({"scale": "1"}, "scale: '1'"),
    ({"scale": None}, "the real value of one integer step is not known"),
    ({"zero": None}, "zero: None"),
    ({"classes": "abc"}, "no list of names"),
    ({"classes": ["a", "b"]}, "2 names and the readout has 3"),
    ({"classes": ["a", "b", "b"]}, "taken twice"),
    ({"unit": 3}, "samples, unit"),
    ({"samples": None}, "it is not known"),
    ({"temperature": 0}, "temperature: 0 is not a number above 0"),
]


@pytest.mark.parametrize(("arguments", "sentence"), SAMPLES_REFUSED, ids=[sentence for _, sentence in SAMPLES_REFUSED])
def test_what_is_said_of_samples_has_to_fit(arguments: dict[str, Any], sentence: str) -> None:
    network = SkipRecurrentNetwork(CHANNELS, CLASSES, hidden=(6,))
    with pytest.raises(AsrcError, match=sentence):
        as_checkpoint(network, **{"samples": samples(), "scale": 1, **arguments})


def test_layers_of_objects_have_no_checkpoint() -> None:
    module = seeded()
    module.below = SkipRecurrentLayer(CHANNELS, 8, FixedSpan(2))
    with pytest.raises(InvalidSetting, match="a checkpoint knows them by name"):
        as_checkpoint(module, samples=samples(), scale=1)


def test_samples_of_0_and_1_need_no_scale() -> None:
    network = SkipRecurrentNetwork(CHANNELS, CLASSES, hidden=(6,))
    assert as_checkpoint(network, samples=samples() % 2).scale == 1


def test_every_neuron_that_a_name_makes_is_one_that_an_object_may_be() -> None:
    for name in (name for name in neurons.names() if not neurons.is_state_space(name)):
        made = SkipRecurrentLayer(CHANNELS, 5, neuron=name, steps=STEPS)
        again = SkipRecurrentLayer(CHANNELS, 5, neuron=made.neuron)
        assert again.neuron is made.neuron


def test_samples_that_leave_the_last_layer_silent_do_not_tell_how_it_is_read_out() -> None:
    """The first of them are of one class, as in files that are sorted."""
    module = seeded(how="last step")
    with torch.no_grad():
        for layer in (module.below, module.above):
            layer.feedforward.bias.zero_()
    silent = np.full((40, STEPS, CHANNELS), ZERO)
    told = {"scale": SCALE, "zero": ZERO}
    with pytest.raises(InvalidSetting, match=r"never fires on the .* looked at, which hides how it is read out"):
        as_checkpoint(module, samples=silent, **told)
    sorted_by_class = np.concatenate([silent, samples(40)])
    with pytest.raises(InvalidSetting, match="is not 'out' of the last layer's spikes"):
        as_checkpoint(module, samples=sorted_by_class, **told)
    as_checkpoint(seeded(), samples=sorted_by_class, **told)


def test_a_data_set_that_nobody_knows_is_not_written_into_a_checkpoint() -> None:
    with pytest.raises(UnknownName, match="unknown data set 'nosuchdata'"):
        as_checkpoint(seeded(), samples=samples(), scale=SCALE, zero=ZERO, data="nosuchdata")


def test_layers_that_only_whole_networks_hold_are_refused_with_the_way_there() -> None:
    class Resonating(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            config = network_config({"neuron": "ssm", "connection": "none", "hidden": [4]}, "test")
            self.layer = SkipRecurrentNetwork(CHANNELS, CLASSES, config).layers[0]
            self.out = nn.Linear(4, CLASSES)

    with pytest.raises(InvalidSetting, match="as a SkipRecurrentNetwork with their neuron and connection 'none'"):
        as_checkpoint(Resonating(), samples=samples(), scale=SCALE, zero=ZERO)


@pytest.mark.parametrize("settings", [{"tau_membrane": 3.0}, {"modes": 3}, {"max_delay": 4}])
def test_a_setting_that_a_layer_does_not_read_is_refused_when_it_is_made(settings: dict[str, Any]) -> None:
    name = next(iter(settings))
    with pytest.raises(InvalidSetting, match=f"{name}: nothing reads it here"):
        SkipRecurrentNetwork(CHANNELS, CLASSES, hidden=(4,), **settings)
    if name == "tau_membrane":
        with pytest.raises(InvalidSetting, match=f"{name}: nothing reads it here"):
            SkipRecurrentLayer(CHANNELS, 4, **settings)
