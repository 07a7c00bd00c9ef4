"""Checkpoints of the paper's authors: the same predictions, and a sentence for all that does not fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from asrc_core.contract.file import network_file
from asrc_core.errors import AsrcError, InvalidData, InvalidSetting, NonFiniteWeights, UnreadableFile
from asrc_export.commands import export as cli_export
from asrc_export.commands import report as cli_report
from asrc_export.exporting import export
from asrc_export.interop.asrc_snn import reader as asrc_snn
from asrc_export.interop.imported import Feed, Imported
from asrc_lava.commands import sim as cli_sim
from asrc_train.trained import checkpoint
from asrc_train.training.evaluate import evaluate

ARGUMENTS: dict[str, Any] = {
    "seed": 0,
    "task": "SSC",
    "device": "cuda:0",
    "lr": 0.001,
    "neuron": "lif",
    "neuron_channel_wise": False,
    "threshold": 1.0,
    "detach_reset": False,
    "hard_reset": False,
    "decay_para": 0.5,
    "sg": "triangle",
    "model_version": "ASRC",
    "layers": [7, 9],
    "skip": [4, 6],
    "bias": True,
    "drop": 0.1,
    "use_batchnorm": False,
    "use_layernorm": False,
    "input_dim": 3,
    "output_dim": 5,
    "de_tau": 0.96,
    "network_wise": False,
    "time_window": 14,
}
FED = Feed(maximum=16, scale=1 / 16)


@dataclass
class Theirs:
    """A network in the authors' format, and the files it is kept in."""

    arguments: dict[str, Any]
    net: dict[str, Tensor]
    path: Path
    arguments_path: Path

    def write(self) -> Theirs:
        torch.save({"net": self.net, "acc": 75.0, "epoch": 4}, self.path)
        self.arguments_path.write_text(json.dumps(self.arguments, indent=2))
        return self

    def read(self, asked: Feed = FED, permutation: Path | None = None) -> Imported:
        return asrc_snn.read(self.path, self.arguments_path, asked, permutation)

    def logits(self, x: Tensor) -> Tensor:
        """What their network answers in evaluation mode to (B, T, channels), from the equations, step by step."""
        a, net, normal = self.arguments, self.net, self.arguments["use_batchnorm"]
        stride, zero = (4 if normal else 3), torch.zeros(())
        s = x.transpose(0, 1)
        for i in range(len(a["layers"])):
            at, container = f"features.{stride * i}", f"features.{stride * (i + 1) - 1}"
            current = s @ net[f"{at}.weight"].T + net.get(f"{at}.bias", zero)
            if normal:
                bn = {name: net[f"features.{stride * i + 2}.bn.{name}"] for name in ("weight", "bias")}
                mean, var = (net[f"features.{stride * i + 2}.bn.running_{name}"] for name in ("mean", "var"))
                current = (current - mean) / torch.sqrt(var + 1e-5) * bn["weight"] + bn["bias"]
            logits = net.get(f"{container}.skip_para")
            span = a["skip"][i] if logits is None else int(logits.argmax()) + 1
            w = net.get(f"{container}.sub_module.w")
            alpha = torch.tensor(a["decay_para"]) if w is None else torch.sigmoid(w)
            v, past = torch.zeros_like(current[0]), [torch.zeros_like(current[0])] * span
            for now in current:
                u = v * alpha + (past[-span] @ net[f"{container}.mlp.weight"].T + now)
                above = u - a["threshold"]
                spikes = (above > 0 if a["sg"] == "gau" else above >= 0).float()
                v = u * (1 - spikes) if a["hard_reset"] else u - spikes * a["threshold"]
                past.append(spikes)
            s = torch.stack(past[span:])
        last = f"features.{stride * len(a['layers'])}"
        return (s @ net[f"{last}.weight"].T + net.get(f"{last}.bias", zero)).sum(0)


