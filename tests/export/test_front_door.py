"""From a loop of one's own to an integer network, and what can be done with its file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import asrc_core
import asrc_export
from asrc_core.contract.interpreter import run as reference
from asrc_core.contract.random_network import random_network
from asrc_core.errors import AsrcError, InvalidData, InvalidSetting, UnknownName, UnreadableFile, UnwritableOutput
from asrc_export import effective, float_network, formats
from asrc_export.chip import devices, targets
from asrc_export.codegen.mcu.program import program
from asrc_export.commands import export as cli_export
from asrc_export.commands import recipe_check
from asrc_export.interop.nir import reader as nir_reader
from asrc_export.onnx_model import graph
from asrc_train import SkipRecurrentLayer, as_checkpoint, load, save
from asrc_train.commands import analyze as cli_analyze
from asrc_train.commands import train as cli_train

STEPS, CHANNELS = 12, 2
FED: dict[str, Any] = {"scale": 0.25, "zero": 4, "maximum": 16}
NAMES = ("left", "right", "still")


class Own(nn.Module):
    """As a user writes it, samples first, with an averaged readout and neurons of an object's."""

    def __init__(self) -> None:
        super().__init__()
        self.below = SkipRecurrentLayer(CHANNELS, 8, "src", span=3)
        self.above = SkipRecurrentLayer(8, 6, "src", span=1, decay=0.75)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.above(self.below(x.transpose(0, 1)))).mean(0)


@pytest.fixture(scope="module")
def module() -> Own:
    torch.manual_seed(2)
    made = Own()
    with torch.no_grad():
        made.below.feedforward.weight.mul_(3)
        made.above.feedforward.weight.mul_(3)
        made.out.weight.mul_(20)
        made.out.bias.zero_()
    return made


@pytest.fixture(scope="module")
def samples() -> Any:
    return np.random.default_rng(0).integers(0, 17, (60, STEPS, CHANNELS))


@pytest.fixture(scope="module")
def exported(module: Own, samples: Any) -> asrc_export.Exported:
    return asrc_export.export(module, samples=samples, classes=NAMES, unit="g", step_seconds=0.01, **FED)


def test_an_own_module_becomes_an_integer_network_that_answers_alike(
    module: Own, samples: Any, exported: asrc_export.Exported
) -> None:
    with torch.no_grad():
        expected = module(torch.from_numpy((samples - 4) * 0.25).float()).argmax(1).numpy()
    found = exported.simulator.run(samples).predictions
    assert (found == expected).mean() >= 0.9
    assert len(set(expected.tolist())) > 1
    assert exported.path is None
    assert exported.measured, "scales were searched on the samples given"
    assert exported.network.provenance["calibration"]["data"] == "60 samples given"


def test_the_file_says_what_classes_and_values_are(exported: asrc_export.Exported, tmp_path: Path) -> None:
    asrc_core.save(exported.network, tmp_path / "n.safetensors")
    simulator = asrc_export.load(tmp_path / "n.safetensors")
    assert simulator.classes == NAMES
    assert simulator.meaning.model_dump() == {"zero": 4.0, "unit": "g", "step_seconds": 0.01}
    assert simulator.network.input.scale == 0.25


def test_a_checkpoint_and_its_module_become_the_same_integers(module: Own, samples: Any) -> None:
    trained = as_checkpoint(module, samples=samples, **FED)
    a = asrc_export.export(trained, samples=samples).network
    b = asrc_export.export(module, samples=samples, **FED).network
    for one, other in zip(a.layers, b.layers, strict=True):
        for mine, theirs in zip(one.connections, other.connections, strict=True):
            # An average over 12 steps is stored in single precision, which may move a rounding by one.
            assert np.abs(mine.weights - theirs.weights).max() <= 2


def test_raw_samples_in_a_file_are_reported_on_beside_a_checkpoints_file(
    module: Own, samples: Any, exported: asrc_export.Exported, tmp_path: Path
) -> None:
    save(as_checkpoint(module, samples=samples, temperature=0.25, **FED), tmp_path / "m.pt")
    y = np.array(NAMES)[np.arange(len(samples)) % 3]
    np.savez(tmp_path / "raw.npz", x=(samples - FED["zero"]) * FED["scale"], y=y)
    report = exported.simulator.report(str(tmp_path / "m.pt"), data=str(tmp_path / "raw.npz"), limit=5)
    assert report.samples == 5
    assert load(tmp_path / "m.pt").temperature == 0.25
    with pytest.raises(InvalidSetting, match="name a data set or a file of raw samples"):
        exported.simulator.report(str(tmp_path / "m.pt"))


