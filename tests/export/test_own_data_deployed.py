"""From a user's file to a decision: checkpoint and integer file state what makes integers of raw samples."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recordings import put_wav, word

from asrc_core import preprocessing
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidData, InvalidSetting, UnreadableFile
from asrc_export import simulator
from asrc_export.commands import check as cli_check
from asrc_export.commands import export as cli_export
from asrc_export.commands import report as cli_report
from asrc_export.exporting import export
from asrc_export.samples import raw_samples
from asrc_export.samples.dataset_samples import dataset_for, split_of
from asrc_lava.commands import sim as cli_sim
from asrc_train import configured, data, fit
from asrc_train.commands import train as cli_train
from asrc_train.trained import checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(seed: int, n: int = 24) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Two channels, negative values too; whether the second rises says the class."""
    draw = np.random.default_rng(seed)
    y = np.array(["falls", "rises"])[np.arange(n) % 2]
    x = draw.normal(0, 0.3, (n, 10, 2))
    x[:, :, 1] += 100 + np.where(y == "rises", 1, -1)[:, None] * np.linspace(-20, 20, 10)
    return x, y


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with samples of one's own, the checkpoint trained on them and its integer network."""
    folder = tmp_path_factory.mktemp("own")
    x, y = drawn(0)
    np.savez(folder / "my.npz", x=x, y=y)
    arguments = ["--hidden", "8", "--epochs", "3", "--batch-size", "4", "--out", str(folder / "m.pt")]
    assert cli_train.main(["--data", str(folder / "my.npz"), *arguments]) == 0
    assert cli_export.main([str(folder / "m.pt"), "-o", str(folder / "n.safetensors")]) == 0
    return folder


def test_both_files_state_classes_zeros_and_scales(place: Path) -> None:
    network, trained = network_file.load(place / "n.safetensors"), checkpoint.load(place / "m.pt")
    stated = preprocessing.of(network.provenance)
    assert stated is not None
    assert stated == preprocessing.of(trained.provenance)
    assert preprocessing.classes_of(network.provenance, 2) == ("falls", "rises")
    x, _ = drawn(0)
    np.testing.assert_allclose(
        np.array(stated.zero) + 128 * np.array(stated.scale), x.mean((0, 1)), rtol=0.05, atol=0.1
    )


def test_training_shows_the_classes_and_what_was_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = drawn(0)
    np.savez(tmp_path / "my.npz", x=x, y=y)
    arguments = ["--hidden", "3", "--epochs", "1", "--class-weights", "balanced", "--out", str(tmp_path / "m.pt")]
    assert cli_train.main(["--data", str(tmp_path / "my.npz"), *arguments]) == 0
    said = capsys.readouterr().out
    assert f"samples to train on, {x.shape[1]} steps of {x.shape[2]} channels, 2 classes" in said
    assert "classes: falls, rises" in said
    assert "note: test: 4 of 24 samples, drawn by class" in said
    assert "note: each channel is standardised by the training part" in said
    assert checkpoint.load(tmp_path / "m.pt").config.training.class_weights == "balanced"
    finetuned = [str(tmp_path / "m.pt"), "--bits", "4", "--finetune", "1", "-o", str(tmp_path / "n.safetensors")]
    assert cli_export.main(finetuned) == 0
    assert "asserted on all 4 test samples" in capsys.readouterr().out


def test_samples_are_split_as_the_training_split_them(tmp_path: Path) -> None:
    x, y = drawn(0)
    np.savez(tmp_path / "my.npz", x=x, y=y)
    config = configured(tmp_path / "my.npz", hidden=(3,), epochs=1, validation_fraction=0.4)
    trained = fit(config, tmp_path / "m.pt")
    network = export(trained, "loihi2").network
    assert network.provenance["validation_fraction"] == 0.4
    mine, theirs = dataset_for(network), data.load(str(tmp_path / "my.npz"), validation_fraction=0.4)
    assert theirs.validation_x is not None
    np.testing.assert_array_equal(mine.train_x, theirs.train_x)
    np.testing.assert_array_equal(mine.validation_x, theirs.validation_x)


