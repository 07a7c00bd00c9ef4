"""A board asked for: what is missing is named, what it runs is checked, what its probes tell is read right.

No test here talks to a board; hw_tests/ does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from asrc_core.contract.random_network import random_network
from asrc_core.errors import BackendMissing, InvalidSetting, UnknownName
from asrc_lava.boards import board, sdk
from asrc_lava.boards.board import Access, Measured
from asrc_lava.commands import sim as cli_sim
from asrc_lava.host import exchange, run
from asrc_lava.host.exchange import Job, Order

ROOT = Path(__file__).parents[2]
VARIABLES = ("SLURM", "NOSLURM", "LOIHI_GEN", "BOARD", "PARTITION", "NXSDKHOST", "HOST_BINARY")

needs_lava = [pytest.mark.lava, pytest.mark.skipif(sdk.why_no_lava() is not None, reason=str(sdk.why_no_lava()))]
without_extension = pytest.mark.skipif(sdk.importable(board.EXTENSION), reason="the INRC extension is installed")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class TestEnvironment:
    def test_slurm_with_or_without_a_board_or_partition(self) -> None:
        assert board.access({"SLURM": "1"}) == Access("N3B3", None, None, None, None)
        assert board.access({"SLURM": "1", "BOARD": "ncl-og-05"}).board == "ncl-og-05"
        assert board.access({"SLURM": "1", "PARTITION": "oheogulch", "BOARD": ""}).partition == "oheogulch"
        assert board.access({"SLURM": "1", "LOIHI_GEN": "N3C1"}).generation == "N3C1"

    def test_ethernet_unless_slurm_is_asked_for(self) -> None:
        by_wire = {"NXSDKHOST": "10.0.0.2", "HOST_BINARY": "bin/server"}
        assert board.access(by_wire) == Access("N3B3", None, None, "10.0.0.2", "bin/server")
        assert board.access({**by_wire, "SLURM": "1"}).host is None

    def test_a_generation_that_is_no_loihi_2(self) -> None:
        with pytest.raises(InvalidSetting, match="LOIHI_GEN: 'N2A2' is no Loihi 2, which are N3B2, N3B3, N3C1, N3D1"):
            board.access({"SLURM": "1", "LOIHI_GEN": "N2A2"})

    def test_a_board_and_a_partition(self) -> None:
        with pytest.raises(InvalidSetting, match="BOARD and PARTITION: both are set"):
            board.access({"SLURM": "1", "BOARD": "b", "PARTITION": "p"})

    @without_extension
    def test_all_that_is_missing_is_named_at_once(self, tmp_path: Path) -> None:
        why = board.why_none({"PATH": str(tmp_path)})
        assert why is not None
        assert "lava-nc-loihi) is not installed" in why
        assert "the environment sets neither SLURM=1 nor NXSDKHOST" in why
        assert "there is no SLURM client (sinfo) on the path" in why

    def test_what_is_there_is_not_named(self, tmp_path: Path) -> None:
        sinfo = tmp_path / "sinfo"
        sinfo.write_text("#!/bin/sh\n")
        sinfo.chmod(0o755)
        why = board.why_none({"PATH": str(tmp_path), "SLURM": "1"}) or ""
        assert "SLURM" not in why
        assert "sinfo" not in why
        assert "sinfo" not in (board.why_none({"NXSDKHOST": "10.0.0.2"}) or "")


@without_extension
def test_a_run_on_a_board_that_is_absent_is_refused_before_anything_starts() -> None:
    network = random_network(0, widths=(3,), spans=(1,), steps=2)
    with pytest.raises(BackendMissing, match=r"backend 'loihi2' is not available: .*INRC.*docs/hardware.md"):
        run.run_on_board(network, np.ones((1, 2, 1), int))
    with pytest.raises(UnknownName, match="unknown board 'loihi9'; known: loihi2"):
        run.run_each([(network, np.ones((1, 2, 1), int))], graph="single", board="loihi9")


@without_extension
def test_asrc_sim_tells_it_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from asrc_core.contract.file import network_file

    network = random_network(0, widths=(3,), spans=(1,), steps=64, input_range=(0, 16))
    network_file.save(network, tmp_path / "n.safetensors")
    arguments = [str(tmp_path / "n.safetensors"), "--data", "digits", "--limit", "1", "--backend", "loihi2"]
    assert cli_sim.main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("asrc-sim: backend 'loihi2' is not available: ")
    assert said.count("\n") == 1
    monkeypatch.setenv("LOIHI_GEN", "N2A2")
    assert cli_sim.main(arguments) == 1
    assert "LOIHI_GEN: 'N2A2' is no Loihi 2" in capsys.readouterr().err


class TestHardwareTests:
    def pytest_of_board(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "hw_tests", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def test_are_skipped_with_a_reason_unless_a_board_is_asked_for(self) -> None:
        done = self.pytest_of_board()
        assert done.returncode == 0
        assert not {"passed", "failed", "error"} & set(re.findall(r"[a-z]+", done.stdout.splitlines()[-1]))
        for asked in (
            "no Loihi board asked for; give --board loihi2",
            "no FPGA asked for; give --fpga ",
            "--board mcu",
        ):
            assert asked in done.stdout

    @without_extension
    def test_fail_saying_what_is_missing_if_one_is(self) -> None:
        done = self.pytest_of_board("--board", "loihi2")
        assert done.returncode == 1
        assert "3 errors" in done.stdout
        assert "backend 'loihi2' is not available: " in done.stdout
        assert "the Lava extension for INRC members (lava-nc-loihi) is not installed" in done.stdout
        assert "Traceback" not in done.stdout


class TestProbes:
    # What lava-dl's notebook pilotnet_snn/benchmark.ipynb printed for 10,000 steps on Oheo Gulch: 16 steps a sample,
    # 408.91 samples a second, 0.679234 W of which 0.232078 W static, 1.661103 mJ and 1.093544 mJ dynamic a sample.
    STEPS = 10_000
    SAMPLES = STEPS / 16
    TIME = SimpleNamespace(avg_time_per_step=1e6 / 408.91 / 16)
    POWER = SimpleNamespace(
        total_power=np.array([0.679234 - 0.01, 0.679234 + 0.01]),
        static_total_power=0.232078,
        vdd_power=np.array([0.252728]),
        vddm_power=np.array([0.422127]),
        vddio_power=np.array([0.004379]),
    )

    def test_a_published_measurement_comes_out_as_published(self) -> None:
        each = board.measured(self.POWER, self.TIME, self.STEPS).per_sample(int(self.SAMPLES))
        assert each["total_joules"] == pytest.approx(1.661103e-3, rel=1e-4)
        assert each["dynamic_joules"] == pytest.approx(1.093544e-3, rel=1e-4)
        assert 1 / each["seconds"] == pytest.approx(408.91)
        rails = each["logic_joules"] + each["memory_joules"] + each["io_joules"]
        assert rails == pytest.approx(each["total_joules"], rel=1e-4)

    @pytest.mark.parametrize("series", [np.array([]), np.array([0.1, np.nan]), np.inf])
    def test_a_probe_that_tells_no_number_is_named(self, series: object) -> None:
        power = SimpleNamespace(**{**vars(self.POWER), "vddm_power": series})
        with pytest.raises(ValueError, match="probe 'vddm_power' told nothing that is a number"):
            board.measured(power, self.TIME, self.STEPS)

    def test_several_runs_add_up_and_cross_over_files(self, tmp_path: Path) -> None:
        once = board.measured(self.POWER, self.TIME, self.STEPS)
        exchange.write_measured(tmp_path, 0, once + once)
        twice = exchange.read_measured(tmp_path, 0)
        assert twice == Measured(*(2 * value for value in vars(once).values()))
        assert twice.per_sample(2 * 625) == once.per_sample(625)

    def test_the_command_shows_them_beside_the_modelled_energy(self, capsys: pytest.CaptureFixture[str]) -> None:
        each = board.measured(self.POWER, self.TIME, self.STEPS).per_sample(625)
        cli_sim._print_energy(each, None)
        cli_sim._print_energy(each, {"low_joules": 1e-6, "high_joules": 2e-6})
        measured, unpublished, _, modelled = capsys.readouterr().out.splitlines()
        assert "2.45 ms, 1.66e+03 uJ, of which dynamic 1.09e+03 uJ" in measured
        assert "no energy per event is published" in unpublished
        assert "1 to 2 uJ" in modelled


def test_the_access_crosses_over_files_to_the_worker(tmp_path: Path) -> None:
    network = random_network(0, widths=(3,), spans=(1,), steps=2)
    wanted = board.access({"SLURM": "1", "BOARD": "ncl-og-05"})
    exchange.write_order(tmp_path, Order([Job(network, np.ones((1, 2, 1), np.int32), [])], False, wanted))
    assert exchange.read_order(tmp_path).board == wanted


class TestOnLava:
    pytestmark = needs_lava

    def test_generations_are_those_that_lava_knows(self) -> None:
        code = "from lava.utils.loihi import ChipGeneration as C; print(*(c.value for c in C if c.value[:2] == 'N3'))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert tuple(done.stdout.split()) == board.GENERATIONS

    def test_models_are_selected_and_neurons_on_the_host_refused(self) -> None:
        """In a process of its own: Lava changes the interpreter's start method when it is imported."""
        code = (
            "import numpy as np\n"
            "from lava.magma.core.resources import CPU, Loihi1NeuroCore, Loihi2NeuroCore, NeuroCore\n"
            "from asrc_core.contract.random_network import random_network\n"
            "from asrc_lava.boards import on_board\n"
            "from asrc_lava.graph import build\n"
            "network = random_network(0, widths=(4, 3), spans=(1, 2), steps=3)\n"
            "graph = build.single(network, np.ones((1, 3, 1), np.int32))\n"
            "config = on_board.configuration(['a probe'])\n"
            "assert config.callback_fxs == ['a probe']\n"
            "models = [model.__name__ for model in on_board.selected(graph, config).values()]\n"
            "assert models == ['PyNeurons', 'PyNeurons', 'PyNeurons'], models\n"
            "for core, on in ((CPU, 0), (Loihi1NeuroCore, 0), (NeuroCore, 1), (Loihi2NeuroCore, 1)):\n"
            "    assert on_board.runs_on_chip(type('Model', (), {'required_resources': [core]})) == bool(on)\n"
            "try: on_board.require_on_chip(graph, config)\n"
            "except on_board.OffChip as error: print(error)\n"
        )
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
        done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "no neuro-core model of 'layer0' (Neurons), 'layer1' (Neurons), 'readout' (Neurons)" in (done.stdout)
