"""Checkpoints: self-describing, whole round trips, and nothing in a stranger's file is run."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asrc_core.errors import NonFiniteWeights, UnreadableFile, UnwritableOutput
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.evaluate import fed


def rewritten(source: Path, path: Path, change: Any) -> None:
    """A copy of a checkpoint with ``change(content)`` applied, past all of the writer's checks."""
    content = torch.load(source, weights_only=True)
    change(content)
    torch.save(content, path)


def manifest_changed(content: dict[str, Any], **values: Any) -> None:
    manifest = json.loads(content["manifest"])
    manifest.update(values)
    content["manifest"] = json.dumps(manifest)


def test_a_saved_network_answers_as_before(trained: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(trained, tmp_path / "again.pt")
    again = checkpoint.load(tmp_path / "again.pt")
    x = fed(np.random.default_rng(0).integers(0, 17, (5, trained.steps, 1), dtype=np.uint8), trained.scale)
    assert torch.equal(trained.network()(x), again.network()(x))
    assert again.config == trained.config
    assert again.spans == trained.spans
    assert again.history == trained.history
    np.testing.assert_array_equal(again.permutation, trained.permutation)


def test_the_file_holds_tensors_and_one_json_text_only(checkpoint_path: Path) -> None:
    content = torch.load(checkpoint_path, weights_only=True)
    assert set(content) == {"format", "version", "manifest", "tensors"}
    manifest = json.loads(content["manifest"])
    assert manifest["config"]["data"] == {
        "name": "digits",
        "permute": True,
        "permutation_seed": 0,
        "validation_fraction": 0.125,
    }
    assert set(manifest["scores"]) == {"validation", "test", "test_mixture"}


@pytest.mark.slow
def test_checking_shapes_imports_no_compiler() -> None:
    """Arithmetic on PyTorch's meta device does, which made every command on some checkpoints three seconds slower."""
    code = """
import sys, torch
from asrc_train.network.float_network import new_network
from asrc_train.settings.recipe import configured, names
for name in names():
    with torch.device("meta"):
        new_network(3, 10, configured(name).network, 50)
    assert "torch._dynamo" not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


class Bomb:
    """Unpickling this would create a file."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (self.touched,)  # type: ignore[return-value]


def test_a_checkpoint_that_would_run_code_is_refused_unrun(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "evil.pt"
    torch.save({"format": checkpoint.FORMAT, "payload": Bomb(touched)}, path)
    with pytest.raises(UnreadableFile, match=r"evil\.pt.*would run code when loaded"):
        checkpoint.load(path)
    assert not touched.exists()
    torch.load(path, weights_only=False)
    assert touched.exists()  # so the trap was armed


def test_a_bare_pickle_is_refused_unrun(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Bomb(touched)))
    with pytest.raises(UnreadableFile, match="not a PyTorch file"):
        checkpoint.load(path)
    assert not touched.exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(checkpoint_path: Path, tmp_path: Path, kept: float) -> None:
    content = checkpoint_path.read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(UnreadableFile, match=r"cut\.pt.*(empty|truncated|corrupt)"):
        checkpoint.load(path)


def test_corrupt_content_is_refused(checkpoint_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "corrupt.pt"
    content = bytearray(checkpoint_path.read_bytes())
    start = content.index(b"data.pkl") + 60
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"corrupt\.pt"):
        checkpoint.load(path)


def test_an_archive_that_unpacks_to_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(UnreadableFile, match="unpacks to more than it holds"):
        checkpoint.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"absent\.pt.*No such file.*asrc-train"):
        checkpoint.load(tmp_path / "absent.pt")


def test_a_pytorch_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"net": {"weight": torch.zeros(2)}, "acc": 98.1}, path)
    with pytest.raises(UnreadableFile, match="another kind"):
        checkpoint.load(path)


CHANGES: list[tuple[Any, str]] = [
    (lambda c: c.update(version=7), "version is 7"),
    (lambda c: c.update(extra=1), "parts are not those"),
    (lambda c: c.update(manifest="{"), "incomplete or wrong"),
    (lambda c: c.update(manifest="[" * 100_000), "incomplete or wrong"),
    (lambda c: manifest_changed(c, surprise=1), "incomplete or wrong"),
    (lambda c: manifest_changed(c, channels=-1), "channels is -1"),
    (lambda c: manifest_changed(c, classes=2**40), "classes is"),
    (lambda c: manifest_changed(c, scale=float("nan")), "scale is nan"),
    (lambda c: manifest_changed(c, config={"data": {"name": "digits"}, "network": {"hiden": [3]}}), "hiden"),
    (lambda c: manifest_changed(c, spans=[1, 1]), "spans are not those of its skip logits"),
    (lambda c: c["tensors"].pop("readout.bias"), "'readout.bias' is missing"),
    (lambda c: c["tensors"].update(extra=torch.zeros(1)), "'extra' is missing or does not belong"),
    (lambda c: c["tensors"].update({"readout.bias": torch.zeros(3)}), "'readout.bias' does not have the shape"),
    (
        lambda c: c["tensors"].update({"readout.bias": torch.zeros(10, dtype=torch.int64)}),
        r"'readout.bias' is torch\.int64",
    ),
    (lambda c: c["tensors"].update(permutation=torch.zeros(64, dtype=torch.int64)), "permutation is not an order"),
    (lambda c: c["tensors"].pop("permutation"), "permutation and its configuration disagree"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES, ids=[says for _, says in CHANGES])
def test_a_tampered_checkpoint_is_refused_and_the_sentence_says_why(
    checkpoint_path: Path, tmp_path: Path, change: Any, says: str
) -> None:
    path = tmp_path / "tampered.pt"
    rewritten(checkpoint_path, path, change)
    with pytest.raises(UnreadableFile, match=says):
        checkpoint.load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_numbers_are_counted_by_tensor(
    checkpoint_path: Path, tmp_path: Path, value: float
) -> None:
    path = tmp_path / "nan.pt"

    def change(content: dict[str, Any]) -> None:
        content["tensors"]["layers.1.recurrent.weight"][:2, 0] = value

    rewritten(checkpoint_path, path, change)
    with pytest.raises(NonFiniteWeights, match=r"'layers.1.recurrent.weight' holds 2 NaN or infinite"):
        checkpoint.load(path)


def test_widths_claimed_by_a_stranger_cost_no_memory(checkpoint_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "huge.pt"

    def change(content: dict[str, Any]) -> None:
        config = json.loads(content["manifest"])["config"]
        config["network"]["hidden"] = [65_536] * 90
        manifest_changed(content, config=config)

    rewritten(checkpoint_path, path, change)
    with pytest.raises(UnreadableFile, match=r"missing or does not belong|shape"):
        checkpoint.load(path)


def test_an_unwritable_output_leaves_the_earlier_file_whole(trained: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    checkpoint.save(trained, path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(replace(trained, scores={"test": object()}), path)  # type: ignore[dict-item]
    assert path.read_bytes() == before
    with pytest.raises(UnwritableOutput):
        checkpoint.save(trained, tmp_path / "absent" / "model.pt")


def test_the_bytes_of_a_checkpoint_do_not_depend_on_its_name(trained: Checkpoint, tmp_path: Path) -> None:
    for name in ("one.pt", "another name.pt"):
        checkpoint.save(trained, tmp_path / name)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()
