"""The report: numbers that come from the runs, the keys that others rely on, one content in every format."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from asrc_core.contract.file import network_file
from asrc_core.errors import InvalidData, InvalidSetting, UnreadableFile, UnwritableOutput
from asrc_export.engines import numpy as engine
from asrc_export.export import Exported, export
from asrc_export.report import contents, formats, sections
from asrc_export.report.contents import Confirmation
from asrc_train import data
from asrc_train.trained import checkpoint
from asrc_train.training.evaluate import evaluate

ENTRY = ("layer", "parameter", "float", "integer", "effective", "error")


@pytest.fixture(scope="module")
def content(exported: Exported, checkpoint_path: Path) -> dict[str, Any]:
    confirmed = (Confirmation("lava, single graph", 20, 0, 1.5),)
    return contents.build(
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
    for suffix in formats.WRITERS:
        formats.write(content, tmp_path / f"r{suffix}")
    assert json.loads((tmp_path / "r.json").read_text()) == content
    for suffix in (".md", ".txt", ".html"):
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


def test_text_markdown_and_page_show_the_same_tables(content: dict[str, Any]) -> None:
    shown = list(sections.sections(content))
    assert len({section.key for section in shown}) == len(shown)
    text, markdown, page = (formats.WRITERS[suffix](content) for suffix in (".txt", ".md", ".html"))
    for section in shown:
        assert section.title in text
        assert f"## {section.title}" in markdown
        assert f'<section id="{section.key}"' in page
        for cell in (str(cell) for row in section.rows for cell in row):
            assert cell in text
            assert " ".join(cell.split()) in html.unescape(markdown)
            assert cell in html.unescape(page)


def test_csv_rows_are_the_numbers_of_the_json_with_units(content: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.WRITERS[".csv"](content))))
    assert list(rows[0]) == ["name", "value", "unit"]
    values = {row["name"]: row for row in rows}
    assert len(values) == len(rows)
    assert float(values["accuracy.deployed"]["value"]) == content["accuracy"]["deployed"]
    assert values["accuracy.deployed"]["unit"] == "share"
    assert int(values["layers.layer1.spikes"]["value"]) == content["layers"][1]["spikes"]
    assert values["layers.layer1.spikes"]["unit"] == "spike"
    assert int(values["storage_bits.deployed.total"]["value"]) == content["storage_bits"]["deployed"]["total"]
    assert values["storage_bits.deployed.total"]["unit"] == "bit"
    assert (
        float(values["ladder.rungs.quantized_weights.accuracy"]["value"]) == content["ladder"]["rungs"][2]["accuracy"]
    )


def test_a_spreadsheet_finds_no_formula_in_the_csv(content: dict[str, Any]) -> None:
    hostile = {**content, "provenance": {**content["provenance"], "data": '=HYPERLINK("x")', "@torch": "+1"}}
    for row in csv.reader(io.StringIO(formats.WRITERS[".csv"](hostile))):
        for cell in row:
            assert cell[:1] not in ("=", "@", "+")


def test_every_report_obeys_the_published_schema(content: dict[str, Any]) -> None:
    schema = json.loads((Path(contents.__file__).parents[2] / content["schema"]).read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)] == []
    for broken in (
        {**content, "agreement": 1.5},
        {**content, "surprise": 1},
        {key: part for key, part in content.items() if key != "ladder"},
        {**content, "energy": {**content["energy"], "basis": "measured"}},
    ):
        assert not validator.is_valid(broken)


def test_the_ladder_ends_where_the_report_begins(content: dict[str, Any]) -> None:
    rungs = {rung["name"]: rung for rung in content["ladder"]["rungs"]}
    assert {name: rungs[name]["accuracy"] for name in content["accuracy"]} == content["accuracy"]
    assert rungs["deployed"]["agreement"] == content["agreement"]
    for neurons, fired, layer in zip(content["neurons"], content["firing"], content["layers"], strict=True):
        assert sum(fired["deployed"]) == layer["spikes"]
        assert neurons["silent_deployed"] == fired["deployed"].count(0)
    for version in ("float", "deployed"):
        matrix = content["confusion"][version]
        assert sum(map(sum, matrix)) == content["samples"]
        assert sum(matrix[i][i] for i in range(10)) == round(content["accuracy"][version] * content["samples"])


def test_a_suffix_without_a_format_lists_those_there_are(content: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"\.json, \.md, \.txt"):
        formats.write(content, tmp_path / "contents.doc")
    with pytest.raises(UnwritableOutput):
        formats.write(content, tmp_path / "absent" / "contents.md")


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
    with pytest.raises(InvalidSetting, match=r"hashes differ.*asrc-export"):
        contents.build(other_network, other, engine=engine.run, engine_name="numpy")
    with pytest.raises(UnreadableFile, match="integer network"):
        contents.build(checkpoint_path, checkpoint_path, engine=engine.run, engine_name="numpy")


def test_without_a_hash_the_widths_and_spans_have_to_match(
    exported: Exported, checkpoint_path: Path, tmp_path: Path
) -> None:
    network = network_file.load(exported.path)
    layer = replace(network.layers[0], span=network.layers[0].span % 16 + 1)
    network_file.save(
        replace(network, layers=(layer, *network.layers[1:]), provenance={"data": "digits"}), tmp_path / "n"
    )
    with pytest.raises(InvalidSetting, match="spans differ"):
        contents.build(tmp_path / "n", checkpoint_path, engine=engine.run, engine_name="numpy")


@pytest.mark.parametrize("log", ["text", [1], [{"layer": "layer0"}], [dict.fromkeys(ENTRY, float("nan"))]])
def test_a_broken_rounding_log_is_refused_in_a_sentence(
    exported: Exported, checkpoint_path: Path, tmp_path: Path, log: Any
) -> None:
    network = network_file.load(exported.path)
    network_file.save(replace(network, provenance={**network.provenance, "rounding": log}), tmp_path / "n")
    with pytest.raises(UnreadableFile, match="rounding log is broken"):
        contents.build(tmp_path / "n", checkpoint_path, engine=engine.run, engine_name="numpy")


def test_what_was_cut_off_or_not_rounded_to_the_nearest_is_told(
    exported: Exported, checkpoint_path: Path, tmp_path: Path
) -> None:
    network = network_file.load(exported.path)
    told = [{**line, "cut_off": 3, "moved": 7} for line in network.provenance["rounding"]]
    silent = [{key: value for key, value in line.items() if key not in ("cut_off", "moved")} for line in told]
    for log, counts in ((told, (3, 7)), (silent, (0, 0))):
        network_file.save(replace(network, provenance={**network.provenance, "rounding": log}), tmp_path / "n")
        content = contents.build(tmp_path / "n", checkpoint_path, engine=engine.run, engine_name="numpy", limit=5)
        assert {(line["cut_off"], line["moved"]) for line in content["rounding"]} == {counts}


def test_a_data_set_of_the_wrong_width_is_refused(exported: Exported, checkpoint_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"mnist5k.*784 steps.*64"):
        contents.build(exported.path, checkpoint_path, engine=engine.run, engine_name="numpy", data_name="mnist5k")


def test_what_was_observed_while_exporting_is_kept_in_the_file(exported: Exported) -> None:
    observed = network_file.load(exported.path).provenance["observed"]
    assert set(observed) == {"layer0", "layer1", "readout"}
    for low, high in observed.values():
        assert low <= high