def theirs(folder: Path, **changed: Any) -> Theirs:
    """A network of theirs with random parameters, laid out as their state dict is."""
    a = {**ARGUMENTS, **changed}
    draw = torch.Generator().manual_seed(5)

    def random(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=draw) * scale

    net: dict[str, Tensor] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        net[f"{name}.weight"] = random(outputs, inputs, scale=1.5 * inputs**-0.5)
        if a["bias"]:
            net[f"{name}.bias"] = random(outputs, scale=0.2)

    shared = random(a["skip"][0], 1, 1)
    if a["network_wise"] and a["model_version"] == "ASRC":
        net["skip_para"] = shared
    stride, fan_in = (4 if a["use_batchnorm"] else 3), a["input_dim"]
    for i, (neurons, skip) in enumerate(zip(a["layers"], a["skip"], strict=True)):
        linear(f"features.{stride * i}", neurons, fan_in)
        if a["use_batchnorm"]:
            bn = f"features.{stride * i + 2}.bn"
            net[f"{bn}.weight"], net[f"{bn}.bias"] = 1 + random(neurons, scale=0.2), random(neurons, scale=0.2)
            net[f"{bn}.running_mean"] = random(neurons, scale=0.3)
            net[f"{bn}.running_var"] = 0.2 + torch.rand(neurons, generator=draw)
            net[f"{bn}.num_batches_tracked"] = torch.tensor(70)
        container = f"features.{stride * (i + 1) - 1}"
        if a["model_version"] == "ASRC":
            net[f"{container}.tau"] = torch.tensor([0.96**5])
            net[f"{container}.skip_para"] = shared if a["network_wise"] else random(skip, 1, 1)
        net[f"{container}.mlp.weight"] = random(neurons, neurons, scale=neurons**-0.5)
        if a["neuron"] == "plif":
            net[f"{container}.sub_module.w"] = (
                random(1, 1, scale=0.5).expand(1, neurons if a["neuron_channel_wise"] else 1).clone()
            )
        fan_in = neurons
    linear(f"features.{stride * len(a['layers'])}", a["output_dim"], fan_in)
    return Theirs(a, net, folder / "best.pth", folder / "args.json").write()


VARIANTS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"hard_reset": True, "threshold": 0.75},
    {"decay_para": 0.9},
    {"neuron": "plif"},
    {"neuron": "plif", "neuron_channel_wise": True},
    {"model_version": "SRC"},
    {"model_version": "SRC", "skip": [1, 20], "neuron": "plif", "bias": False},
    {"use_batchnorm": True},
    {"use_batchnorm": True, "use_layernorm": True},
    {"use_batchnorm": True, "bias": False, "neuron": "plif", "hard_reset": True, "model_version": "SRC"},
    {"network_wise": True, "skip": [5, 5]},
    {"network_wise": True, "model_version": "SRC"},
    {"sg": "gau", "hard_reset": True},
    {"layers": [6], "skip": [3], "task": "SMNIST", "input_dim": 1, "output_dim": 2},
]


@pytest.mark.parametrize("changed", VARIANTS, ids=str)
def test_the_imported_network_answers_as_theirs_does(changed: dict[str, Any], tmp_path: Path) -> None:
    given = theirs(tmp_path, **changed)
    checkpoint.save(given.read().checkpoint, tmp_path / "model.pt")
    ours = checkpoint.load(tmp_path / "model.pt")
    shape = (40, given.arguments["time_window"], given.arguments["input_dim"])
    draw = np.random.default_rng(1)
    x = draw.integers(0, 17, shape, dtype=np.uint8) * draw.integers(0, 2, (shape[0], 1, shape[2]), dtype=np.uint8)
    expected = given.logits(torch.from_numpy(x) / 16)
    answered = evaluate(ours.network(), x, ours.scale)
    np.testing.assert_allclose(answered.logits, expected, atol=2e-4)
    np.testing.assert_array_equal(answered.predictions, expected.argmax(1))
    assert all(answered.spikes_per_layer)
    assert np.ptp(answered.logits, axis=0).max() > 0.5  # so the samples are told apart


