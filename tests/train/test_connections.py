"""Variants of the recurrent connection: several spans, a span per step, one span for all, absent weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from asrc_core.errors import CannotFreeze, InvalidData, InvalidSetting, UnreadableFile
from asrc_export.chip.shape import of_recipe
from asrc_train import data
from asrc_train.commands import train as cli
from asrc_train.network import connections
from asrc_train.network.connections.connection import learns_spans, settled
from asrc_train.network.connections.k_asrc import SeveralSpans
from asrc_train.network.connections.per_step import SpanPerStep
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.recurrence import driven_recurrence, using
from asrc_train.settings.config import Config, validated
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.training.fit import make_optimizer


def config(**network: object) -> Config:
    settings = {"hidden": [7, 9], "kernel_length": 5, "connection": "asrc", **network}
    return validated({"data": {"name": "digits"}, "network": settings, "training": {"learning_rate": 0.01}}, "test")


def untrained(change: Callable[[SkipRecurrentNetwork], None] = lambda network: None, **network: object) -> Checkpoint:
    """A checkpoint of a network that was not trained, but changed."""
    settings = config(**network)
    torch.manual_seed(5)
    made = SkipRecurrentNetwork(2, 4, settings.network, 20)
    with torch.no_grad():
        change(made)
    tensors = {name: tensor.detach() for name, tensor in made.state_dict().items()}
    return Checkpoint(settings, 2, 4, 20, 1.0, 16, tuple(made.spans), 1.0, tensors, None, [], {}, {})


@pytest.mark.parametrize("first", [0, 1])
def test_spans_are_learned_if_any_layer_learns_one(first: int) -> None:
    own = [{"neuron": "prf"}, {}]
    mixed = config(layers=[own[first], own[1 - first]])
    assert learns_spans(mixed.network)
    assert not learns_spans(config(layers=own, connection="vanilla").network)


def layers(network: SkipRecurrentNetwork) -> list[SkipRecurrentLayer]:
    return [layer for layer in network.layers if isinstance(layer, SkipRecurrentLayer)]


def choosing(spans: list[int], weights: list[float], kernel_length: int) -> SeveralSpans:
    """k-ASRC whose kernels prefer these spans, the nearer ones a little less; weights are shares."""
    made = SeveralSpans(len(spans), kernel_length)
    assert made.span_logits is not None
    with torch.no_grad():
        lags = torch.arange(1, kernel_length + 1)
        made.span_logits.copy_(torch.stack([-(lags - span).abs() * 1.0 for span in spans]))
        made.weight_logits.copy_(torch.tensor(weights).log())
    return made


def test_several_kernels_mix_their_softmaxes_and_at_test_time_their_spans() -> None:
    connection = choosing([2, 5, 2], [0.5, 0.3, 0.2], 5)
    assert connection.span_logits is not None
    softmaxes = torch.softmax(connection.span_logits / 0.6, 1)
    expected = 0.5 * softmaxes[0] + 0.3 * softmaxes[1] + 0.2 * softmaxes[2]
    torch.testing.assert_close(connection.taps(0.6), expected)
    torch.testing.assert_close(connection.taps(None), torch.tensor([0, 0.7, 0, 0, 0.3]))
    assert choosing([4, 4], [0.5, 0.5], 5).taps(None) == 4


def test_one_kernel_is_asrc_and_as_many_as_lags_weigh_every_lag() -> None:
    one, all_of_them = SeveralSpans(1, 5), SeveralSpans(5, 5)
    logits = torch.randn(5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert one.span_logits is not None
        assert not one.span_logits.any()
        one.span_logits[0] = logits
        all_of_them.weight_logits.copy_(logits)
    torch.testing.assert_close(one.taps(0.5), torch.softmax(logits / 0.5, 0))
    assert one.taps(None) == int(logits.argmax()) + 1
    torch.testing.assert_close(all_of_them.taps(0.5), torch.softmax(logits, 0))
    torch.testing.assert_close(all_of_them.taps(None), torch.softmax(logits, 0))


@pytest.mark.parametrize(
    ("taps", "span"),
    [
        ([0, 0, 1], 3),
        ([1e-9, 1, 2e-9], 2),
        ([0.25, 0.5, 0.25], None),
        ([0, 1, 1e-6], None),
        ([0, 1, 1], None),
        ([-1e-3, 1, 1e-3], None),
        ([0, 0.5, 0], None),
        ([0, 0, 0], None),
    ],
)
def test_a_mixture_has_settled_when_one_of_its_weights_is_all_there_is(taps: list[float], span: int | None) -> None:
    given = torch.tensor(taps, dtype=torch.float32)
    assert settled(given) is given if span is None else settled(given) == span
    assert settled(3) == 3
    each_step = torch.eye(3)
    assert settled(each_step) is each_step


@pytest.mark.parametrize("connection", ["asrc", "k-asrc"])
def test_a_layer_that_has_settled_trains_as_the_one_span_that_it_chose(connection: str) -> None:
    torch.manual_seed(1)
    layer = SkipRecurrentLayer(3, 6, connection=connection, kernel_length=9)
    logits = next(p for p in layer.connection.parameters() if p.shape[-1] == 9)
    with torch.no_grad():
        logits.zero_()
        logits[..., 4] = 1
    x = torch.randn(30, 5, 3)

    def gradients(temperature: float | None) -> list[Tensor]:
        layer.zero_grad()
        (layer(x, temperature) * x.sum(2, keepdim=True)).sum().backward()
        return [p.grad for p in (*layer.feedforward.parameters(), *layer.recurrent.parameters()) if p.grad is not None]

    for mine, chosen in zip(gradients(0.03), gradients(None), strict=True):
        assert torch.equal(mine, chosen)
    gradients(0.03)
    assert logits.grad is not None
    assert not logits.grad.any()
    gradients(1.0)
    assert logits.grad.any()


def test_kernels_start_apart_so_that_they_can_part() -> None:
    torch.manual_seed(0)
    connection = SeveralSpans(2, 6)
    taps = connection.taps(1.0)
    assert isinstance(taps, Tensor)
    (taps * torch.randn(6)).sum().backward()  # type: ignore[no-untyped-call]
    assert connection.span_logits is not None
    assert connection.span_logits.grad is not None
    assert not torch.allclose(*connection.span_logits.grad)


def test_a_layer_of_several_spans_freezes_to_weighted_taps_and_of_one_to_a_span() -> None:
    def choose(network: SkipRecurrentNetwork) -> None:
        layers(network)[0].connection.load_state_dict(choosing([3, 2, 3], [0.5, 0.3, 0.2], 5).state_dict())  # type: ignore[attr-defined]
        layers(network)[1].connection.load_state_dict(choosing([4, 4, 4], [0.5, 0.3, 0.2], 5).state_dict())  # type: ignore[attr-defined]

    trained = untrained(choose, connection="k-asrc", kernels=3)
    several, single = freeze(trained).layers
    assert [tap.span for tap in several.taps] == [2, 3]
    assert [tap.weight for tap in several.taps] == pytest.approx([0.3, 0.7])
    assert (several.span, single.span, single.taps) == (3, 4, ())
    assert trained.spans == (3, 4)


def test_the_kernels_run_several_spans_in_training_and_at_test_time() -> None:
    network = untrained(connection="k-asrc", kernels=2).network()
    x = torch.rand(20, 3, 2)
    answers = []
    for kernel in ("bptt", "autograd"):
        with using(kernel):
            answers.append((network(x), network(x, 0.7)))
    torch.testing.assert_close(*answers)


def test_each_step_hears_its_own_span() -> None:
    def choose(network: SkipRecurrentNetwork) -> None:
        for layer in layers(network):
            assert isinstance(layer.connection, SpanPerStep)
            layer.connection.step_logits[:12, 1] = layer.connection.step_logits[12:, 3] = 1.0

    trained = untrained(choose, connection="per-step", hidden=[6], batch_norm=True)
    network = trained.network()
    (layer,) = layers(network)
    x = torch.randn(20, 3, 2, generator=torch.Generator().manual_seed(0)) * 3
    current = layer.normalization(layer.feedforward(x))  # type: ignore[misc]
    early, late = (driven_recurrence(current, layer.recurrent.weight, span, layer.dynamics) for span in (2, 4))
    spikes = layer(x)
    assert torch.equal(spikes[:12], early[:12])
    assert not torch.equal(spikes, early)
    assert not torch.equal(spikes, late)
    assert trained.spans == (4,)
    with pytest.raises(CannotFreeze, match=r"'per-step' cannot be frozen.*at every step; 'asrc' comes closest"):
        freeze(trained)
    assert torch.equal(layer(x[:15]), spikes[:15])
    with pytest.raises(InvalidData, match="more than the 20 steps for which spans were learned"):
        network(torch.zeros(21, 3, 2))


@pytest.mark.parametrize("connection", ["asrc", "k-asrc", "per-step"])
def test_a_shared_span_is_one_set_of_logits_taught_by_all_layers(connection: str) -> None:
    settings = config(connection=connection, shared_span=True)
    torch.manual_seed(0)
    network = SkipRecurrentNetwork(2, 4, settings.network, 20)
    skip = make_optimizer(network, settings).param_groups[-1]
    assert {id(p) for p in skip["params"]} == {id(p) for p in layers(network)[0].connection.parameters()}
    x = torch.rand(20, 3, 2)
    network(x, 1.0).sum().backward()
    whole = [p.grad for p in network.skip_logits()]
    assert all(gradient is not None and gradient.any() for gradient in whole)
    assert len(set(network.spans)) == 1
    apart = SkipRecurrentNetwork(2, 4, config(connection=connection).network, 20)
    apart.load_state_dict(network.state_dict())
    apart(x, 1.0).sum().backward()
    parts = [[p.grad for p in layer.connection.parameters()] for layer in layers(apart)]
    for joint, first, second in zip(whole, *parts, strict=True):
        torch.testing.assert_close(joint, first + second)


def test_a_checkpoint_whose_layers_do_not_share_what_they_should_is_refused(tmp_path: Path) -> None:
    trained, path = untrained(shared_span=True), tmp_path / "m.pt"
    checkpoint.save(trained, path)
    assert checkpoint.load(path).spans == trained.spans
    content = torch.load(path, weights_only=True)
    content["tensors"]["layers.0.connection.logits"] = torch.tensor([1.0, 0, 0, 0, -1.0])
    torch.save(content, path)
    with pytest.raises(UnreadableFile, match=r"'layers\.0\.connection\.logits' is not the one that its layers share"):
        checkpoint.load(path)


def test_absent_weights_are_the_share_asked_for_and_the_seeds() -> None:
    (first, second) = layers(untrained(sparsity=0.3).network())
    for linear in (first.feedforward, first.recurrent, second.feedforward, second.recurrent):
        absent = round(0.3 * linear.weight.numel())
        assert int((~linear.get_buffer("mask")).sum()) == absent
        assert int((linear.weight == 0).sum()) == absent
    once, again = (untrained(sparsity=0.3).tensors for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert not any("mask" in name for name in untrained().tensors)


def test_no_optimizer_moves_an_absent_weight() -> None:
    settings = config(sparsity=0.5)
    torch.manual_seed(2)
    network = SkipRecurrentNetwork(2, 4, settings.network)
    optimizer = make_optimizer(network, settings)
    for kernel in ("bptt", "autograd"):
        with using(kernel):
            for _ in range(3):
                optimizer.zero_grad()
                network(torch.rand(20, 8, 2), 1.0).square().sum().backward()
                optimizer.step()
    for layer in layers(network):
        for linear in (layer.feedforward, layer.recurrent):
            mask = linear.get_buffer("mask")
            assert not linear.weight[~mask].any()
            assert linear.weight[mask].all()


def kept(path: Path, **network: Any) -> dict[str, Any]:
    checkpoint.save(untrained(**network), path)
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def test_a_sparse_checkpoint_keeps_only_what_is_there(tmp_path: Path) -> None:
    wide: dict[str, Any] = {"hidden": [40, 40], "sparsity": 0.9}
    content = kept(tmp_path / "sparse.pt", **wide)
    assert content["tensors"]["layers.1.recurrent.weight"].shape == (160,)
    assert content["tensors"]["layers.1.recurrent.mask"].shape == (200,)
    kept(tmp_path / "dense.pt", hidden=[40, 40])
    assert (tmp_path / "sparse.pt").stat().st_size < (tmp_path / "dense.pt").stat().st_size / 2
    trained, loaded = untrained(**wide), checkpoint.load(tmp_path / "sparse.pt")
    assert trained.tensors.keys() == loaded.tensors.keys()
    assert all(torch.equal(trained.tensors[name], loaded.tensors[name]) for name in trained.tensors)


def widened(content: dict[str, Any]) -> None:
    manifest = json.loads(content["manifest"])
    manifest["config"]["network"]["hidden"] = [65_536, 65_536]
    content["manifest"] = json.dumps(manifest)


MASK, WEIGHT = "layers.0.recurrent.mask", "layers.0.recurrent.weight"
TAMPERED: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda c: c["tensors"].update({MASK: c["tensors"][MASK][:-1]}), f"'{MASK}' is not a bit for each weight"),
    (lambda c: c["tensors"].update({MASK: c["tensors"][MASK].float()}), f"'{MASK}' is not a bit for each weight"),
    (lambda c: c["tensors"].update({WEIGHT: c["tensors"][WEIGHT][1:]}), f"'{WEIGHT}' is not a number for each"),
    (lambda c: c["tensors"].update({WEIGHT: c["tensors"][WEIGHT].long()}), f"'{WEIGHT}' is not a number for each"),
    (lambda c: c["tensors"].update({WEIGHT: c["tensors"][WEIGHT].double()}), f"'{WEIGHT}' is torch.float64"),
    (lambda c: c["tensors"].update({WEIGHT: "text"}), f"'{WEIGHT}' is not a tensor"),
    (lambda c: c["tensors"].pop(MASK), f"'{MASK}' is missing"),
    (widened, "unpack to more than any network of ours"),
]


@pytest.mark.parametrize(("change", "says"), TAMPERED, ids=[says for _, says in TAMPERED])
def test_a_tampered_sparse_checkpoint_is_refused(
    change: Callable[[dict[str, Any]], object], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.pt"
    content = kept(path, sparsity=0.5)
    change(content)
    torch.save(content, path)
    with pytest.raises(UnreadableFile, match=says):
        checkpoint.load(path)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"connection": "per-setp"}, r"'per-setp' is none of asrc, delays, k-asrc"),
        ({"neuron": "izhikevich"}, r"'izhikevich' is none of clif, cuba-lif, frssm, glif"),
        ({"connection": "src", "shared_span": True}, "nothing is learned for src that layers could share"),
        ({"shared_span": True, "layers": [{"kernel_length": 3}, {}]}, "kernels of different lengths"),
        ({"connection": "k-asrc", "kernels": 6}, r"6 cannot choose among 5 spans"),
        ({"sparsity": 1.0}, r"network\.sparsity"),
        ({"kernels": 0}, r"network\.kernels"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_in_a_sentence(network: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        config(**network)


def test_the_command_line_reaches_all_of_it() -> None:
    options = "--data digits --neuron tc-lif --connection k-asrc --kernels 3 --shared-span --sparsity 0.25"
    network = cli.configuration(cli._parser().parse_args(options.split())).network
    chosen = (network.neuron, network.connection, network.kernels, network.shared_span, network.sparsity)
    assert chosen == ("tc-lif", "k-asrc", 3, True, 0.25)


@pytest.mark.parametrize("connection", sorted({*connections.names()} - {"delays", "none"}))
def test_the_longest_span_that_may_come_of_a_training_is_known_before(connection: str) -> None:
    settings = config(connection=connection, span=7, kernels=3, layers=[{}, {"kernel_length": 4, "span": 2}])
    if connection == "per-step":
        with pytest.raises(CannotFreeze, match="per-step"):
            of_recipe(settings, data.shape("digits"), 8, "delay-line")
        return
    planned = of_recipe(settings, data.shape("digits"), 8, "delay-line")
    expected = {"vanilla": [1, 1], "src": [7, 2]}.get(connection, [5, 4])
    assert [layer.span for layer in planned.layers] == [*expected, 0]
    assert [layer.connections[1].taps for layer in planned.layers[:2]] == [3 if connection == "k-asrc" else 1] * 2


def test_a_neuron_that_cannot_be_deployed_is_refused_before_it_is_trained() -> None:
    with pytest.raises(CannotFreeze, match="neuron 'glif' cannot be frozen"):
        of_recipe(config(neuron="glif"), data.shape("digits"), 8, "delay-line")


@pytest.mark.parametrize("neuron", ["clif", "tc-lif", "glif-steady"])
def test_a_neuron_with_a_kind_of_its_own_is_planned_before_it_is_trained(neuron: str) -> None:
    planned = of_recipe(config(neuron=neuron), data.shape("digits"), 8, "delay-line")
    assert [layer.kind for layer in planned.layers] == [neuron.removesuffix("-steady")] * 2 + ["integrator"]
    assert all(layer.state_bits == ((24,) if neuron == "glif-steady" else (24, 24)) for layer in planned.layers[:2])
    assert all((layer.groups == layer.neurons) == (neuron == "glif-steady") for layer in planned.layers[:2])


def test_a_checkpoint_from_before_there_were_other_neurons_still_loads() -> None:
    shipped = Path(__file__).parents[2] / "examples" / "psmnist-asrc.pt"
    manifest = json.loads(torch.load(shipped, weights_only=True)["manifest"])
    assert not {"neuron", "sparsity", "kernels", "shared_span"} & manifest["config"]["network"].keys()
    loaded = checkpoint.load(shipped)
    assert (loaded.config.network.neuron, loaded.config.network.sparsity) == ("lif", 0)
    assert tuple(layer.span for layer in freeze(loaded).layers) == loaded.spans
