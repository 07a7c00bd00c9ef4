"""The commands as users meet them: exit statuses, one-sentence errors, silence when piped."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import any_network
from asrc_core.contract.result import trace_bytes
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_export.chip import targets
from asrc_export.commands import (
    analyze as cli_analyze,
)
from asrc_export.commands import (
    check as cli_check,
)
from asrc_export.commands import (
    export as cli_export,
)
from asrc_export.commands import (
    report as cli_report,
)
from asrc_export.commands import (
    robustness as cli_robustness,
)
from asrc_export.exporting import Exported
from asrc_lava.commands import demo as cli_demo
from asrc_lava.commands import sim as cli_sim
from asrc_train.commands import sweep as cli_sweep
from asrc_train.commands import train as cli_train

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "asrc-train": cli_train.main,
    "asrc-sweep": cli_sweep.main,
    "asrc-analyze": cli_analyze.main,
    "asrc-export": cli_export.main,
    "asrc-report": cli_report.main,
    "asrc-check": cli_check.main,
    "asrc-robustness": cli_robustness.main,
    "asrc-sim": cli_sim.main,
    "asrc-demo": cli_demo.main,
}


@pytest.fixture
def folder(tmp_path: Path, checkpoint_path: Path, exported: Exported, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds a checkpoint and its integer network."""
    shutil.copy(checkpoint_path, tmp_path / "model.pt")
    shutil.copy(exported.path, tmp_path / "model.loihi2.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_installs_as_a_command(command: str) -> None:
    script = Path(sys.executable).parent / command
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert f"usage: {command}" in done.stdout
    assert "examples:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_usage_exits_with_2_and_one_line_that_says_where_help_is(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        COMMANDS[command](["--no-such-option"])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{command}: ")
    assert told.endswith(f"; see '{command} --help'.\n")
    assert told.count("\n") == 1