@pytest.mark.parametrize("stated", [None, True, "0.4", 0.0, 1.0])
def test_a_share_that_is_none_is_not_believed(stated: Any, place: Path) -> None:
    network = network_file.load(place / "n.safetensors")
    strange = replace(network, provenance={**network.provenance, "validation_fraction": stated})
    np.testing.assert_array_equal(dataset_for(strange).train_x, dataset_for(network).train_x)


def test_a_checkpoint_that_came_without_its_samples_is_exported_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = drawn(0)
    np.savez(tmp_path / "my.npz", x=x, y=y)
    arguments = ["--hidden", "3", "--epochs", "1", "--out", str(tmp_path / "m.pt")]
    assert cli_train.main(["--data", str(tmp_path / "my.npz"), *arguments]) == 0
    (tmp_path / "my.npz").unlink()
    out = tmp_path / "n.safetensors"
    assert cli_export.main([str(tmp_path / "m.pt"), "-o", str(out)]) == 1
    said = capsys.readouterr().err
    assert "--calibrate: scales are chosen on what the network was trained on, which is not here: cannot read" in said
    assert said.endswith("; or choose them without samples, --calibrate none.\n")
    assert not out.exists()
    assert cli_export.main([str(tmp_path / "m.pt"), "-o", str(out), "--calibrate", "none"]) == 0
    provenance = network_file.load(out).provenance
    assert "calibration" not in provenance
    assert not provenance["observed"]
    auto = [str(tmp_path / "m.pt"), "--bits", "auto", "--budget", "1KB", "--calibrate", "none"]
    assert cli_export.main(auto) == 1
    assert "--bits auto: they are chosen on samples; name data by --calibrate" in capsys.readouterr().err


