"""The report: numbers that come from the runs, the keys that others rely on, one content in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asrc_export import network_file, report, report_text
from asrc_export.engines import numpy as engine
from asrc_export.export import Exported, export
from asrc_export.report import Confirmation
from asrc_train import checkpoint, data
from asrc_train.errors import InvalidData, InvalidSetting, UnreadableFile, UnwritableOutput
from asrc_train.evaluate import evaluate


@pytest.fixture(scope="module")
def content(exported: Exported, checkpoint_path: Path) -> dict[str, Any]:
    confirmed = (Confirmation("lava, single graph", 20, 0, 1.5),)
    return report.build(
        exported.path, checkpoint_path, engine=engine.run, engine_name="numpy", limit=50, confirmations=confirmed
    )


def test_accuracies_and_agreement_are_those_of_the_runs(
    content: dict[str, Any], exported: Exported, checkpoint_path: Path
) -> None:
    dataset = data.load("digits")
    trained = checkpoint.load(checkpoint_path)
    assert trained.permutation is not None
    x, y = dataset.test_x[:50, trained.permutation], dataset.test_y[:50]
    hard = evaluate(trained.network(), x, dataset.scale)
    mixture = evaluate(trained.network(), x, dataset.scale, temperature=trained.temperature)
    result = engine.run(exported.network, x)
    assert content["samples"] == 50
    assert content["accuracy"] == {
        "float_mixture": mixture.accuracy(y),
        "float": hard.accuracy(y),
        "deployed": float((result.predictions == y).mean()),
    }
    assert content["agreement"] == float((hard.predictions == result.predictions).mean())
    assert len(content["disagreeing_samples"]) == round((1 - content["agreement"]) * 50)
    for layer, count, spikes in zip(content["layers"], result.counts, hard.spikes_per_layer, strict=False):
        assert layer["spikes"] == count.spikes
        assert layer["spikes_float"] == spikes
        assert layer["synaptic_operations"] == count.feedforward_operations + count.recurrent_operations


def test_the_keys_that_others_rely_on_are_there(content: dict[str, Any]) -> None:
    for key in ("accuracy", "agreement", "samples", "layers", "storage_bits", "energy"):
        assert key in content
    for layer in content["layers"]:
        assert {"name", "neurons", "span", "spikes", "synaptic_operations"} <= layer.keys()
    assert content["energy"]["basis"] == "modelled"
    assert all(estimate["sources"] for estimate in content["energy"]["estimates"])
    assert content["energy"]["targets_without_published_prices"] == ["loihi2"]


def test_storage_adds_up(content: dict[str, Any]) -> None:
    bits = content["storage_bits"]
    for version in ("deployed", "float"):
        assert bits[version]["total"] == sum(layer[version]["total"] for layer in bits["layers"])
        kinds = ("weights", "biases", "state", "history")
        assert bits[version]["total"] == sum(bits[version][kind] for kind in kinds)
    assert bits["spike_history_bits_per_neuron"]["delay_line"] == 32


def test_every_format_carries_the_same_numbers(content: dict[str, Any], tmp_path: Path) -> None:
    for suffix in report_text.WRITERS:
        report_text.write(content, tmp_path / f"r{suffix}")
    assert json.loads((tmp_path / "r.json").read_text()) == content
    for suffix in (".md", ".txt"):
        text = (tmp_path / f"r{suffix}").read_text()
        for number in (
            f"{content['accuracy']['deployed']:.2%}",
            f"{content['agreement']:.2%}",
            f"{content['storage_bits']['deployed']['total']:,}",
            content["provenance"]["network_sha256"],
        ):
            assert number in text
        assert "modelled" in text
        assert "lava, single graph" in text


def test_a_suffix_without_a_format_lists_those_there_are(content: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"\.json, \.md, \.txt"):
        report_text.write(content, tmp_path / "report.doc")
    with pytest.raises(UnwritableOutput):
        report_text.write(content, tmp_path / "absent" / "report.md")


def test_files_that_do_not_belong_together_are_refused(
    exported: Exported, checkpoint_path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    trained = checkpoint.load(checkpoint_path)
    checkpoint.save(trained, other)
    other_network = export(other, "loihi2", tmp_path / "other.safetensors").path
    trained.tensors["readout.bias"].add_(1)
    try:
        checkpoint.save(trained, other)
    finally:
        trained.tensors["readout.bias"].sub_(1)
    with pytest.raises(InvalidSetting, match="hashes differ"):
        report.build(other_network, other, engine=engine.run, engine_name="numpy")
    with pytest.raises(UnreadableFile, match="integer network"):
        report.build(checkpoint_path, checkpoint_path, engine=engine.run, engine_name="numpy")


def test_a_data_set_of_the_wrong_width_is_refused(exported: Exported, checkpoint_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"mnist5k.*784 steps.*64"):
        report.build(exported.path, checkpoint_path, engine=engine.run, engine_name="numpy", data_name="mnist5k")


def test_what_was_observed_while_exporting_is_kept_in_the_file(exported: Exported) -> None:
    observed = network_file.load(exported.path).provenance["observed"]
    assert set(observed) == {"layer0", "layer1", "readout"}
    for low, high in observed.values():
        assert low <= high
