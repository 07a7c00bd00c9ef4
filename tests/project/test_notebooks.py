"""The notebooks and scripts in examples/ run as they stand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asrc_core
from asrc_core.contract.interpreter import run as reference
from asrc_core.contract.random_network import random_network
from asrc_core.preprocessing import standardizing

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def test_there_are_three_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["export_to_report", "own_data", "own_loop"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_results(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert {cell["cell_type"] for cell in cells} == {"markdown", "code"}
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(path: Path, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [each for each in shown if each["output_type"] == "error"]
    assert any("<table" in str(each.get("data", {}).get("text/html", "")) for each in shown), "objects show themselves"


@pytest.mark.parametrize("carry", [False, True])
def test_the_stream_of_a_sensor_that_never_stops_is_decided_on_in_windows(carry: bool, tmp_path: Path) -> None:
    network = random_network(2, widths=(6, 5), spans=(2, 3), steps=7)
    asrc_core.save(network, tmp_path / "n.safetensors")
    entry = network.input
    x = np.random.default_rng(0).integers(entry.minimum, entry.maximum + 1, (23, entry.channels))
    lines = "\n".join(",".join(map(str, frame)) for frame in x)
    command = [sys.executable, EXAMPLES / "windowed_stream.py", tmp_path / "n.safetensors", *(["--carry"] * carry)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    decided = [line.split(": ") for line in done.stdout.splitlines()]
    assert [step for step, _ in decided] == ["7", "14", "21"]
    if not carry:
        assert [int(label) for _, label in decided] == reference(network, x[:21].reshape(3, 7, -1)).predictions.tolist()


def test_a_frame_that_does_not_fit_ends_the_stream_with_a_sentence(tmp_path: Path) -> None:
    asrc_core.save(random_network(2, widths=(6,), spans=(2,), steps=7), tmp_path / "n.safetensors")
    command = [sys.executable, EXAMPLES / "windowed_stream.py", tmp_path / "n.safetensors"]
    for lines in ("1,2,3\n", "x\n", "1.5\n", "4294967297\n"):
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("windowed_stream: ")
        assert done.stderr.count("\n") == 1
        assert "invalid literal" not in done.stderr


def test_raw_frames_are_made_integers_by_what_the_file_states(tmp_path: Path) -> None:
    made = standardizing(np.array([-3.0]), np.array([2.0]), 32, 128)
    network = random_network(2, widths=(6, 5), spans=(2, 3), steps=7)
    stated = replace(network, provenance={**network.provenance, "preprocessing": made.model_dump(mode="json")})
    asrc_core.save(stated, tmp_path / "n.safetensors")
    raw = np.random.default_rng(0).normal(-3, 2, (14, 1))
    command = [sys.executable, EXAMPLES / "windowed_stream.py", tmp_path / "n.safetensors", "--raw"]
    lines = "\n".join(str(value) for (value,) in raw.tolist())
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    answers = reference(network, made.integers(raw).x.reshape(2, 7, 1)).predictions.tolist()
    assert (done.stdout, done.stderr) == (f"7: {answers[0]}\n14: {answers[1]}\n", "")