def test_simulation_report_calibration_and_finetuning_take_raw_samples(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, other = str(place / "n.safetensors"), str(tmp_path / "other.npz")
    x, y = drawn(1)
    np.savez(other, x=x, y=y)
    assert cli_sim.main([network, "--json"]) == 0
    mine = json.loads(capsys.readouterr().out)
    assert (mine["samples"], mine["classes"]) == (4, ["falls", "rises"])
    assert cli_sim.main([network, "--data", other, "--backend", "numpy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 4
    out = tmp_path / "r.json"
    arguments = [network, "--float", str(place / "m.pt"), "-o", str(out)]
    assert cli_report.main(arguments) == 0
    assert json.loads(out.read_text())["samples"] == 4
    tuned = str(tmp_path / "t.safetensors")
    assert cli_export.main([str(place / "m.pt"), "--calibrate", other, "-o", tuned]) == 0
    assert cli_export.main([str(place / "m.pt"), "--bits", "4", "--finetune", "1", "-o", tuned]) == 0
    stated = preprocessing.of(network_file.load(tuned).provenance)
    assert stated == preprocessing.of(network_file.load(network).provenance)


def test_what_is_cut_of_samples_named_to_choose_scales_on_is_told(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = drawn(1)
    np.savez(tmp_path / "loud.npz", x=100 * x, y=y)
    loud, out = str(tmp_path / "loud.npz"), str(tmp_path / "n.safetensors")
    assert cli_export.main([str(place / "m.pt"), "--calibrate", loud, "-o", out]) == 0
    assert re.search(r"note: train: .* lie beyond", capsys.readouterr().out)
    assert cli_check.main([out, "--data", loud]) == 0
    assert re.search(r"note: train: .* lie beyond", capsys.readouterr().err)


def test_a_checkpoint_is_fine_tuned_wherever_its_samples_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, out = tmp_path / "my.npz", tmp_path / "moved.npz", str(tmp_path / "n.safetensors")
    x, y = drawn(0)
    np.savez(before, x=x, y=y)
    fit(configured(before, hidden=(3,), epochs=1), tmp_path / "m.pt")
    before.rename(after)
    tune = [str(tmp_path / "m.pt"), "--bits", "4", "--finetune", "1", "-o", out]
    assert cli_export.main(tune) == 1
    assert "if it was moved, name its new place" in capsys.readouterr().err
    assert cli_export.main([*tune, "--data", "digits"]) == 1
    assert "give the new path of samples of your own" in capsys.readouterr().err
    assert cli_export.main([*tune, "--data", str(after)]) == 0
    assert network_file.load(out).provenance["data"] == str(after)


def test_a_raw_sample_of_its_own_file_gets_the_name_of_its_class(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = network_file.load(place / "n.safetensors")
    dataset = dataset_for(network)
    stated = preprocessing.of(network.provenance)
    assert stated is not None
    x, _ = drawn(0)
    which = next(
        i for i in range(len(x)) if any(np.array_equal(stated.integers(x[i]).x, each) for each in dataset.test_x)
    )
    np.save(tmp_path / "one.npy", x[which])
    (tmp_path / "one.csv").write_text("a,b\n" + "\n".join(f"{a!r},{b!r}" for a, b in x[which].tolist()))
    files = [str(tmp_path / "one.npy"), str(tmp_path / "one.csv")]
    made = raw_samples.load(files, network)
    assert any(np.array_equal(made.x[0], each) for each in dataset.test_x)
    np.testing.assert_array_equal(made.x[0], made.x[1])
    assert cli_sim.main([str(place / "n.safetensors"), *files]) == 0
    said = capsys.readouterr().out
    name = stated_answer(network, made.x[:1])
    assert f"{files[0]}: {name} (logit " in said
    assert f"{files[1]}: {name} (logit " in said


def stated_answer(network: Any, x: NDArray[np.uint8]) -> str:
    from asrc_core.contract import interpreter

    best = int(interpreter.run(network, x).logits[0].argmax())
    return preprocessing.classes_of(network.provenance, network.classes)[best]


def test_a_stream_takes_raw_frames(place: Path) -> None:
    ready = simulator.load(place / "n.safetensors")
    x, _ = drawn(2)
    stream = ready.stream()
    for frame in x[0]:
        logits = stream.step(ready.integers(frame)).logits
    np.testing.assert_array_equal(logits, ready.run(ready.integers(x[:1])).logits[0])
    assert ready.classes == ("falls", "rises")
    with pytest.raises(InvalidData, match="they have 3 channels and the network was trained on 2"):
        ready.integers(np.zeros(3))


def test_what_does_not_fit_the_network_is_told(place: Path, tmp_path: Path, exported: Any) -> None:
    network = network_file.load(place / "n.safetensors")

    def refused(array: NDArray[Any], says: str, kind: type[Exception] = InvalidData) -> None:
        np.save(tmp_path / "bad.npy", array)
        with pytest.raises(kind, match=says):
            raw_samples.load([tmp_path / "bad.npy"], network)

    refused(np.zeros((10, 3)), "it has 3 channels, and the network was trained on 2")
    refused(np.full((10, 2), np.nan), r"the values of '.*bad.npy': they hold NaN or infinity")
    refused(np.array([{}], dtype=object), "holds objects", UnreadableFile)
    with pytest.raises(UnreadableFile, match="the network was not trained on recordings"):
        raw_samples.load([put_wav(tmp_path / "x.wav", word(440, 1))], network)
    for many in (place / "my.npz", place):
        with pytest.raises(UnreadableFile, match="it is for many samples; name it with `data`, or give a recording"):
            raw_samples.load([many], network)
    with pytest.raises(UnreadableFile, match="No such file"):
        raw_samples.load([tmp_path / "absent.npy"], network)
    with pytest.raises(InvalidSetting, match="the network does not state how integers are made of raw samples"):
        raw_samples.load([tmp_path / "bad.npy"], exported.network)
    short = raw_samples.load([save(tmp_path / "short.npy", np.zeros((4, 2)))], network)
    assert short.notes[-1] == f"{tmp_path / 'short.npy'}: it has 4 steps and was padded to 10"


def headed(path: Path, header: str, columns: NDArray[Any]) -> Path:
    np.savetxt(path, columns, delimiter=",", header=header, comments="", fmt="%.17g")
    return path


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> IntegerNetwork:
    """A network trained on a table whose label stands in its column y, and whose channels are ax and ay."""
    folder = tmp_path_factory.mktemp("named")
    x, y = drawn(0)
    rows = [[i, y[i] == "rises", *step] for i in range(len(x)) for step in x[i]]
    table = headed(folder / "my.csv", "sample,y,ax,ay", np.array(rows, float))
    trained = fit(configured(table, hidden=(3,), epochs=1), folder / "m.pt")
    return export(trained, "loihi2").network


def test_columns_are_put_in_the_order_of_the_network_by_their_names(named: IntegerNetwork, tmp_path: Path) -> None:
    stated = preprocessing.of(named.provenance)
    assert stated is not None
    assert stated.names == ("ax", "ay")
    x, _ = drawn(3)
    one, extra = x[0], np.arange(10.0)[:, None]
    expected = stated.integers(one).x
    files = [
        headed(tmp_path / "as_trained.csv", "ax,ay", one),
        headed(tmp_path / "swapped.csv", "ay,ax", one[:, ::-1]),
        headed(tmp_path / "table.csv", "sample,y,ax,ay", np.hstack([extra * 0, extra * 0, one])),
    ]
    np.savetxt(tmp_path / "bare.csv", one, delimiter=",", fmt="%.17g")
    made = raw_samples.load([*files, tmp_path / "bare.csv"], named)
    for each in made.x:
        np.testing.assert_array_equal(each, expected)
    assert made.notes == [
        f"{files[1]}: its columns were taken in the network's order: ax, ay",
        f"{files[2]}: columns that are no channels were left out: sample, y",
    ]
    with pytest.raises(
        InvalidData, match=r"its columns are ax, z, and those that the network was trained on are ax, a"
    ):
        raw_samples.load([headed(tmp_path / "other.csv", "ax,z", one)], named)
    with pytest.raises(InvalidData, match=r"columns are \(no name\), ax, ay, and those"):
        raw_samples.load([headed(tmp_path / "counted.csv", ",ax,ay", np.hstack([extra, one]))], named)
    counted = headed(tmp_path / "steps.csv", "sample,ax,ay", np.hstack([extra, one]))
    np.testing.assert_array_equal(raw_samples.load([counted], named).x[0], expected)
    with pytest.raises(InvalidData, match="its rows are of 5 samples; give a file for each"):
        raw_samples.load([headed(tmp_path / "many.csv", "sample,ax,ay", np.hstack([extra // 2, one]))], named)
    row = headed(tmp_path / "row.csv", "ax,ay,z", np.ones((1, 3)))
    with pytest.raises(InvalidData, match="its columns are ax, ay, z, and those"):
        raw_samples.load([row], named)
    older = replace(named, provenance={**named.provenance, preprocessing.KEY: stated.model_dump(exclude={"names"})})
    taken = raw_samples.load([headed(tmp_path / "other.csv", "ax,z", one)], older)
    np.testing.assert_array_equal(taken.x[0], expected)


def test_a_table_of_other_columns_is_refused_and_of_another_order_is_read(
    named: IntegerNetwork, tmp_path: Path
) -> None:
    x, y = drawn(4)
    rows = np.array([[i, y[i] == "rises", *step] for i in range(len(x)) for step in x[i]], float)
    same = dataset_for(named, headed(tmp_path / "same.csv", "sample,label,ax,ay", rows))
    swapped = dataset_for(named, headed(tmp_path / "swapped.csv", "sample,label,ay,ax", rows[:, [0, 1, 3, 2]]))
    np.testing.assert_array_equal(same.test_x, swapped.test_x)
    assert "the network takes the columns in the order ax, ay" in swapped.notes
    with pytest.raises(
        InvalidData, match="its columns are ax, az, and those that the network was trained on are ax, a"
    ):
        dataset_for(named, headed(tmp_path / "other.csv", "sample,label,ax,az", rows))


def test_one_row_of_the_table_that_a_network_of_one_channel_was_trained_on_is_a_sample(tmp_path: Path) -> None:
    x, y = drawn(0)
    wide = np.column_stack([y == "rises", x[:, :, 1]])
    header = ",".join(["label", *map(str, range(10))])
    trained = fit(configured(headed(tmp_path / "my.csv", header, wide), hidden=(3,), epochs=1), tmp_path / "m.pt")
    network = export(trained, "loihi2").network
    made = raw_samples.load([headed(tmp_path / "one.csv", header, wide[:1])], network)
    stated = preprocessing.of(network.provenance)
    assert stated is not None
    np.testing.assert_array_equal(made.x[0], stated.integers(x[0, :, 1:]).x)
    assert made.notes[-1].endswith("its only row was taken for the steps of the only channel")


def test_a_split_that_a_small_set_has_no_sample_for_is_told(place: Path, tmp_path: Path) -> None:
    network = network_file.load(place / "n.safetensors")
    x, y = drawn(5, n=2)
    np.savez(tmp_path / "two.npz", x=x, y=y)
    dataset = dataset_for(network, tmp_path / "two.npz")
    assert len(split_of(dataset, "test")[0]) == 2
    with pytest.raises(InvalidData, match="it has no sample in its train split; take its test split, or give more"):
        split_of(dataset, "train")


def save(path: Path, array: NDArray[Any]) -> Path:
    np.save(path, array)
    return path


def test_a_network_that_states_nothing_takes_integers_as_they_are_or_refuses(tmp_path: Path, exported: Any) -> None:
    network = exported.network
    entry = network.input
    y = np.arange(20) % 10

    def given(x: NDArray[Any]) -> str:
        np.savez(tmp_path / "my.npz", x=x, y=y)
        return str(tmp_path / "my.npz")

    x = np.random.default_rng(0).integers(0, entry.maximum + 1, (20, network.steps, entry.channels))
    found = dataset_for(network, given(x)).test_x
    assert all(any(np.array_equal(each, one[network.permutation]) for one in x) for each in found)
    with pytest.raises(InvalidData, match="has fractions, and the network only whole numbers from 0 to 16, fed"):
        dataset_for(network, given(x / 2))
    with pytest.raises(InvalidData, match="and the network takes 0 to 16 as they are; give what it was trained on"):
        dataset_for(network, given(x * 2))


def test_samples_that_changed_since_are_not_trained_on_quietly(place: Path, tmp_path: Path) -> None:
    x, y = drawn(0)
    path = tmp_path / "my.npz"
    np.savez(path, x=x, y=y)
    arguments = ["--hidden", "3", "--epochs", "1", "--out", str(tmp_path / "m.pt")]
    assert cli_train.main(["--data", str(path), *arguments]) == 0
    np.savez(path, x=2 * x, y=y)
    with pytest.raises(
        InvalidData, match="its classes, or the zero and scale of its channels, are not those that the checkpoint"
    ):
        cli_train.train(["--start-from", str(tmp_path / "m.pt"), "--epochs", "1", "--out", str(tmp_path / "o.pt")])


def made_words(folder: Path) -> Path:
    for k, label in enumerate(("high", "low")):
        for i in range(6):
            put_wav(folder / label / f"{i}.wav", word(400 + 900 * k, seed=i, seconds=0.1))
    return folder


def made_events(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    each = np.column_stack([draw.uniform(0, 1, 1200), draw.integers(0, 6, 1200)])
    np.savez(folder / "e.npz", events=each, counts=[100] * 12, y=np.arange(12) % 2)
    np.save(folder / "one.npy", np.array([tuple(row) for row in each[:100]], dtype=[("t", float), ("unit", int)]))
    return folder / "e.npz"


@pytest.mark.parametrize(
    ("make", "one"), [(made_words, "high/0.wav"), (made_events, "one.npy")], ids=["recordings", "events"]
)
def test_recordings_and_events_come_all_the_way(
    tmp_path: Path, make: Callable[[Path], Path], one: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, model = str(make(tmp_path)), str(tmp_path / "m.pt")
    assert cli_train.main(["--data", source, "--hidden", "6", "--epochs", "2", "--out", model]) == 0
    network = tmp_path / "n.safetensors"
    assert cli_export.main([model, "-o", str(network)]) == 0
    read = network_file.load(network)
    made = raw_samples.load([tmp_path / one], read)
    dataset = dataset_for(read)
    everything = np.concatenate([x for x, _ in dataset.parts().values()])
    assert any(np.array_equal(made.x[0], each) for each in everything)
    capsys.readouterr()
    assert cli_sim.main([str(network), str(tmp_path / one)]) == 0
    assert f"{one}: " in capsys.readouterr().out
