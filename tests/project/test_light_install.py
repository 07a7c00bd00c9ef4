"""Without extras: integer networks are read, checked and run, and everything else says which extra it lacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asrc_core import extras
from asrc_core.contract.file import network_file
from asrc_core.contract.network import InputFormat
from asrc_core.contract.random_network import random_network
from asrc_export.engines import numpy as reference
from asrc_export.samples import samples_file

ROOT = Path(__file__).resolve().parents[2]
NETWORK = ROOT / "examples" / "psmnist-src.loihi2.safetensors"
LIMIT_BYTES = 150_000_000
ABSENT = sorted({module for brought in extras.MODULES.values() for module in brought} | {"rich", "scipy"})

LIGHT_MODULES = """
import importlib, pkgutil, sys
for name in {absent}: sys.modules[name] = None
rooms = [
    "asrc_core", "asrc_export.engines", "asrc_export.checks", "asrc_export.chip", "asrc_export.samples",
    "asrc_export.commands", "asrc_lava.commands", "asrc_train.commands", "asrc_train.data", "asrc_train.settings",
]
for room in rooms:
    package = importlib.import_module(room)
    for found in pkgutil.walk_packages(package.__path__, room + "."):
        if not found.name.rpartition(".")[2].startswith("lib"):  # a native library beside its sources
            importlib.import_module(found.name)
import asrc_export.simulator, asrc_export.onnx_model.graph, asrc_lava.host.run
"""


def test_what_reads_checks_and_runs_needs_no_extra() -> None:
    """The modules import where no module of any extra can be found."""
    subprocess.run([sys.executable, "-c", LIGHT_MODULES.format(absent=ABSENT)], check=True)


def test_checking_goes_on_without_the_data_set_that_needs_an_extra(tmp_path: Path) -> None:
    drawn = random_network(0, widths=(5,), spans=(2,), steps=64)
    network = replace(drawn, input=InputFormat(1, 0, 16, 1 / 16), provenance={**drawn.provenance, "data": "digits"})
    path = tmp_path / "network.safetensors"
    network_file.save(network, path)
    code = f"""
import sys
for name in {ABSENT}: sys.modules[name] = None
from asrc_export.commands import check
sys.exit(check.main([{str(path)!r}, "--json", *sys.argv[1:]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 0
    assert done.stderr.count("\n") == 1
    assert "nothing is observed on data set 'digits': package 'sklearn' is not installed" in done.stderr

    asked = subprocess.run(
        [sys.executable, "-c", code, "--data", "digits"], capture_output=True, text=True, check=False
    )
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "pip install 'asrc-toolchain[train]'" in asked.stderr


def test_the_integer_file_becomes_a_nir_graph_without_pytorch(tmp_path: Path) -> None:
    absent = [name for name in ABSENT if name not in (*extras.MODULES["nir"], "h5py")]
    code = f"""
import sys
for name in {absent}: sys.modules[name] = None
from asrc_export.commands import export
sys.exit(export.main([{str(NETWORK)!r}, "--nir", "model.nir", "--lossy"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    nir = pytest.importorskip("nir")
    graph = nir.read(tmp_path / "model.nir")
    assert {"layer0", "layer1", "layer2", "readout"} <= set(graph.nodes)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a fresh environment that holds the built package without extras."""
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "this test makes an environment, which takes uv; install it"
    folder = tmp_path_factory.mktemp("light")

    def run(*command: str) -> None:
        done = subprocess.run([uv, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"uv {' '.join(command)}:\n{done.stderr}"

    run("build", "--wheel", "--python", sys.executable, "--out-dir", str(folder / "dist"), str(ROOT))
    run("venv", "--no-project", "--python", sys.executable, str(folder / "environment"))
    python = folder / "environment" / "bin" / "python"
    (wheel,) = (folder / "dist").glob("*.whl")
    run("pip", "install", "--compile-bytecode", "--python", str(python), str(wheel))
    return python.parent


def answer(light: Path, command: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [light / command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_package_and_what_it_needs_are_small(light: Path) -> None:
    (packages,) = light.parent.glob("lib/python3*/site-packages")
    assert (packages / "asrc_core").is_dir()
    sizes = {path: path.stat().st_size for path in packages.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= LIMIT_BYTES, sorted(sizes, key=lambda path: -sizes[path])[:10]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["torch", "matplotlib", "sklearn", "rich"])
def test_what_the_extras_bring_is_not_there(light: Path, module: str, tmp_path: Path) -> None:
    done = answer(light, "python", "-c", f"import {module}", folder=tmp_path)
    assert done.returncode != 0
    assert f"No module named '{module}'" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_a_network_gives_the_same_answers_as_here(light: Path, backend: str, tmp_path: Path) -> None:
    network = network_file.load(NETWORK)
    entry, shape = network.input, (6, network.steps, network.input.channels)
    x = np.random.default_rng(0).integers(entry.minimum, entry.maximum, shape, np.int32, endpoint=True)
    samples_file.save(tmp_path / "x.npz", x)
    done = answer(light, "asrc-sim", str(NETWORK), "--input", "x.npz", "--backend", backend, "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told, expected = json.loads(done.stdout), reference.run(network, x)
    assert told["backend"] == backend
    assert told["predictions"] == expected.predictions.tolist()
    assert told["logits"] == expected.logits.tolist()


@pytest.mark.slow
def test_a_network_is_checked_there(light: Path, tmp_path: Path) -> None:
    done = answer(light, "asrc-check", str(NETWORK), "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["accumulators"]) > 0


NEEDS = [
    (["asrc-train", "--data", "digits"], "train"),
    (["asrc-sweep", "--data", "digits"], "train"),
    (["asrc-analyze", "training", "model.pt"], "train"),
    (["asrc-export", "model.pt"], "train"),
    (["asrc-export", "model.pt", "--from", "netx", "--steps", "4"], "netx"),
    (["asrc-export", "--check", "digits"], "train"),
    (["asrc-report", str(NETWORK), "--float", "model.pt"], "report"),
    (["asrc-robustness", str(NETWORK)], "train"),
    (["asrc-sim", str(NETWORK)], "train"),
    (["asrc-sim", str(NETWORK), "--input", "x.npz", "--backend", "onnx"], "onnx"),
    (["asrc-demo"], "report"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "extra"), NEEDS, ids=[f"{command[0]}-{i}" for i, (command, _) in enumerate(NEEDS)])
def test_a_command_that_lacks_its_extra_says_so_in_one_sentence(
    light: Path, command: list[str], extra: str, tmp_path: Path
) -> None:
    samples_file.save(tmp_path / "x.npz", np.zeros((1, 784, 1), np.int32))
    done = answer(light, *command, folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{command[0]}: package")
    assert done.stderr.count("\n") == 1
    assert f"pip install 'asrc-toolchain[{extra}]'." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "sweep", "analyze", "export", "report", "check", "robustness", "sim"])
def test_help_needs_no_extra(light: Path, command: str, tmp_path: Path) -> None:
    done = answer(light, f"asrc-{command}", "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