def test_a_checkpoint_of_a_loop_of_ones_own_is_trained_on_with_raw_samples(
    module: Own, samples: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, raw, out = tmp_path / "m.pt", str(tmp_path / "raw.npz"), str(tmp_path / "n.safetensors")
    save(as_checkpoint(module, samples=samples, classes=NAMES, **FED), model)
    np.savez(raw, x=(samples - FED["zero"]) * FED["scale"], y=np.array(NAMES)[np.arange(len(samples)) % 3])
    tune = [str(model), "--bits", "4", "--finetune", "1", "-o", out]
    assert cli_export.main(tune) == 1
    assert "name a file of these samples by --data" in capsys.readouterr().err
    assert cli_export.main([*tune, "--data", raw]) == 0
    assert "are those of the fine-tuned checkpoint" in capsys.readouterr().out
    tuned = asrc_export.load(out)
    assert tuned.classes == NAMES
    assert tuned.network.input.maximum == FED["maximum"]
    on = ["--start-from", str(model), "--epochs", "1", "--out", str(tmp_path / "on.pt")]
    assert cli_train.main([*on, "--data", raw]) == 0
    assert load(tmp_path / "on.pt").scale == FED["scale"]
    # its file of samples has a name now, and is still read as the checkpoint states
    again = ["--start-from", str(tmp_path / "on.pt"), "--epochs", "1", "--out", str(tmp_path / "again.pt")]
    assert cli_train.main(again) == 0
    assert cli_export.main([str(tmp_path / "on.pt"), "--bits", "4", "--finetune", "1", "-o", out]) == 0
    assert cli_analyze.main(["gradients", str(tmp_path / "on.pt")]) == 0
    assert cli_analyze.main(["gradients", str(model), "--data", raw]) == 0
    capsys.readouterr()
    np.savez(raw, x=samples * 0.3, y=np.array(NAMES)[np.arange(len(samples)) % 3])
    assert cli_train.main(again) == 1
    assert "are not those that the checkpoint was trained on" in capsys.readouterr().err


def test_integers_that_no_file_is_read_as_are_not_trained_on(
    module: Own, samples: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(as_checkpoint(module, samples=samples, scale=0.25, zero=4, maximum=1000), tmp_path / "m.pt")
    np.savez(tmp_path / "raw.npz", x=samples, y=np.arange(len(samples)) % 3)
    on = ["--start-from", str(tmp_path / "m.pt"), "--data", str(tmp_path / "raw.npz"), "--out", str(tmp_path / "on.pt")]
    assert cli_train.main(on) == 1
    assert "no file of one's own is read as more than 255" in capsys.readouterr().err


def test_a_data_set_of_arrays_is_reported_on(module: Own, samples: Any, exported: asrc_export.Exported) -> None:
    from asrc_train.data.dataset import Dataset, Shape

    trained = as_checkpoint(module, samples=samples, **FED)
    y = np.arange(len(samples), dtype=np.int64) % 3
    x = samples.astype(np.uint8)
    dataset = Dataset("mine", Shape(STEPS, CHANNELS, 3, 16, 0.25), x, y, x, y)
    report = exported.simulator.report(trained, dataset, limit=20)
    assert report.samples == 20
    assert "20 samples" in repr(report)
    assert len(repr(report)) < 160
    assert "<table" in report._repr_html_()


EXPORT_REFUSED = [
    ({"model": 3}, "it is a int"),
    ({"model": None}, "it is a NoneType"),
    ({"target": "loihi9"}, "unknown target 'loihi9'"),
    ({"target": None}, "target"),
    ({"bits": "8"}, "bits`: '8' is neither"),
    ({"bits": 9}, "9"),
    ({"bits": "auto"}, r"bit_budget\.choose"),
    ({"model": 3, "samples": None}, "`model`: it is a int"),
    ({"bits": (8, 8)}, "bits"),
    ({"mapping": "delayline"}, "unknown mapping 'delayline'"),
    ({"mapping": np.zeros(3)}, "unknown mapping"),
    ({"model": ""}, "is no path"),
    ({"model": "\0"}, "is no path"),
    ({"out": "\0"}, "is no path"),
    ({"bits": np.zeros((2, 2))}, "is neither a whole number"),
    ({"samples": "digits"}, "they are a str"),
    ({"samples": np.zeros((2, 3, 2))}, "a chip is fed integers"),
    ({"samples": np.ones((40, STEPS, 5), int)}, "steps of 5"),
    ({"samples": None}, "it is not known"),
    ({"samples": None, "steps": STEPS}, "looked at on samples"),
    ({"calibrate_on": "digits"}, "samples and a data set"),
    ({"scale": -1}, "scale: -1"),
    ({"classes": ["a"]}, "there is 1 name and the readout has 3 classes"),
    ({"zeros": 3}, "zeros"),
]


@pytest.mark.parametrize(("arguments", "sentence"), EXPORT_REFUSED, ids=[sentence for _, sentence in EXPORT_REFUSED])
def test_what_an_export_cannot_do_is_said_in_a_sentence(
    module: Own, samples: Any, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AsrcError, match=sentence):
        asrc_export.export(**{"model": module, "samples": samples, **FED, **arguments})


def test_an_export_does_not_replace_the_checkpoint_that_it_reads(checkpoint_path: Path, tmp_path: Path) -> None:
    model, link = tmp_path / "model.pt", tmp_path / "link.pt"
    model.write_bytes(checkpoint_path.read_bytes())
    link.symlink_to(model)
    with pytest.raises(UnwritableOutput, match="it is read here, and would be lost"):
        asrc_export.export(link, out=model, calibrate_on="none")
    assert model.read_bytes() == checkpoint_path.read_bytes()


def test_a_checkpoint_that_is_not_there_is_named(checkpoint_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot read checkpoint"):
        asrc_export.export(tmp_path / "missing.pt")
    with pytest.raises(UnknownName, match="unknown data set 'digitz'"):
        asrc_export.export(checkpoint_path, calibrate_on="digitz")


@pytest.mark.parametrize("load", [targets.load, devices.load])
def test_a_target_that_is_no_name_is_refused(load: Any) -> None:
    with pytest.raises(InvalidSetting, match="`target`: 3 is neither"):
        load(3)


def test_samples_of_ones_own_are_asked_about_a_chip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "my.npz", x=np.random.default_rng(0).normal(size=(30, 12, 2)), y=np.arange(30) % 3)
    recipe_check.check(str(tmp_path / "my.npz"), "loihi2", 8, "delay-line")
    shown = capsys.readouterr().out
    assert " 2 x 64 " in shown
    assert " 64 x 3 " in shown


def test_a_checkpoint_is_not_told_what_it_says_itself(checkpoint_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="scale: a checkpoint says what it was trained on"):
        asrc_export.export(checkpoint_path, scale=0.5)


RUN_REFUSED = [
    (None, "they are a NoneType"),
    ([[[1]]], "they are a list"),
    ("x.npz", "they are a str"),
    (np.zeros((2, 3, 1)), "their type is float64"),
    (np.zeros((2, 3), int), r"their shape is \(2, 3\)"),
    (np.zeros((0, 3, 1), int), "each at least 1"),
    (np.full((1, 2, 1), 2**20), "their values span"),
    (np.array([["a"]]), "their type is"),
]


@pytest.mark.parametrize(("x", "sentence"), RUN_REFUSED, ids=[sentence for _, sentence in RUN_REFUSED])
def test_what_cannot_be_run_is_said_in_a_sentence(x: Any, sentence: str) -> None:
    network = random_network(0, widths=(4,), spans=(2,), steps=3)
    for run in (asrc_core.run, asrc_export.run):
        with pytest.raises(InvalidData, match=sentence):
            run(network, x)


REPORT_REFUSED = [
    ({"model": 3}, "it is a int; give a Checkpoint"),
    ({"dataset": 3}, "it is a int; give a Dataset"),
    ({"limit": 0}, "limit: 0 is not a whole number of samples"),
    ({"limit": 2.5}, "limit: 2.5 is not a whole number of samples"),
    ({"dataset": None, "data": (np.zeros(3), [0])}, "`data`: it is a tuple; give a data set's name, or the path"),
    ({"model": "\0"}, "is no path"),
    ({"model": ""}, "is no path"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REPORT_REFUSED, ids=[sentence for _, sentence in REPORT_REFUSED])
def test_what_cannot_be_reported_is_said_in_a_sentence(
    module: Own, samples: Any, exported: asrc_export.Exported, arguments: dict[str, Any], sentence: str
) -> None:
    from asrc_train.data.dataset import Dataset, Shape

    x, y = samples.astype(np.uint8), np.arange(len(samples)) % 3
    dataset = Dataset("mine", Shape(STEPS, CHANNELS, 3, 16, 0.25), x, y, x, y)
    with pytest.raises(AsrcError, match=sentence):
        exported.simulator.report(
            **{"model": as_checkpoint(module, samples=samples, **FED), "dataset": dataset, **arguments}
        )
    for made in (lambda: asrc_export.report.write(3, "r.json"), lambda: asrc_export.report.compared([3], ["a"])):  # type: ignore[arg-type, list-item]
        with pytest.raises(InvalidSetting):
            made()


@pytest.mark.parametrize("arguments", [{"carry": np.zeros(3)}, {"frames": None}])
def test_what_cannot_be_decided_on_is_said_in_a_sentence(
    exported: asrc_export.Exported, samples: Any, arguments: dict[str, Any]
) -> None:
    with pytest.raises(AsrcError):
        exported.simulator.decide(**{"frames": samples[0], "every": 4, **arguments})
    with pytest.raises(InvalidData):
        exported.simulator.run_each(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("network", [None, 3, {}, "missing.safetensors", np.zeros(3)])
def test_what_is_no_network_is_said_in_a_sentence(network: Any, tmp_path: Path) -> None:
    with pytest.raises(AsrcError, match="network"):
        asrc_export.run(network, np.zeros((1, 1, 1), int))
    with pytest.raises(AsrcError, match="network"):
        asrc_export.stream(network)
    for write in (formats.to_onnx, formats.to_netx, formats.to_nir):
        with pytest.raises(AsrcError, match="network"):
            write(network, tmp_path / "out")
    if not isinstance(network, str):
        for call in (asrc_export.load, asrc_export.Simulator):
            with pytest.raises(AsrcError, match="network"):
                call(network)
        with pytest.raises(AsrcError, match="network"):
            asrc_core.save(network, tmp_path / "out.safetensors")


def test_a_frame_that_does_not_fit_is_refused_on_every_engine() -> None:
    from asrc_core.contract.interpreter import NumpyStream

    network = random_network(0, widths=(4,), spans=(2,), steps=3)
    for stream in (asrc_export.stream(network), NumpyStream(network)):
        for frame in (None, "a", 1, [[1]], np.zeros(1)):
            with pytest.raises(InvalidData, match=r"^frame: its type is .*\(channels,\)"):
                stream.step(frame)  # type: ignore[arg-type]
        with pytest.raises(InvalidData, match="3 channels"):
            stream.step(np.zeros(3, int))
        assert repr(stream).startswith(f"{type(stream).__name__}(IntegerNetwork(1 -> 4")
        assert repr(stream.step(np.zeros(1, int))).startswith("StreamStep(logits [")


def test_networks_and_results_are_shown_in_a_line_and_as_a_table(exported: asrc_export.Exported, samples: Any) -> None:
    result = exported.simulator.run(samples)
    for shown in (exported, exported.network, exported.simulator, result):
        assert "\n" not in repr(shown)
        assert len(repr(shown)) < 160
        assert "<table" in shown._repr_html_()
    assert repr(result).startswith("Result(60 samples, 3 classes, ")


def test_a_check_says_how_much_room_there_is(exported: asrc_export.Exported, samples: Any) -> None:
    checked = asrc_export.check(exported.network, samples)
    assert checked.samples == 60
    assert {each.layer for each in checked.headroom} == set(exported.network.names)
    assert "\n" not in repr(checked)
    assert "<table" in checked._repr_html_()
    for wrong in (None, 3):
        with pytest.raises(AsrcError, match="network"):
            asrc_export.check(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidData):
        asrc_export.check(exported.network, samples.astype(float))


# The integer file alone.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    network = random_network(1, widths=(5, 4), spans=(2, 3), steps=6)
    asrc_core.save(network, tmp_path / "n.safetensors")
    return tmp_path / "n.safetensors"


def test_the_integer_file_alone_becomes_an_onnx_model(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.with_suffix(".onnx")
    assert cli_export.main([str(file), "--onnx", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert out.read_bytes() == graph.build(asrc_core.load(file)).SerializeToString()


def test_the_integer_file_alone_becomes_a_nir_graph(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.with_suffix(".nir")
    assert cli_export.main([str(file), "--nir", str(out)]) == 1
    assert "integer membranes round toward zero" in capsys.readouterr().err
    assert not out.exists()
    assert cli_export.main([str(file), "--nir", str(out), "--lossy"]) == 0
    assert "note: " in capsys.readouterr().out
    from asrc_export.interop.imported import Feed

    found = nir_reader.read(out, Feed(None, None, None, None)).checkpoint
    expected = effective.effective(asrc_core.load(file))
    np.testing.assert_allclose(found.tensors["layers.0.feedforward.weight"].numpy(), expected.layers[0].weight, 1e-6)
    assert found.spans == (2, 3)


def test_the_floats_of_an_integer_network_answer_nearly_as_it_does() -> None:
    network = random_network(4, widths=(12, 8), spans=(2, 3), steps=20)
    entry = network.input
    x = np.random.default_rng(0).integers(max(entry.minimum, 0), entry.maximum + 1, (50, 20, entry.channels))
    real = float_network.logits(effective.effective(network), x) * network.readout.scale
    integer = reference(network, x).logits
    assert (real.argmax(1) == integer.argmax(1)).mean() > 0.8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bits", "4"], "--bits: goes with a checkpoint"),
        (["--onnx", "a.onnx", "--finetune", "3"], "--finetune: goes with a checkpoint"),
        ([], "name a format to write"),
    ],
)
def test_what_means_nothing_for_integers_is_a_usage_error(
    file: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli_export.main([str(file), *arguments])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


# A sensor that never stops.


def frames(network: Any, count: int) -> Any:
    entry = network.input
    return np.random.default_rng(2).integers(entry.minimum, entry.maximum + 1, (count, entry.channels))


def test_with_the_state_cleared_each_window_is_a_sample() -> None:
    network = random_network(2, widths=(6, 5), spans=(2, 3), steps=7)
    x = frames(network, 23)
    made = list(asrc_export.Simulator(network).decide(x, 7))
    assert [each.step for each in made] == [7, 14, 21]
    whole = reference(network, x[:21].reshape(3, 7, -1)).logits
    assert np.array_equal(np.stack([each.logits for each in made]), whole)


def test_with_the_state_carried_windows_add_up_to_one_long_sample() -> None:
    network = random_network(2, widths=(6, 5), spans=(2, 3), steps=28)
    x = frames(network, 28)
    made = list(asrc_export.Simulator(network).decide(x, 7, carry=True))
    trace = reference(network, x[None], trace=True).trace
    assert trace is not None
    sums = np.cumsum([each.logits for each in made], 0)
    assert np.array_equal(sums, trace.readout[6::7, 0])
    assert made[1].prediction == int(made[1].logits.argmax())


def test_a_window_that_cannot_be_had_is_refused() -> None:
    network = random_network(2, widths=(6,), spans=(2,), steps=4)
    ready = asrc_export.Simulator(network)
    for every in (0, 2.5, None, True):
        with pytest.raises(InvalidSetting, match="every"):
            ready.decide(frames(network, 4), every)  # type: ignore[arg-type]
    with pytest.raises(InvalidData):
        list(ready.decide([np.zeros(3, int)], 1))


# As C, and as a circuit


def test_a_network_becomes_c_and_a_circuit_from_python(tmp_path: Path) -> None:
    network = random_network(0, widths=(4,), spans=(2,), steps=3)
    sample = np.array([[1], [0], [1]])
    paths = formats.to_c(network, tmp_path / "c", sample=sample)
    assert tmp_path / "c" / "src" / "asrc_network.c" in paths
    assert formats.to_c(network, tmp_path / "drawn") != paths
    assert (tmp_path / "c" / "src" / "asrc_network.c").read_text() == program(network, sample).source
    circuit = formats.to_verilog(network, tmp_path / "v", samples=sample[np.newaxis], lanes=2)
    assert {"core.sv", "testbench.sv"} < {path.name for path in circuit}
    assert all(path.is_file() for path in (*paths, *circuit))
    with pytest.raises(InvalidData, match="2 channels"):
        formats.to_c(network, tmp_path / "no", sample=np.zeros((3, 2), int))
    with pytest.raises(InvalidData, match="their type is float64"):
        formats.to_verilog(network, tmp_path / "no", samples=np.zeros((1, 3, 1)))
    with pytest.raises(InvalidSetting, match="lanes"):
        formats.to_verilog(network, tmp_path / "no", lanes=0)
    assert not (tmp_path / "no").exists()