def test_a_membrane_exactly_at_the_threshold_fires_or_not_as_with_them(tmp_path: Path) -> None:
    """One neuron that gets exactly theta at each step: triangle fires at it, gau only above."""
    one = {"layers": [1], "skip": [1], "input_dim": 1, "output_dim": 2, "bias": False, "hard_reset": True}
    for surrogate, fires in (("triangle", 14), ("gau", 0)):
        given = theirs(tmp_path, **one, sg=surrogate, decay_para=0.0)
        given.net["features.0.weight"][:] = 1.0
        given.net["features.2.mlp.weight"][:] = 0.0
        found = given.write().read().checkpoint
        assert evaluate(found.network(), np.full((1, 14, 1), 16, np.uint8), 1 / 16).spikes_per_layer == [fires]


def test_what_the_file_lacks_is_said_with_its_source(tmp_path: Path) -> None:
    notes = theirs(tmp_path).read().notes
    assert any("decay 0.5 from args.json" in note for note in notes)
    assert any("spans" in note and "skip logits" in note for note in notes)
    learned = theirs(tmp_path, neuron="plif").read().notes
    assert any("decays learned (PLIF)" in note for note in learned)
    above = theirs(tmp_path, sg="gau").read().notes
    assert any("above the threshold" in note for note in above)


def test_the_mixtures_temperature_is_that_of_the_epoch_before_its_annealing(tmp_path: Path) -> None:
    assert theirs(tmp_path).read().checkpoint.temperature == pytest.approx(0.96**4)


def test_the_file_remembers_where_it_came_from(tmp_path: Path) -> None:
    given = theirs(tmp_path)
    found = given.read().checkpoint
    assert found.scores == {"their_test": 0.75}
    assert found.provenance["best_epoch"] == 5
    assert found.provenance["source_sha256"] == checkpoint.fingerprint(given.path)
    assert found.provenance["arguments"]["model_version"] == "ASRC"
    assert found.provenance["import_notes"].startswith("decay 0.5 from args.json")


PSMNIST = {"task": "PSMNIST", "layers": [64, 128, 128], "skip": [12, 12, 12], "model_version": "SRC"}
PSMNIST |= {"time_window": 784, "input_dim": 1, "output_dim": 10}


@pytest.mark.parametrize(
    ("seed", "bias", "first"),
    [
        (0, True, [643, 130, 537, 572, 461, 166, 421, 167, 744, 650]),
        (7, False, [53, 771, 489, 779, 331, 267, 626, 330, 303, 42]),
    ],
)
def test_the_pixel_permutation_is_drawn_again_as_their_main_draws_it(
    tmp_path: Path, seed: int, bias: bool, first: list[int]
) -> None:
    """Golden figures: their model.py and main.py, run with PyTorch 2.14 on the CPU."""
    found = theirs(tmp_path, **PSMNIST, seed=seed, bias=bias).read(Feed())
    assert found.checkpoint.permutation is not None
    assert found.checkpoint.permutation[: len(first)].tolist() == first
    assert any(f"drawn again from seed {seed}" in note for note in found.notes)
    assert any("mnist5k" in note for note in found.notes)
    assert (found.checkpoint.steps, found.checkpoint.maximum) == (784, 255)


def test_drawing_it_leaves_the_users_random_state_alone(tmp_path: Path) -> None:
    given = theirs(tmp_path, task="PSMNIST")
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    given.read()
    assert torch.equal(torch.rand(3), expected)


