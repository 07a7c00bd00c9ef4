"""Analyses: gradients that are those of the written equations, means that hide nothing, figures whole or not at all."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from asrc_core.errors import InvalidSetting, UnknownName, UnreadableFile
from asrc_core.files import table_file
from asrc_train.analysis import analysis, band, figure, label
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.curves import curves
from asrc_train.analysis.gradients import FAINT, layer_norms, network_norms
from asrc_train.analysis.skip_kernel import skip_kernel
from asrc_train.analysis.swept import swept
from asrc_train.commands import analyze as cli_analyze
from asrc_train.gradients.surrogate import fire
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.settings.config import Config, validated
from asrc_train.sweep.result import Result, where
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.fit import fit

STEPS, SAMPLES = 12, 3


def network(hidden: tuple[int, ...], **settings: object) -> SkipRecurrentNetwork:
    torch.manual_seed(0)
    config = validated({"data": {"name": "digits"}, "network": {"hidden": hidden, **settings}}, "test")
    made = SkipRecurrentNetwork(2, 3, config.network, steps=STEPS).double()
    with torch.no_grad():  # membranes that stay where the surrogate's derivative is not 0
        for layer in (each for each in made.layers if isinstance(each, SkipRecurrentLayer)):
            layer.feedforward.weight.mul_(0.3)
            layer.feedforward.bias.fill_(0.4)
            layer.recurrent.weight.mul_(0.3)
    return made


def a_layer(layer: object) -> SkipRecurrentLayer:
    assert isinstance(layer, SkipRecurrentLayer)
    return layer


def only_layer(made: SkipRecurrentNetwork) -> SkipRecurrentLayer:
    (layer,) = made.layers
    return a_layer(layer)


def samples(count: int = SAMPLES) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return 2 * torch.rand(STEPS, count, 2, generator=draw, dtype=torch.float64)


def written_out(layer: SkipRecurrentLayer, x: Tensor, mixture: list[float], reset: str, decay: float) -> Tensor:
    """||ds[T] / du[T-d]||_F^2 for each d and sample, (T, B): eq. 1-4 and 9-13 as they stand, u kept at every step."""
    u: list[Tensor] = []
    s: list[Tensor] = []
    v = torch.zeros(x.shape[1], layer.feedforward.out_features, dtype=x.dtype)
    for t in range(len(x)):
        heard = sum((p * s[t - k] for k, p in enumerate(mixture, 1) if k <= t), start=torch.zeros_like(v))
        u.append(decay * v + layer.feedforward(x[t]) + heard @ layer.recurrent.weight.T)
        s.append(fire(u[t] - 1.0))
        v = u[t] - s[t] if reset == "soft" else u[t] * (1 - s[t])
    squares = torch.zeros(len(x), x.shape[1], dtype=x.dtype)
    for neuron in range(v.shape[1]):
        by_step = torch.autograd.grad(s[-1][:, neuron].sum(), u, retain_graph=True, allow_unused=True)
        squares += torch.stack([torch.zeros(len(v)) if g is None else g.square().sum(1) for g in reversed(by_step)])
    return squares.detach()


@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize(
    ("connection", "temperature", "mixture"),
    [
        ("vanilla", None, [1.0]),
        ("src", None, [0.0, 0.0, 1.0]),
        ("asrc", 1.0, [0.25] * 4),
        ("asrc", None, [1.0]),
    ],
)
def test_the_norm_is_that_of_the_written_equations(
    connection: str, temperature: float | None, mixture: list[float], reset: str
) -> None:
    """With one neuron the random sign has no say, and the estimate is the norm itself."""
    made = network((1,), connection=connection, span=3, kernel_length=4, reset=reset, decay=0.8)
    layer, x = only_layer(made), samples()
    expected = (written_out(layer, x, mixture, reset, 0.8).mean(1) / 1).sqrt().numpy()
    assert np.count_nonzero(expected) > 1
    np.testing.assert_allclose(layer_norms(layer, x, temperature), expected, rtol=1e-9, atol=1e-15)


def test_random_signs_estimate_the_norm_of_many_neurons_without_bias() -> None:
    layer, x = only_layer(network((5,), connection="src", span=3)), samples(1)
    expected = (written_out(layer, x, [0, 0, 1.0], "soft", 0.5)[:, 0] / 5).sqrt().numpy()
    estimate = layer_norms(layer, x.expand(-1, 4000, -1), None)
    np.testing.assert_allclose(estimate, expected, rtol=0.1, atol=1e-4 * expected[0])


def test_without_a_membrane_the_gradient_comes_in_strides_of_the_span() -> None:
    norms = layer_norms(only_layer(network((6,), connection="src", span=4, decay=0.0)), samples(), None)
    assert norms[0] > 0
    assert norms[4] > 0
    assert all(norms[d] == 0 for d in range(STEPS) if d % 4)


def test_every_layer_has_its_norms_and_batch_normalisation_is_as_after_training() -> None:
    made = network((4, 3), batch_norm=True)
    x = samples()
    before = [tensor.clone() for tensor in made.state_dict().values()]
    first, second = network_norms(made.train(), x, 1.0)
    assert first.shape == second.shape == (STEPS,)
    assert all(torch.equal(a, b) for a, b in zip(before, made.state_dict().values(), strict=True))


def result(test: float, **settings: object) -> Result:
    config = {"data": {"name": "digits"}, "network": {"connection": "src", **settings}}
    seed = {"training": {"seed": int(1000 * test)}}
    scores = {"test": test, "validation": test, "test_mixture": test}
    whole: Config = validated({**config, **seed}, "test")
    return Result("run", whole, scores, (4, 2), 1)


def test_a_mean_never_hides_a_setting() -> None:
    runs = [result(0.5, span=2, decay=0.1), result(0.6, span=2, decay=0.2), result(0.7, span=4, decay=0.1)]
    with pytest.raises(InvalidSetting, match=r"`line`.*network\.decay"):
        swept(runs, "network.span")
    assert len(swept(runs, "network.span", ["network.decay"]).rows) == 3
    with pytest.raises(InvalidSetting, match=r"did you mean 'network\.span'"):
        swept(runs, "network.spam")
    with pytest.raises(UnknownName, match="validation"):
        swept(runs, "network.span", ["network.decay"], "loss")


def test_runs_are_chosen_by_their_settings() -> None:
    runs = [result(0.5, span=2, decay=0.25), result(0.6, span=2, decay=0.5), result(0.7, hidden=[4, 4])]
    assert where(runs, {"network.decay": [0.25, 0.5], "network.span": [2]}) == runs[:2]
    assert where(runs, {"network.hidden": [[4, 4]]}) == runs[2:]
    assert where(runs, {"training.seed": [500.0]}) == runs[:1]
    assert where(runs, {}) == runs
    with pytest.raises(InvalidSetting, match="`where`"):
        where(runs, {"network.span": [3]})


def test_seeds_become_mean_least_and_greatest() -> None:
    found = band.band({4: [1.0, 3.0], 2: [5.0]})
    assert (found.x, found.mean, found.low, found.high) == ((2, 4), (5, 2), (5, 1), (5, 3))
    assert band.of_curves([[1.0, 2.0], [3.0]], 1).mean == (2.0, 2.0)


@pytest.mark.parametrize("metric", ["test", "spans"])
def test_numbers_words_and_lists_stand_on_the_axis(metric: str, tmp_path: Path) -> None:
    values: dict[str, list[object]] = {"span": [1, 2, 16], "reset": ["soft", "hard"], "hidden": [[4, 4], [8, 8]]}
    for key, settings in values.items():
        runs = [result(share, **{key: setting}) for setting in settings for share in (0.5, 0.6)]
        made = swept(runs, f"network.{key}", metric=metric)
        assert [row["runs"] for row in made.summary] == [2] * len(settings)
        analysis.write(made, tmp_path / f"{key}.svg")


@pytest.mark.parametrize(
    "called", ["asrc", "max delay 62, recurrent yes", "connection delays, max delay 62, recurrent yes"]
)
def test_a_legend_lies_within_its_figure_however_long_its_entries_are(called: str) -> None:
    with figure.style():
        drawing, axes = figure.panels(1, width=4.6, height=3)
        for i in range(3):
            axes[0][0].plot([0, 1], label=f"{called} {i}")
        figure.legend(drawing, axes[0][0])
        drawing.draw_without_rendering()
        box = drawing.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= drawing.bbox.x1


@pytest.fixture(scope="module")
def drawn(trained: Checkpoint) -> Analysis:
    return curves({"model.pt": trained})


def changed(trained: Checkpoint, network: dict[str, object], **training: object) -> Checkpoint:
    """The same, said to be configured otherwise."""
    config = trained.config
    parts = {
        "network": config.network.model_copy(update=network),
        "training": config.training.model_copy(update=training),
    }
    return replace(trained, config=config.model_copy(update=parts))


def test_a_label_tells_what_differs_and_is_read_in_as_few_digits_as_tell_it_apart(trained: Checkpoint) -> None:
    asrc, src = {"connection": "asrc", "kernel_length": 4}, {"connection": "src", "span": 2, "kernel_length": None}
    both = {"a": changed(trained, asrc, annealing=0.1 + 0.2), "b": changed(trained, src, annealing=0.5, epochs=7)}
    epochs = trained.config.training.epochs
    assert label.grouped(both) == {f"ASRC, K = 4, epochs {epochs}": ["a"], "SRC, span 2, epochs 7": ["b"]}
    two = {"a": changed(trained, asrc, annealing=0.1 + 0.2), "b": changed(trained, asrc, annealing=0.5)}
    assert label.grouped(two) == {"ASRC, K = 4, annealing 0.3": ["a"], "ASRC, K = 4, annealing 0.5": ["b"]}
    near = {"a": changed(trained, {**asrc, "decay": 0.5}), "b": changed(trained, {**asrc, "decay": 0.50001})}
    assert label.grouped(near) == {"ASRC, K = 4, decay 0.5": ["a"], "ASRC, K = 4, decay 0.50001": ["b"]}


@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_has_the_format_that_its_suffix_names(
    drawn: Analysis, tmp_path: Path, suffix: str, begins: bytes
) -> None:
    path, again = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    analysis.write(drawn, path)
    analysis.write(drawn, again)
    assert path.read_bytes().startswith(begins)
    assert path.read_bytes() == again.read_bytes()


def test_an_svg_has_colours_for_dark_pages(drawn: Analysis, tmp_path: Path) -> None:
    analysis.write(drawn, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert "prefers-color-scheme: dark" in svg
    for light in figure.IN_THE_DARK:
        assert f": {light}" in svg.partition("</style>")[2], "a colour of ours that the style sheet looks for"


def test_a_figure_that_fails_leaves_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text("old")

    def broken() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        analysis.write(Analysis([], broken, []), path)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_are_the_same_in_both_formats(drawn: Analysis, tmp_path: Path) -> None:
    for suffix in table_file.WRITERS:
        analysis.write(drawn, tmp_path / f"numbers{suffix}")
    with (tmp_path / "numbers.csv").open() as file:
        from_csv = list(csv.DictReader(file))
    from_json = json.loads((tmp_path / "numbers.json").read_text())
    assert [{name: str(value) for name, value in row.items()} for row in from_json] == from_csv
    assert len(from_json) == 2


def test_the_heat_map_is_the_history_of_the_mixture(trained: Checkpoint) -> None:
    rows = skip_kernel("model.pt", trained).rows
    for epoch in trained.history:
        for layer, weights in enumerate(epoch["skip_weights"]):
            mine = [row["weight"] for row in rows if (row["layer"], row["epoch"]) == (layer, epoch["epoch"])]
            assert mine == weights


def test_a_checkpoint_without_its_history_is_refused(trained: Checkpoint) -> None:
    with pytest.raises(UnreadableFile, match="carries none"):
        curves({"model.pt": replace(trained, history=[])})
    with pytest.raises(UnreadableFile, match="incomplete or wrong"):
        curves({"model.pt": replace(trained, history=[{"epoch": 1}])})
    unmixed = [{**epoch, "skip_weights": []} for epoch in trained.history]
    with pytest.raises(UnreadableFile, match="no mixture"):
        skip_kernel("model.pt", replace(trained, history=unmixed))


@pytest.fixture
def folder(tmp_path: Path, checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sweep").mkdir()
    shutil.copy(checkpoint_path, tmp_path / "sweep" / "model.pt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["gradients", "sweep", "--samples", "8"],
        ["skip-kernel", "sweep/model.pt"],
        ["training", "sweep"],
        ["sweep", "sweep", "--x", "network.span"],
    ],
    ids=lambda command: command[0],
)
def test_the_command_writes_a_figure_and_its_numbers_and_prints_a_table(
    folder: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_analyze.main([*command, "-o", "a.svg", "-o", "a.csv"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2:] == ["a.svg", "a.csv"]
    assert len(printed) > 4
    assert (folder / "a.svg").stat().st_size < 150_000
    with (folder / "a.csv").open() as file:
        assert list(csv.DictReader(file))


def test_the_gradients_command_counts_back_from_the_last_step(folder: Path) -> None:
    assert cli_analyze.main(["gradients", "sweep/model.pt", "--samples", "8", "-o", "a.json"]) == 0
    rows = json.loads((folder / "a.json").read_text())
    assert {(row["state"], row["layer"]) for row in rows} == {
        (s, i) for s in ("at the start", "trained") for i in (0, 1)
    }
    first = [row["norm"] for row in rows if (row["state"], row["layer"]) == ("trained", 0)]
    assert len(first) == checkpoint.load("sweep/model.pt").steps
    assert first[0] > FAINT * first[-1]


def test_gradients_are_of_the_samples_trained_on_wherever_they_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, model = tmp_path / "my.npz", tmp_path / "moved.npz", str(tmp_path / "m.pt")
    x, y = np.random.default_rng(0).normal(size=(20, 6, 2)), np.arange(20) % 2
    np.savez(before, x=x, y=y)
    asked = {"data": {"name": str(before)}, "network": {"hidden": (3,)}, "training": {"epochs": 1}}
    fit(validated(asked, "test"), model)
    before.rename(after)
    assert cli_analyze.main(["gradients", model]) == 1
    assert "if it was moved, name its new place" in capsys.readouterr().err
    assert cli_analyze.main(["gradients", model, "--data", "digits"]) == 1
    assert "give the new path of samples of your own" in capsys.readouterr().err
    assert cli_analyze.main(["gradients", model, "--data", str(after)]) == 0
    np.savez(after, x=2 * x, y=y)
    assert cli_analyze.main(["gradients", model, "--data", str(after)]) == 1
    assert "that the checkpoint was trained with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["training", "sweep", "-o", "a.jpg"], "a.jpg"),
        (["training", "nothing.pt"], "nothing.pt"),
        (["training", "."], r"\*.pt"),
        (["sweep", "sweep", "--x", "network.spam"], "network.spam"),
        (["training", "sweep", "-o", "missing/a.svg"], "missing/a.svg"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(
    folder: Path, command: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_analyze.main(command) == 1
    told = capsys.readouterr().err
    assert says.replace("\\", "") in told
    assert told.startswith("asrc-analyze: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("kind", ["gradients", "skip-kernel", "training", "sweep"])
def test_each_analysis_has_help_with_examples(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli_analyze.main([kind, "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "examples:" in printed
    assert f"asrc-analyze {kind}" in printed.partition("examples:")[2]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"neuron": "ssm", "connection": "none"}, "layer 0 is of state-space neurons"),
        ({"neuron": "cuba-lif", "connection": "src"}, "the neurons of layer 0 have a current that lasts"),
        ({"neuron": "tc-lif", "connection": "src"}, "the neurons of layer 0 have a dendrite"),
        ({"neuron": "glif-steady", "connection": "src"}, "the neurons of layer 0 multiply a current by a conductance"),
    ],
)
def test_gradients_of_layers_that_they_are_not_of_are_refused(settings: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        network_norms(network((4,), **settings).float(), samples().float(), None)


def test_gradients_of_a_network_with_skips_are_those_of_what_each_layer_hears() -> None:
    made = network((4, 5, 3), skips="concat")
    found = network_norms(made, samples(), None)
    x, sent = samples(), []
    for layer in map(a_layer, made.layers):
        sent.append(layer(torch.cat([sent[-1], sent[-2]], dim=-1) if len(sent) > 1 else sent[-1] if sent else x, None))
    heard = torch.cat([sent[1], sent[0]], dim=-1).detach()
    np.testing.assert_array_equal(found[2], layer_norms(a_layer(made.layers[2]), heard, None))
