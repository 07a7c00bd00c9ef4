"""Sweeps: every combination once, to the same bits through any interruption, and no run takes another with it."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.errors import BackendMissing, InvalidData, InvalidSetting, UnknownName, UnreadableFile
from asrc_train.commands import sweep as cli_sweep
from asrc_train.settings import recipe
from asrc_train.sweep import grid, keys, on_ray, processes
from asrc_train.sweep.grid import Run
from asrc_train.sweep.result import Result, read, summary
from asrc_train.sweep.sweep import Found, Trainer, sweep
from asrc_train.trained import checkpoint
from asrc_train.training.fit import fit, resume_path

TINY: dict[str, dict[str, object]] = {
    "network": {"hidden": [6], "kernel_length": 4, "span": 3},
    "training": {"epochs": 5, "batch_size": 128},
}
DIVERGES = 1e30


def test_values_that_make_no_difference_to_any_run_are_refused() -> None:
    spans = {"network.span": [2, 4]}
    with pytest.raises(InvalidSetting, match=r"'network\.span': nothing reads it here: it is of the connection 'src'"):
        planned({**spans, "network.connection": ["asrc", "vanilla"]})
    planned({**spans, "network.connection": ["asrc", "src"]})
    with pytest.raises(InvalidSetting, match=r"'network\.span'"):
        planned({"network.connection": ["vanilla"], "network.span": [4]})
    # of several grids, one has to read what is given beside them
    grids = [{**spans, "network.connection": [name]} for name in ("asrc", "src")]
    grid.runs("digits", TINY, grids, [0], of_all=["network.span"])
    with pytest.raises(InvalidSetting, match=r"'network\.span'"):
        grid.runs("digits", TINY, grids[:1], [0], of_all=["network.span"])
    with pytest.raises(InvalidSetting, match=r"did you mean 'network\.span'"):
        keys.require_known("network.spam")


def planned(*grids: grid.Grid, seeds: tuple[int, ...] = (0,)) -> list[Run]:
    return grid.runs(recipe.find("digits"), TINY, grids or [{}], seeds)


def names(runs: list[Run]) -> list[str]:
    return [run.name for run in runs]


def test_every_combination_is_a_run_for_each_seed_and_is_called_by_its_settings() -> None:
    runs = planned({"network.connection": ["src", "asrc"], "network.decay": [0, 0.5]}, seeds=(0, 1))
    assert len(runs) == 8
    assert runs[0].name == "connection=src,decay=0,seed=0"
    assert runs[-1].name == "connection=asrc,decay=0.5,seed=1"
    last = runs[-1].config
    assert (last.network.connection, last.network.decay, last.training.seed) == ("asrc", 0.5, 1)
    assert all(run.config.network.hidden == (6,) for run in runs)


def test_what_two_grids_share_is_trained_once() -> None:
    first, second = {"network.decay": [0.25, 0.5]}, {"network.decay": [0.5, 0.75]}
    assert names(planned(first, second)) == ["decay=0.25,seed=0", "decay=0.5,seed=0", "decay=0.75,seed=0"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"network.spam": [1]}, "network.spam"),
        ({"network.decay": [0.5, 2.0]}, "network.decay"),
        ({"training.seed": [1]}, "`seed`"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_before_anything_is_trained(settings: grid.Grid, says: str) -> None:
    with pytest.raises((UnknownName, InvalidSetting), match=says):
        planned(settings)


def test_long_names_are_cut_and_stay_apart() -> None:
    runs = planned({"network.hidden": [[7] * 100, [7] * 99 + [8]]})
    assert all(len(run.name) <= grid.LONGEST_NAME for run in runs)
    assert len({run.name for run in runs}) == 2


@given(st.lists(st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.booleans()), min_size=1))
def test_values_are_read_as_they_are_written(values: list[object]) -> None:
    text = ",".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    assert keys.parse(f"network.decay={text}") == ("network.decay", values)


def test_words_need_no_quotes_and_lists_are_values() -> None:
    assert keys.parse("network.connection=vanilla, src") == ("network.connection", ["vanilla", "src"])
    assert keys.parse("network.hidden=[8,8],[9]") == ("network.hidden", [[8, 8], [9]])
    for broken in ("network.span", "network.span=", "=3"):
        with pytest.raises((InvalidSetting, UnknownName)):
            keys.parse(broken)


def test_a_sweep_file_is_a_recipe_with_grids_and_seeds(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(
        'recipe = "digits"\nseeds = [4, 5]\n[data]\npermute = true\n[training]\nepochs = 2\n'
        '[[grid]]\nnetwork.connection = "vanilla"\n'
        '[[grid]]\nnetwork.connection = "src"\nnetwork.span = [2, 4]\n'
    )
    runs = grid.from_file(file, {"training": {"epochs": 1}}, {}, None)
    assert len(runs) == 6
    assert runs[-1].name == "connection=src,span=4,seed=5"
    assert all(run.config.data.permute and run.config.training.epochs == 1 for run in runs)
    assert len(grid.from_file(file, {}, {"network.decay": [0, 1]}, [0])) == 6


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("= 3", "not valid TOML"),
        ("#" * 70_000, "larger than 65,536 bytes; give a TOML file with a recipe, seeds and [[grid]] tables"),
        ("seeds = [0]", "recipe"),
        ('recipe = "digits"\nspans = [1]', "spans"),
        ('recipe = "digits"\nseeds = "all"', "seeds"),
        ('recipe = "digits"\ngrid = 3', "grid"),
        ('recipe = "digits"\n[[grid]]\nnetwork.span = []', "network.span"),
        ('recipe = "digits"\n[[grid]]\nnetwork.spam = [1]', "network.spam"),
        ('recipe = "digits"\n[[grid]]\nnetwork = 3', "network"),
        ('recipe = "nothing"', "nothing"),
    ],
)
def test_a_sweep_file_that_does_not_fit_is_told_in_a_sentence(
    tmp_path: Path, content: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(content)
    assert cli_sweep.main([str(file), "--list"]) == 1
    told = capsys.readouterr().err
    assert says in told
    assert "Traceback" not in told


def test_the_command_lists_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--data", "digits", "--connection", "src", "asrc", "--set", "network.decay=0,0.5", "--list"]
    assert cli_sweep.main([*command, "--seed", "0", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 8


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["--set", "network.span=2,4", "--set", "network.span=8"], "'network.span': --set gives it twice"),
        (["--connection", "src", "--set", "network.connection=asrc"], "both --connection and --set give it"),
        (["--epochs", "3", "--set", "training.epochs=2,4"], "'training.epochs': both --epochs and --set give it"),
        (["--permute", "--set", "data.permute=false"], "both --permute and --set give it; leave one of them out"),
        (["--set", "data.name=mnist5k"], "both --data and --set give it"),
    ],
)
def test_a_setting_that_is_asked_for_twice_is_refused(
    command: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_sweep.main(["--data", "digits", *command, "--list"]) == 1
    assert says in capsys.readouterr().err


def test_one_value_beside_a_file_that_tries_several_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text('recipe = "digits"\n[[grid]]\ntraining.epochs = [2, 4]\n')
    assert cli_sweep.main([str(file), "--epochs", "3", "--list"]) == 1
    assert "key 'training.epochs': the file tries values for it, and one is given beside" in capsys.readouterr().err


def train_all(workers: int) -> Trainer:
    return lambda waiting, folder: processes.train_all(waiting, folder, workers)


@pytest.fixture(scope="module")
def mixed() -> list[Run]:
    """Two runs that go well, and one that diverges between them."""
    return planned({"training.learning_rate": [0.01, DIVERGES, 0.02]})


@pytest.fixture(scope="module")
def whole(mixed: list[Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """What they come to without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, sweep(mixed, folder, train_all(1))