def test_a_permutation_of_ones_own_is_taken_instead(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(14)
    np.save(tmp_path / "order.npy", order)
    found = theirs(tmp_path, task="PSMNIST").read(permutation=tmp_path / "order.npy")
    np.testing.assert_array_equal(found.checkpoint.permutation, order)
    assert any("from 'order.npy'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (np.arange(13), "is not 14 integers"),
        (np.zeros(14, int), "not an order of the 14 steps"),
        (np.arange(14.0), "is not 14 integers"),
        (np.array([{}] * 14, object), "is not 14 integers"),
        (np.arange(100_000), "it is not 14 integers"),
    ],
)
def test_a_permutation_that_is_none_is_refused(content: Any, says: str, tmp_path: Path) -> None:
    np.save(tmp_path / "order.npy", content, allow_pickle=True)
    with pytest.raises(UnreadableFile, match=says):
        theirs(tmp_path, task="PSMNIST").read(permutation=tmp_path / "order.npy")


TENSORS: list[tuple[Any, type[AsrcError], str]] = [
    (lambda n: n.pop("features.2.mlp.weight"), UnreadableFile, r"'features\.2\.mlp\.weight'.*promises, is missing"),
    (lambda n: n.update(extra=torch.zeros(1)), UnreadableFile, "'extra' belongs to no network"),
    (
        lambda n: n.update({"features.3.weight": torch.zeros(9, 8)}),
        UnreadableFile,
        r"'features\.3\.weight' is \(9, 8\), args\.json says \(9, 7\)",
    ),
    (lambda n: n.update({"features.0.bias": 3}), UnreadableFile, r"'features\.0\.bias' is int"),
    (lambda n: n.update({"features.0.bias": torch.zeros(7).double()}), UnreadableFile, r"torch\.float64"),
    (lambda n: n["features.6.bias"].fill_(float("nan")), NonFiniteWeights, r"'features\.6\.bias' holds 5 NaN"),
    (lambda n: n["features.5.tau"].fill_(0.5), UnreadableFile, "temperatures are"),
    (lambda n: n["features.5.tau"].zero_(), UnreadableFile, "temperatures are"),
]


@pytest.mark.parametrize(("change", "error", "says"), TENSORS, ids=[says for *_, says in TENSORS])
def test_tensors_that_are_not_those_of_the_arguments_are_named(
    change: Any, error: type[AsrcError], says: str, tmp_path: Path
) -> None:
    given = theirs(tmp_path)
    change(given.net)
    with pytest.raises(error, match=says):
        given.write().read()


def test_shared_spans_that_differ_between_layers_are_named(tmp_path: Path) -> None:
    given = theirs(tmp_path, network_wise=True, skip=[4, 4])
    given.net["features.5.skip_para"] = given.net["features.5.skip_para"] + 1
    with pytest.raises(UnreadableFile, match=r"'features\.5\.skip_para' is not the shared one"):
        given.write().read()


def test_a_negative_variance_is_named(tmp_path: Path) -> None:
    given = theirs(tmp_path, use_batchnorm=True)
    given.net["features.2.bn.running_var"][0] = -1
    with pytest.raises(UnreadableFile, match=r"features\.2\.bn\.running_var' holds a negative variance"):
        given.write().read()


def test_a_decay_for_each_neuron_is_refused(tmp_path: Path) -> None:
    given = theirs(tmp_path, neuron="plif", neuron_channel_wise=True)
    given.net["features.5.sub_module.w"][0, 3] += 1
    with pytest.raises(InvalidSetting, match="layer1: its learned decays differ from neuron to neuron"):
        given.write().read()


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"neuron": "glif"}, "neuron 'glif': its gates"),
    ({"use_layernorm": True}, "layer normalisation depends on each sample"),
    ({"sg": "sigmoid"}, "sg 'sigmoid'"),
    ({"skip": [4]}, "1 entry for 2 layers"),
    ({"network_wise": True}, "one kernel serves all layers"),
    ({"layers": []}, "key 'layers'"),
    ({"layers": [10**9]}, r"key 'layers\.0'"),
    ({"decay_para": 1.5}, "key 'decay_para'"),
    ({"threshold": float("nan")}, "key 'threshold'"),
    ({"model_version": "LSTM"}, "key 'model_version'"),
    ({"bias": "yes"}, "key 'bias'"),
    ({"seed": -1}, "key 'seed'"),
]


