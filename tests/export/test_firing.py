"""Inactive neurons are named, before export and after, with what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from asrc_export import report
from asrc_export.checks import firing
from asrc_export.checks.firing import Firing
from asrc_export.commands import check as cli_check
from asrc_export.commands import export as cli_export
from asrc_export.engines.select import engine
from asrc_export.exporting import Exported, export
from asrc_export.report.render import formats
from asrc_train.trained import checkpoint


def layer(*rates: list[int], steps: int = 4, name: str = "layer0") -> Firing:
    """A layer from each neuron's spikes in each sample."""
    spikes = np.zeros((steps, len(rates[0]), len(rates)), np.uint8)
    for neuron, counts in enumerate(rates):
        for sample, count in enumerate(counts):
            spikes[:count, sample, neuron] = 1
    return firing.of_spikes(name, spikes)


def found(after: Firing, before: Firing | None = None) -> dict[str, firing.Finding]:
    return {each.kind: each for each in firing.findings([after], None if before is None else [before])}


def test_each_kind_of_neuron_is_told_apart() -> None:
    kinds = found(layer([0, 0, 0], [4, 4, 4], [2, 2, 2], [1, 0, 3]))
    assert {kind: each.neurons for kind, each in kinds.items()} == {
        "silent": (0,),
        "always-firing": (1,),
        "constant": (2,),
    }
    assert "1 of 4 neurons never fires: 0; such neurons cost storage" in str(kinds["silent"])


def test_nearly_silent_and_nearly_always_firing_have_a_limit_of_their_own() -> None:
    steps = 5000
    kinds = found(layer([4, 0], [5000, 4995], [50, 60], steps=steps))
    assert {kind: each.neurons for kind, each in kinds.items()} == {"nearly-silent": (0,), "nearly-always-firing": (1,)}


def test_a_dead_layer_comes_first_and_is_named_with_a_way_out() -> None:
    alive, dead = layer([0, 0], [1, 2]), layer([0, 0], [0, 0], name="layer1")
    listed = firing.findings([alive, dead])
    assert [(each.layer, each.kind) for each in listed] == [("layer1", "dead-layer"), ("layer0", "silent")]
    assert listed[0].serious
    assert "layer 'layer1': all neurons never fire, the layer is dead" in str(listed[0])
    assert "`learning_rate`" in str(listed[0])


def test_what_rounding_did_is_told_from_what_training_did() -> None:
    alive, dead = layer([1, 0], [2, 1]), layer([0, 0], [0, 0])
    assert "`bits`" in str(found(dead, alive)["dead-layer"])
    assert "(0 before export)" in str(found(dead, alive)["dead-layer"])
    assert "`learning_rate`" in str(found(dead, dead)["dead-layer"])
    assert "none of them after export" in str(found(alive, dead)["dead-layer"])
    assert not found(alive, dead)["dead-layer"].serious


def test_a_layer_without_inactive_neurons_is_left_alone() -> None:
    assert firing.findings([layer([1, 2], [3, 0])]) == []


def test_of_neurons_that_send_numbers_only_silence_is_inactive() -> None:
    sent = np.zeros((4, 2, 3), np.int32)
    sent[:, :, 1] = 5  # at every step, as often in every sample
    sent[:, 0, 2], sent[:, 1, 2] = -3, 7
    graded = firing.of_spikes("layer0", sent)
    assert {kind: each.neurons for kind, each in found(graded).items()} == {"silent": (0,)}
    assert firing.joined([graded, firing.of_spikes("layer0", np.ones((4, 2, 3), np.uint8))]).graded


def test_many_neurons_are_counted_and_a_few_named() -> None:
    text = str(found(layer(*[[0, 0]] * 30, [1, 2]))["silent"])
    assert "30 of 31 neurons" in text
    assert ": 0, 1, 2, 3, 4, 5, 6, 7, ...;" in text


def test_batches_join_to_what_they_are_together() -> None:
    rng = np.random.default_rng(0)
    spikes: NDArray[np.uint8] = rng.integers(0, 2, (6, 10, 5), dtype=np.uint8)
    whole = firing.of_spikes("layer0", spikes)
    parts = firing.joined([firing.of_spikes("layer0", spikes[:, :4]), firing.of_spikes("layer0", spikes[:, 4:])])
    for name in ("total", "least", "most"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert parts.samples == 10


@pytest.fixture(scope="module")
def dead(checkpoint_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose second layer never fires: its biases hold it down."""
    trained = checkpoint.load(checkpoint_path)
    held = torch.full_like(trained.tensors["layers.1.feedforward.bias"], -20.0)
    path = tmp_path_factory.mktemp("dead") / "dead.pt"
    checkpoint.save(replace(trained, tensors={**trained.tensors, "layers.1.feedforward.bias": held}), path)
    return path


def test_an_export_with_a_dead_layer_warns_by_name_with_a_way_out(
    dead: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dead.safetensors"
    assert cli_export.main([str(dead), "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert out.exists()
    (warning,) = [line for line in printed.splitlines() if line.startswith("warning: ")]
    assert "layer 'layer1': all neurons never fire, the layer is dead (9 before export)" in warning
    assert "train longer" in warning
    assert cli_check.main([str(out), "--engine", "numpy"]) == 0
    warned = capsys.readouterr().out
    assert "warning: layer 'layer1': all neurons never fire" in warned
    assert "a higher --learning-rate or a lower threshold, or start from another --seed" in warned


def test_the_report_of_a_dead_layer_says_so_first_and_in_a_table(dead: Path, tmp_path: Path) -> None:
    made = export(dead, "loihi2", tmp_path / "dead.safetensors")
    made_of_it = report.make_from_files(made.path, dead, engine("numpy"), limit=20)
    found = {(each.layer, each.kind): each for each in made_of_it.inactive}
    each = found["layer1", "dead-layer"]
    assert each.serious
    assert (each.in_float, each.deployed, each.neurons) == (9, 9, 9)
    assert "Warning: no neuron of layer1 ever fires." in formats.text(made_of_it)
    assert "train longer" in formats.markdown(made_of_it)


def test_the_report_counts_the_same_neurons_as_its_table_of_silent_ones(
    exported: Exported, checkpoint_path: Path
) -> None:
    made = report.make_from_files(exported.path, checkpoint_path, engine("numpy"), limit=20)
    counted = {(each.layer, each.kind): (each.in_float, each.deployed) for each in made.inactive}
    for layer in made.neurons:
        silent, always = (counted.get((layer.name, kind), (0, 0)) for kind in ("silent", "always-firing"))
        assert silent == (layer.silent_float, layer.silent_deployed)
        assert always == (layer.always_firing_float, layer.always_firing_deployed)
    assert all(layer.headroom_bits > 0 for layer in [*made.layers, made.readout])


def test_a_layer_that_rounding_did_not_silence_alone_is_told_once() -> None:
    """Seven of eight were silent before; the layer is dead now, which is the training's doing."""
    before = np.zeros((4, 2, 8))
    before[0, :, 3] = 1
    found, *others = firing.findings(
        [firing.of_spikes("layer", np.zeros((4, 2, 8)))], [firing.of_spikes("layer", before)]
    )
    assert "silent" not in [each.kind for each in others]
    assert (found.kind, found.before, found.after) == ("dead-layer", 7, 8)
    assert "rounding did that" not in str(found)