def test_a_run_that_fails_is_told_and_stops_no_other(mixed: list[Run], whole: tuple[Path, Found]) -> None:
    folder, found = whole
    good, bad, too = names(mixed)
    assert list(found.results) == [good, too]
    assert list(found.failed) == [bad]
    assert "diverged in epoch 1" in found.failed[bad]
    table = json.loads((folder / "results.json").read_text())
    assert [row["name"] for row in table] == [good, too, bad]
    with (folder / "results.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows[good]["test"]) == checkpoint.load(mixed[0].checkpoint(folder)).scores["test"]
    assert rows[bad]["error"] == found.failed[bad]


def test_a_run_is_the_training_of_one_thread(mixed: list[Run], whole: tuple[Path, Found], tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = fit(mixed[0].config, tmp_path / "alone.pt")
    finally:
        torch.set_num_threads(threads)
    swept = checkpoint.load(mixed[0].checkpoint(whole[0]))
    assert all(torch.equal(swept.tensors[name], tensor) for name, tensor in alone.tensors.items())
    assert swept.provenance == alone.provenance


@pytest.mark.slow
def test_a_killed_run_fails_alone_and_goes_on_to_the_same_bits(
    mixed: list[Run], whole: tuple[Path, Found], tmp_path: Path
) -> None:
    first, _, second = mixed
    killed: list[int] = []

    def kill_the_first_once_it_has_an_epoch(done: float, note: str) -> None:
        if not killed and resume_path(first.checkpoint(tmp_path)).exists():
            (worker,) = multiprocessing.active_children()
            assert worker.pid is not None
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    found = sweep([first, second], tmp_path, train_all(1), kill_the_first_once_it_has_an_epoch)
    assert killed
    assert list(found.failed) == [first.name]
    assert "died" in found.failed[first.name]
    assert list(found.results) == [second.name]
    finished = second.checkpoint(tmp_path).stat().st_mtime_ns

    shares: list[float] = []
    again = sweep([first, second], tmp_path, train_all(1), lambda done, note: shares.append(done))
    assert not again.failed
    assert second.checkpoint(tmp_path).stat().st_mtime_ns == finished, "a finished run is not repeated"
    assert shares[1] > 1 + 1 / 5, "the other goes on after its first epoch"
    for run in (first, second):
        mine, reference = (checkpoint.load(run.checkpoint(folder)) for folder in (tmp_path, whole[0]))
        assert all(torch.equal(mine.tensors[name], tensor) for name, tensor in reference.tensors.items())
        assert (mine.history, mine.scores) == (reference.history, reference.scores)
        assert not resume_path(run.checkpoint(tmp_path)).exists()


def test_a_checkpoint_of_other_settings_is_never_taken_for_a_run_s_own(
    mixed: list[Run], whole: tuple[Path, Found]
) -> None:
    other = [Run(run.name, run.swept, planned({"network.decay": [0.25]})[0].config) for run in mixed[:1]]
    with pytest.raises(InvalidSetting, match=r"network\.decay 0\.5 instead of 0\.25"):
        sweep(other, whole[0], train_all(1))


def own_samples(path: Path, seed: int, fill: float = 0.0) -> None:
    draw = np.random.default_rng(seed)
    np.savez(path, x=draw.normal(size=(30, 5, 2)) + fill, y=np.arange(30) % 2)


def test_samples_of_one_s_own_are_read_before_any_run_and_known_again_after(tmp_path: Path) -> None:
    path, folder = tmp_path / "my.npz", tmp_path / "swept"
    runs = grid.runs(str(path), {"training": {"epochs": 1}}, [{"network.hidden": [[3], [4]]}], [0])
    own_samples(path, 0, np.nan)
    with pytest.raises(InvalidData, match="NaN"):
        sweep(runs, folder, train_all(1))
    own_samples(path, 0)
    assert not sweep(runs, folder, train_all(1)).failed
    sweep(runs, folder, train_all(1))
    path.rename(tmp_path / "gone.npz")
    with pytest.raises(UnreadableFile, match="it is not there"):
        sweep(runs, folder, train_all(1))
    own_samples(path, 1)
    with pytest.raises(InvalidSetting, match=r"my\.npz' held other samples when it was trained; choose another folder"):
        sweep(runs, folder, train_all(1))


def test_the_table_gives_mean_and_spread_over_the_seeds(whole: tuple[Path, Found], mixed: list[Run]) -> None:
    result = read(mixed[0].checkpoint(whole[0]))
    low, high = (
        type(result)(result.name, result.config, {**result.scores, "test": share}, (1,), 1) for share in (0.5, 0.7)
    )
    (row,) = summary([low, high], ["training.learning_rate", keys.SEED])
    assert row["learning_rate"] == "0.01"
    assert row["runs"] == 2
    assert row["test"] == "60.0% (50.0% to 70.0%)"


def test_the_table_has_numbers_in_their_order_and_words_as_they_come(
    whole: tuple[Path, Found], mixed: list[Run]
) -> None:
    result = read(mixed[0].checkpoint(whole[0]))

    def of(span: int, connection: str) -> Result:
        network = result.config.network.model_copy(update={"span": span, "connection": connection})
        return replace(result, config=result.config.model_copy(update={"network": network}))

    results = [of(span, connection) for connection in ("vanilla", "src", "asrc") for span in (15, 31, 7)]
    rows = summary(results, ["network.connection", "network.span"])
    assert [row["span"] for row in rows] == ["7", "15", "31"] * 3
    assert [row["connection"] for row in rows[::3]] == ["vanilla", "src", "asrc"]


@pytest.mark.slow
def test_an_interrupted_command_leaves_at_once_and_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "asrc_train.commands.sweep", "--data", "digits", "--set", "network.hidden=[6],[7]"]
    command += ["--epochs", "40", "-o", str(tmp_path)]
    started = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )
    while not list(tmp_path.glob("*.training")):
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=300)  # no test of seconds: its status says that it left before it was done
    assert started.returncode == 130
    assert told.splitlines()[-1] == "asrc-sweep: interrupted; finished outputs are whole."
    assert not list(tmp_path.glob("*.pt"))
    assert not list(tmp_path.glob(".*")), "nothing half written is left"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["hidden=6,seed=0.pt", "hidden=7,seed=0.pt"]


@pytest.fixture
def patient_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray gives a node half a minute to start, however busy the machine is: that goes by more slowly here."""
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # as a sweep does, before Ray is imported
    from ray._private import node

    monkeypatch.setattr(node, "time", SimpleNamespace(**{**vars(time), "monotonic": lambda: time.monotonic() / 50}))


@pytest.mark.slow
def test_a_cluster_trains_to_the_bits_of_this_machine(
    mixed: list[Run], whole: tuple[Path, Found], patient_ray: None, tmp_path: Path
) -> None:
    """A real cluster, made here, with a process for each core."""
    found = sweep(mixed, tmp_path, lambda waiting, folder: on_ray.train_all(waiting, folder, "local"))
    assert (list(found.results), found.failed) == (list(whole[1].results), whole[1].failed)
    for name in found.results:
        mine, reference = (checkpoint.load(folder / f"{name}.pt") for folder in (tmp_path, whole[0]))
        assert all(torch.equal(mine.tensors[each], tensor) for each, tensor in reference.tensors.items())


def test_a_cluster_without_ray_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BackendMissing, match=r"asrc-toolchain\[ray\]"):
        sweep(planned(), tmp_path, lambda waiting, folder: on_ray.train_all(waiting, folder, "auto"))