@pytest.mark.parametrize(("changed", "says"), SETTINGS, ids=[says for _, says in SETTINGS])
def test_arguments_that_no_network_of_ours_has_are_named(changed: dict[str, Any], says: str, tmp_path: Path) -> None:
    given = theirs(tmp_path)
    given.arguments |= changed
    with pytest.raises((InvalidSetting, UnreadableFile), match=says):
        given.write().read()


@pytest.mark.parametrize("text", ["", "[", "[1]", "[" * 100_000, '{"task": "SSC"}', "x" * 2_000_000])
def test_an_args_json_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    given = theirs(tmp_path)
    given.arguments_path.write_text(text)
    with pytest.raises(UnreadableFile, match=r"args\.json"):
        given.read()


def test_their_file_is_read_without_running_anything_in_it(tmp_path: Path) -> None:
    given = theirs(tmp_path)

    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[Path]]:
            return Path.touch, (tmp_path / "touched",)

    torch.save({"net": given.net, "bomb": Bomb()}, given.path)
    with pytest.raises(UnreadableFile, match="would run code"):
        given.read()
    assert not (tmp_path / "touched").exists()
    torch.save(given.net, given.path)
    with pytest.raises(UnreadableFile, match="no state dict under 'net'"):
        given.read()


def test_input_that_nothing_settles_is_asked_for(tmp_path: Path) -> None:
    given = theirs(tmp_path)
    with pytest.raises(InvalidSetting, match=r"`input_maximum`.*`data`"):
        given.read(Feed())
    with pytest.raises(InvalidData, match="'digits': its channels are 1, the network's 3"):
        given.read(Feed("digits"))
    with pytest.raises(InvalidSetting, match="'digits' settles steps"):
        given.read(Feed("digits", steps=3))


def test_the_commands_take_it_all_the_way_to_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs(tmp_path, time_window=64, input_dim=1, output_dim=10, neuron="plif")
    assert cli_export.main(["best.pth", "--from", "asrc-snn", "args.json", "--data", "digits"]) == 0
    printed = capsys.readouterr().out
    assert "note: decays learned (PLIF)" in printed
    assert "best.imported.pt\n" in printed
    network = network_file.load("best.imported.loihi2.safetensors")
    first, second = (layer.neuron.parameters["decay"] for layer in network.hidden)
    assert first != second
    assert (
        cli_sim.main(["best.imported.loihi2.safetensors", "--limit", "5", "--backend", "numpy", "--compare", "onnx"])
        == 0
    )
    report = ["best.imported.loihi2.safetensors", "--float", "best.imported.pt", "--limit", "9", "-o", "r.json"]
    assert cli_report.main(report) == 0
    provenance = json.loads((tmp_path / "r.json").read_text())["provenance"]
    assert provenance["imported_from"] == "asrc-snn"
    assert "decays learned" in provenance["import_notes"]


def test_without_a_data_set_it_exports_and_observes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs(tmp_path)
    assert cli_export.main(["best.pth", "--from", "asrc-snn", "args.json", "--input-maximum", "3"]) == 0
    assert "no data" in capsys.readouterr().out
    assert network_file.load("best.imported.loihi2.safetensors").input.maximum == 3
    assert export("best.imported.pt", "loihi2").observed == []
    assert cli_sim.main(["best.imported.loihi2.safetensors"]) == 1
    assert "does not say what it was trained on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "asrc-snn"], "expected 'asrc-snn args.json'"),
        (["--from", "asrc-snn", "args.json", "--dt", "1"], "--dt: goes with --from nir"),
        (["--from", "keras"], "unknown kind 'keras'"),
        (["--lossy"], "--lossy: goes with --nir only"),
        (["--steps", "3"], "--steps: goes with --from asrc-snn or --from nir or --from netx only"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli_export.main(["best.pth", *arguments])
    assert stop.value.code == 2
    assert says in capsys.readouterr().err