def test_an_integer_network_without_a_format_to_write_is_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli_export.main(["model.loihi2.safetensors"])
    assert "is an integer network already; name a format to write (--onnx, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--check", "digits", "model.pt"], "MODEL.pt: goes without --check"),
        (["--check", "digits", "--finetune", "3"], "--finetune: goes without --check"),
        (["--show-target", "loihi1", "-o", "numbers"], "--out: goes without --show-target"),
        (["--what-if", "model.pt", "--onnx", "n.onnx"], "--onnx: goes without --what-if"),
        (["n.net", "--from", "netx", "--steps", "3", "--onnx", "n.onnx"], "--onnx: goes without --from netx; import "),
        (["model.pt", "--finetune", "3", "--netx", "n.net"], "--netx: goes without --finetune"),
    ],
)
def test_an_option_that_would_go_unused_is_wrong_usage(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli_export.main(arguments)
    assert f"asrc-export: argument {says}" in capsys.readouterr().err


def test_what_if_is_asked_without_samples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_export.main(["--what-if", "model.pt", "--calibrate", "none", "--change", "width=1/2"]) == 0
    assert "cores" in capsys.readouterr().out


def test_wrong_usage_of_a_part_of_a_command_names_that_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli_analyze.main(["gradients", "m.pt", "--samples", "many"])
    told = "argument --samples: 'many' is not a whole number; see 'asrc-analyze gradients --help'.\n"
    assert capsys.readouterr().err == f"asrc-analyze gradients: {told}"


def test_a_path_with_nothing_at_it_is_named_as_what_it_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_analyze.main(["pareto", "nosuch"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("asrc-analyze: cannot read checkpoint or folder of checkpoints 'nosuch': it is not there; ")


def test_a_network_is_checked_where_its_samples_are_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = network_file.load("model.loihi2.safetensors")
    moved = replace(network, provenance={**network.provenance, "data": "gone.npz"})
    network_file.save(moved, "moved.safetensors")
    assert cli_check.main(["moved.safetensors"]) == 0
    told = capsys.readouterr()
    assert "nothing is observed on data set 'gone.npz': cannot read samples 'gone.npz': it is not there" in told.err
    assert "observed on no data" in told.out
    assert cli_check.main(["moved.safetensors", "--data", "gone.npz"]) == 1


def test_export_writes_beside_the_model_and_prints_the_layers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.loihi2.safetensors").unlink()
    assert cli_export.main(["model.pt", "--target", "loihi2", "--rounding-log"]) == 0
    printed = capsys.readouterr().out
    assert (folder / "model.loihi2.safetensors").exists()
    for word in ("layer0", "layer1", "readout", "headroom", "decay factor", "model.loihi2.safetensors"):
        assert word in printed


def test_a_target_is_shown_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_export.main(["--show-target", "loihi2"]) == 0
    printed = capsys.readouterr().out
    assert "No published energy per event" in printed
    assert "wikichip" in printed.lower()


@pytest.mark.parametrize("backend", ["native", "numpy", "onnx"])
def test_sim_prints_one_json_object_with_the_promised_keys(
    folder: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_sim.main(["model.loihi2.safetensors", "--backend", backend, "--limit", "7", "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["backend"] == backend
    assert outcome["samples"] == len(outcome["predictions"]) == len(outcome["logits"]) == 7
    assert len(outcome["spikes_per_layer"]) == 2
    assert {"seconds", "accuracy"} <= outcome.keys()


def test_sim_compares_backends_and_writes_traces(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["model.loihi2.safetensors", "--backend", "numpy", "--compare", "native", "--limit", "3"]
    assert cli_sim.main([*arguments, "--trace", "out.npz"]) == 0
    assert "equal to native, bit for bit" in capsys.readouterr().out
    with np.load(folder / "out.npz") as arrays:
        assert arrays["layer0.spikes"].shape == (64, 3, 12)
        assert arrays["layer1.membrane"].shape == (64, 3, 9)
        assert arrays["readout.accumulator"].shape == (64, 3, 10)


def test_report_prints_text_or_writes_what_the_suffix_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["model.loihi2.safetensors", "--float", "model.pt", "--limit", "20"]
    assert cli_report.main(arguments) == 0
    assert "Storage in bits" in capsys.readouterr().out
    assert cli_report.main([*arguments, "-o", "r.json", "-o", "r.md"]) == 0
    assert json.loads((folder / "r.json").read_text())["samples"] == 20
    assert (folder / "r.md").read_text().startswith("## asrc report")


@pytest.mark.slow
def test_a_users_own_modules_of_our_folders_names_are_left_alone(tmp_path: Path) -> None:
    """The folders are called train and export; a user's train.py must not be run by our imports."""
    for name in ("train", "export", "tests"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('ran the user file')")
    code = "import asrc_train.training.fit, asrc_export.exporting, asrc_lava.commands.demo"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


BAD: list[tuple[str, list[str], str]] = [
    ("asrc-train", ["--out", "m.pt"], "--data: name a data set"),
    (
        "asrc-train",
        ["--data", "mnist"],
        "unknown data set 'mnist'; known: digits, fsdd, fsdd-speakers, fsdd-spikes, gsc, ",
    ),
    ("asrc-train", ["--recipe", "fast", "--data", "digits"], "unknown recipe 'fast'"),
    ("asrc-train", ["--data", "digits", "--decay", "1.5"], "key 'network.decay'"),
    ("asrc-train", ["--data", "digits", "--seed", "-1"], "key 'training.seed'"),
    ("asrc-train", ["--data", "digits", "--out", "absent/m.pt"], "cannot write 'absent/m.pt'"),
    ("asrc-train", ["--data", "digits", "--out", "m.pt", "--resume"], "--resume: no unfinished training is kept"),
    ("asrc-train", ["--data", "digits", "--device", "tpu"], "'tpu' is not available here"),
    ("asrc-export", ["absent.pt"], "cannot read checkpoint 'absent.pt': No such file"),
    ("asrc-export", ["."], "cannot read checkpoint '.': it is a folder"),
    ("asrc-export", ["model.pt", "--target", "loihi9"], "unknown target 'loihi9'; known: loihi1, loihi2"),
    ("asrc-export", ["model.pt", "--bits", "9"], "--bits: 9 is outside 2 to 8"),
    ("asrc-export", ["model.pt", "--target", "loihi1", "--bits", "auto", "--budget", "1B"], "--budget: 0.001 KB"),
    (
        "asrc-robustness",
        ["model.loihi2.safetensors", "--levels", "1"],
        "--levels: levels mean something for one",
    ),
    ("asrc-export", ["model.pt", "-o", "absent/n.safetensors"], "cannot write 'absent/n.safetensors'"),
    ("asrc-export", ["model.pt", "--calibrate", "mnist5k", "-o", "n.safetensors"], "784 steps"),
    ("asrc-export", ["model.pt", "-o", "./model.pt"], "cannot write 'model.pt': it is read here, and would be lost"),
    ("asrc-export", ["model.pt", "-o", "n.safetensors", "--onnx", "model.pt"], "cannot write 'model.pt': it is read"),
    ("asrc-export", ["model.pt", "-o", "n.net", "--netx", "n.net"], "cannot write 'n.net': another output goes there"),
    ("asrc-export", ["model.pt", "--target", "own.toml", "-o", "own.toml"], "cannot write 'own.toml': it is read"),
    ("asrc-export", ["model.qat.pt", "--finetune", "1", "-o", "model.net"], "cannot write 'model.qat.pt': it is read"),
    ("asrc-export", ["model.loihi2.safetensors", "--onnx", "model.loihi2.safetensors"], "it is read here"),
    ("asrc-export", ["--what-if", "table.md", "-o", "table.md"], "cannot write 'table.md': it is read here"),
    ("asrc-export", ["model.pt", "--onnx", "absent/n.onnx"], "cannot write 'absent/n.onnx'"),
    ("asrc-export", ["model.pt", "--finetune", "1", "--calibrate", "nosuch"], "unknown data set 'nosuch'"),
    ("asrc-export", ["model.pt", "--netx", "n.net"], "--netx: it cannot represent the network: layer 'layer0' resets"),
    ("asrc-export", ["model.pt", "--max-delay", "3"], "--max-delay: no synapse of the network has a delay of its own"),
    ("asrc-export", ["--show-target", "absent.toml"], "cannot read target file 'absent.toml'"),
    ("asrc-sim", ["absent.safetensors"], "cannot read integer network 'absent.safetensors'"),
    ("asrc-sim", ["model.pt"], "cannot read integer network 'model.pt'"),
    ("asrc-sim", ["model.loihi2.safetensors", "--data", "mnist5k"], "its samples are 784 steps of 1 value "),
    ("asrc-sim", ["model.loihi2.safetensors", "--trace", "absent/t.npz"], "cannot write 'absent/t.npz'"),
    ("asrc-report", ["absent.safetensors", "--float", "model.pt"], "cannot read integer network"),
    ("asrc-report", ["model.loihi2.safetensors", "--float", "absent.pt"], "cannot read checkpoint 'absent.pt'"),
    ("asrc-report", ["model.loihi2.safetensors", "--float", "model.pt", "-o", "r.doc"], "its suffix is none of"),
    ("asrc-report", ["model.loihi2.safetensors", "--float", "model.pt", "-o", "absent/r.md"], "cannot write"),
    ("asrc-check", ["model.pt"], "cannot read integer network 'model.pt'"),
    ("asrc-check", ["model.loihi2.safetensors", "--save", "absent/f.npz"], "cannot write 'absent/f.npz'"),
    ("asrc-sim", ["model.loihi2.safetensors", "--input", "model.pt"], "cannot read samples 'model.pt'"),
    ("asrc-demo", ["--out", "model.pt"], "cannot write 'model.pt'"),
]


@pytest.mark.parametrize(("command", "arguments", "says"), BAD, ids=[f"{c} {' '.join(a)}" for c, a, _ in BAD])
def test_bad_input_gets_one_sentence_status_1_and_leaves_files_alone(
    folder: Path, command: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy("model.pt", "model.qat.pt")
    shutil.copy(targets.FOLDER / "loihi2.toml", "own.toml")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert COMMANDS[command](arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{command}: ")
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_samples_without_a_step_are_refused_in_a_sentence_where_backends_are_compared(
    folder: Path, exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("nothing.npy", np.zeros((3, 0, exported.network.input.channels), np.int32))
    assert cli_sim.main(["model.loihi2.safetensors", "--input", "nothing.npy", "--compare", "numpy"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("asrc-sim: input samples: their shape is (3, 0, ")


def test_a_backend_is_not_compared_with_itself_by_another_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Native hands on what is no chain of LIF layers."""
    network_file.save(any_network(3), "any.safetensors")
    np.save("any.npy", np.zeros((2, 4, any_network(3).input.channels), np.int32) + any_network(3).input.minimum)
    for other in ("native", "generated"):
        assert cli_sim.main(["any.safetensors", "--input", "any.npy", "--compare", other]) == 1
        told = f"'native' and '{other}' would both run on 'generated' here, and it equals itself; name another, such as"
        assert told in capsys.readouterr().err
    assert cli_sim.main(["any.safetensors", "--input", "any.npy", "--compare", "numpy"]) == 0


def test_samples_come_from_one_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli_sim.main(["model.loihi2.safetensors", "seven.npy", "--input", "x.npz", "--data", "digits"])
    told = "SAMPLE and --input and --data each say which samples to take; give one of them"
    assert told in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli_sim.main(["model.loihi2.safetensors", "seven.npy", "--split", "train"])
    told = "argument --split: goes with a data set, and SAMPLE says which samples to take"
    assert told in capsys.readouterr().err
    assert cli_sim.main(["model.loihi2.safetensors", "--input", ""]) == 1  # no variable of a shell's that is not set


@pytest.mark.parametrize(("classes", "told"), [(1, "s.npy: 0 (logit 30)\n"), (3, "s.npy: 0 (logit 30; next 1, 30)\n")])
def test_of_equal_logits_the_first_is_the_answer(
    folder: Path, classes: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = Connection(INPUT, np.full((classes, 1), 2), 0, 8)
    raw = {"preprocessing": {"zero": [0.0], "scale": [1.0], "maximum": 255}}
    layer = Layer("out", (weights,), Neuron("integrator", {"bias": 0}))
    network_file.save(IntegerNetwork(InputFormat(1, 0, 255, 1.0), (layer,), "loihi2", 5, None, raw), "tie.safetensors")
    np.save("s.npy", np.array([[1], [2], [3], [4], [5]]))
    assert cli_sim.main(["tie.safetensors", "s.npy"]) == 0
    assert capsys.readouterr().out.endswith(told)


def test_backends_are_compared_a_part_of_the_samples_at_a_time(
    folder: Path, exported: Exported, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> dict[str, object]:
        assert cli_sim.main(["model.loihi2.safetensors", "--limit", "8", "--json", *arguments]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return {name: value for name, value in found.items() if name != "seconds"}

    at_once = told("--backend", "numpy")
    monkeypatch.setattr(cli_sim, "COMPARED", 3 * 2 * trace_bytes(exported.network, exported.network.steps))
    took: list[int] = []
    run = cli_sim._run

    def counted(backend: str, network: object, x: Any, trace: bool, options: object) -> object:
        took.append(len(x))
        result, measured = run(backend, network, x, trace, options)  # type: ignore[arg-type]
        if broken and len(took) == 4:  # of the second part, the other backend's
            result = replace(result, trace=None, logits=result.logits + 1)
        return result, measured

    monkeypatch.setattr(cli_sim, "_run", counted)
    broken = False
    assert told("--backend", "numpy", "--compare", "native") == at_once
    assert took == [3, 3, 3, 3, 2, 2]
    broken, took = True, []
    assert cli_sim.main(["model.loihi2.safetensors", "--backend", "numpy", "--compare", "native", "--limit", "8"]) == 1
    assert "readout, sample 3, class 0" in capsys.readouterr().err


@pytest.mark.parametrize("failed", [False, True])
def test_a_command_called_from_python_leaves_pythons_collector_as_it_was(failed: bool) -> None:
    from asrc_core.command import command_line
    from asrc_core.errors import InvalidSetting

    before, within = gc.get_threshold(), []

    def body() -> None:
        within.append(gc.get_threshold())
        if failed:
            raise InvalidSetting("`bits`", "9 is outside 2 to 8")

    assert command_line.run(command_line.parser("asrc-sim", "", ""), body) == failed
    assert gc.get_threshold() == before
    assert within[0][0] > before[0]


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, {"GOMP_SPINCOUNT": "10000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
    ],
)
def test_pytorchs_threads_soon_sleep_unless_the_user_says_otherwise(
    given: dict[str, str], seen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asrc_core.command import command_line

    variables = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    for name in variables:
        monkeypatch.setenv(name, "")  # so that it is restored, whatever the command sets
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found: list[dict[str, str]] = []

    def body() -> None:
        found.append({name: os.environ[name] for name in variables if name in os.environ})

    assert command_line.run(command_line.parser("asrc-train", "", ""), body) == 0
    assert found == [seen]


def test_an_interrupt_leaves_with_130_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asrc_core.command import command_line

    def interrupted() -> None:
        raise KeyboardInterrupt

    assert command_line.run(command_line.parser("asrc-sim", "", ""), interrupted) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_batch_system_that_ends_a_command_finds_nothing_temporary_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from asrc_core.command import command_line

    def ended() -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path):
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)  # some launchers send it to the process and to its group

    assert command_line.run(command_line.parser("asrc-train", "", ""), ended) == 143
    assert "Traceback" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
