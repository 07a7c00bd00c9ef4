"""The report: numbers that come from the runs, the keys that others rely on, one content in every format."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from asrc_core.contract.chain import chain
from asrc_core.contract.file import network_file
from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidData, InvalidNetwork, InvalidSetting, UnreadableFile, UnwritableOutput
from asrc_export import report as reports
from asrc_export.engines import numpy as engine
from asrc_export.engines import select
from asrc_export.exporting import Exported, export
from asrc_export.report import Confirmation, Report, schema, tables, verdict
from asrc_export.report.render import comparison as several
from asrc_export.report.render import formats
from asrc_export.report.table import MICROSECONDS, NANOJOULES, measured, memory
from asrc_export.samples.dataset_samples import dataset_for
from asrc_export.simulator import load
from asrc_train import data
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.evaluate import evaluate

ENTRY = ("layer", "parameter", "float", "integer", "effective", "error")
NUMPY = select.engine("numpy")


@pytest.fixture(scope="module")
def report(exported: Exported, checkpoint_path: Path) -> Report:
    confirmed = (Confirmation(backend="lava, single graph", samples=20, differing=0, seconds=1.5),)
    return reports.make_from_files(exported.path, checkpoint_path, NUMPY, limit=50, confirmations=confirmed)


@pytest.fixture(scope="module")
def written(report: Report) -> dict[str, Any]:
    """What its JSON says."""
    content: dict[str, Any] = json.loads(formats.as_json(report))
    return content


def test_a_report_of_loaded_networks_and_samples_is_that_of_their_files(
    report: Report, exported: Exported, trained: Checkpoint
) -> None:
    network = exported.network
    made = reports.make(network, trained, dataset_for(network), NUMPY, limit=50, confirmations=report.confirmations)
    assert made.provenance.float_sha256 is None
    assert (made.provenance.origin_by, report.provenance.origin_by) == ("shape", "hash")
    same = {"float_sha256": report.provenance.float_sha256, "origin_by": "hash"}
    provenance = made.provenance.model_copy(update=same)
    assert made.model_copy(update={"provenance": provenance}) == report


def with_another_span(network: IntegerNetwork) -> IntegerNetwork:
    made = chain(network)
    layer = replace(made.layers[0], span=made.layers[0].span % 16 + 1)
    return replace(made, layers=(layer, *made.layers[1:])).network()


def test_a_network_and_a_checkpoint_that_differ_in_width_are_refused(exported: Exported, trained: Checkpoint) -> None:
    network = exported.network
    with pytest.raises(InvalidSetting, match="spans differ"):
        reports.make(with_another_span(network), trained, dataset_for(network), NUMPY)
    broken = replace(network, provenance={**network.provenance, "rounding": "text"})
    with pytest.raises(InvalidNetwork, match="rounding log"):
        reports.make(broken, trained, dataset_for(network), NUMPY)


def test_what_a_report_says_is_read_back_from_its_json(report: Report) -> None:
    assert Report.model_validate_json(formats.as_json(report)) == report


def test_printed_it_is_a_summary_with_its_verdict_and_its_text_is_everything(report: Report) -> None:
    assert str(report).startswith(tables.summary(report))
    assert all(each.answer in str(report) for each in verdict.verdict(report))
    assert len(str(report).splitlines()) < 10
    assert report.text() == formats.text(report)
    assert all(table.title in report.text() for table in tables.tables(report))


def test_what_was_cut_off_when_samples_were_read_is_told(exported: Exported, trained: Checkpoint) -> None:
    note = "test: 3 of 640 values lie beyond the range of 8 bits and were cut to it"
    dataset = replace(dataset_for(exported.network), notes=(note,))
    made = reports.make(exported.network, trained, dataset, NUMPY, limit=10)
    assert note in made.text()
    first = "the first 10 of 360 test samples, in the data set's order; 4 of 10 classes have none among them"
    assert json.loads(formats.as_json(made))["provenance"]["data_notes"] == [note, first]
    assert "of the first 10 of 360 test samples correctly" in made.text()
    assert "widths and spans only" in made.text()


def test_the_public_names_are_there_and_no_others() -> None:
    assert all(getattr(reports, name) for name in reports.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'contents'"):
        _ = reports.contents


def test_reading_and_writing_a_report_loads_no_pytorch() -> None:
    code = "from asrc_export.report import Report, write; import sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_accuracies_and_agreement_are_those_of_the_runs(
    written: dict[str, Any], exported: Exported, checkpoint_path: Path
) -> None:
    dataset = data.load("digits")
    trained = checkpoint.load(checkpoint_path)
    assert trained.permutation is not None
    x, y = dataset.test_x[:50, trained.permutation], dataset.test_y[:50]
    hard = evaluate(trained.network(), x, dataset.scale)
    mixture = evaluate(trained.network(), x, dataset.scale, temperature=trained.temperature)
    result = engine.run(exported.network, x)
    assert written["samples"] == 50
    assert written["accuracy"] == {
        "float_mixture": mixture.accuracy(y),
        "float": hard.accuracy(y),
        "deployed": float((result.predictions == y).mean()),
    }
    assert written["agreement"] == float((hard.predictions == result.predictions).mean())
    assert len(written["disagreeing_samples"]) == round((1 - written["agreement"]) * 50)
    for layer, count, spikes in zip(written["layers"], result.counts, hard.spikes_per_layer, strict=False):
        assert layer["spikes"] == count.spikes
        assert layer["spikes_float"] == spikes
        assert layer["synaptic_operations"] == count.feedforward_operations + count.recurrent_operations


def test_the_keys_that_others_rely_on_are_there(written: dict[str, Any]) -> None:
    for key in ("accuracy", "agreement", "samples", "layers", "storage_bits", "energy"):
        assert key in written
    for layer in written["layers"]:
        assert {"name", "neurons", "span", "spikes", "synaptic_operations"} <= layer.keys()
    assert written["energy"]["basis"] == "modelled"
    assert all(estimate["sources"] for estimate in written["energy"]["estimates"])
    assert written["energy"]["targets_without_published_prices"] == ["loihi2"]
    found = {each["name"]: each for each in written["devices"]}
    assert {"cortex-m4", "rv32imac"} <= found.keys()
    assert [each["name"] for each in found["cortex-m4"]["resources"]] == ["flash", "RAM"]
    assert found["cortex-m4"]["fits"] is True


def test_storage_adds_up(written: dict[str, Any]) -> None:
    bits = written["storage_bits"]
    for version in ("deployed", "float"):
        assert bits[version]["total"] == sum(layer[version]["total"] for layer in bits["layers"])
        kinds = ("weights", "biases", "state", "history")
        assert bits[version]["total"] == sum(bits[version][kind] for kind in kinds)
    assert bits["spike_history_bits_per_neuron"]["delay_line"] == 32


def test_every_format_carries_the_same_numbers(report: Report, written: dict[str, Any], tmp_path: Path) -> None:
    for suffix in formats.WRITERS:
        reports.write(report, tmp_path / f"r{suffix}")
    assert json.loads((tmp_path / "r.json").read_text()) == written
    for suffix in (".md", ".txt", ".html"):
        text = (tmp_path / f"r{suffix}").read_text()
        for number in (
            f"{written['accuracy']['deployed']:.2%}",
            f"{written['agreement']:.2%}",
            f"{written['storage_bits']['deployed']['total']:,}",
            written["provenance"]["network_sha256"],
        ):
            assert number in text
        assert "modelled" in text
        assert "lava, single graph" in text


def test_text_markdown_and_page_show_the_same_tables(report: Report) -> None:
    shown = list(tables.tables(report))
    assert len({table.key for table in shown}) == len(shown)
    text, markdown, page = (formats.WRITERS[suffix](report) for suffix in (".txt", ".md", ".html"))
    for table in shown:
        assert table.title in text
        assert f"## {table.title}" in markdown
        assert f'<section id="{table.key}"' in page
        for cell in (str(cell) for row in table.rows for cell in row):
            assert cell in text
            assert " ".join(cell.split()) in html.unescape(markdown)
            assert cell.replace("`", "") in re.sub("</?code>", "", html.unescape(page))


def test_csv_rows_are_the_numbers_of_the_json_with_units(report: Report, written: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(formats.WRITERS[".csv"](report))))
    assert list(rows[0]) == ["name", "value", "unit"]
    values = {row["name"]: row for row in rows}
    assert len(values) == len(rows)
    assert float(values["accuracy.deployed"]["value"]) == written["accuracy"]["deployed"]
    assert values["accuracy.deployed"]["unit"] == "share"
    assert int(values["layers.layer1.spikes"]["value"]) == written["layers"][1]["spikes"]
    assert values["layers.layer1.spikes"]["unit"] == "spike"
    assert int(values["storage_bits.deployed.total"]["value"]) == written["storage_bits"]["deployed"]["total"]
    assert values["storage_bits.deployed.total"]["unit"] == "bit"
    assert (
        float(values["ladder.rungs.quantized_weights.accuracy"]["value"]) == written["ladder"]["rungs"][2]["accuracy"]
    )
    assert values["placement.limits.synaptic_memory"]["unit"] == "bit"  # a unit for each key of a budget
    assert values["storage_bits.paper_statement.longest_span"]["unit"] == "step"
    priced = [row for name, row in values.items() if ".breakdown." in name]
    assert priced
    assert {row["unit"] for row in priced} == {"nJ"}


def test_a_spreadsheet_finds_no_formula_in_the_csv(report: Report) -> None:
    provenance = report.provenance.model_copy(update={"data": '=HYPERLINK("x")', "torch": "+1"})
    firing = tuple(layer.model_copy(update={"name": f"@{layer.name}"}) for layer in report.firing)
    hostile = report.model_copy(update={"provenance": provenance, "firing": firing})
    for row in csv.reader(io.StringIO(formats.WRITERS[".csv"](hostile))):
        for cell in row:
            assert cell[:1] not in ("=", "@", "+")


def test_the_published_schema_is_that_of_the_model() -> None:
    """If this fails after a change meant to be: python -m asrc_export.report.schema > schema.json."""
    assert Path(schema.__file__).with_name("schema.json").read_text() == schema.text()


def test_every_report_obeys_the_published_schema(written: dict[str, Any]) -> None:
    published = json.loads((Path(reports.__file__).parents[2] / written["schema"]).read_text())
    validator = jsonschema.Draft202012Validator(published)
    validator.check_schema(published)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(written)] == []
    for broken in (
        {**written, "agreement": 1.5},
        {**written, "surprise": 1},
        {key: part for key, part in written.items() if key != "ladder"},
        {**written, "energy": {**written["energy"], "basis": "measured"}},
    ):
        assert not validator.is_valid(broken)
        with pytest.raises(ValueError, match="1 validation error"):
            Report.model_validate_json(json.dumps(broken))


def test_the_ablation_ends_where_the_report_begins(written: dict[str, Any]) -> None:
    stages = {stage["name"]: stage for stage in written["ladder"]["rungs"]}
    assert {name: stages[name]["accuracy"] for name in written["accuracy"]} == written["accuracy"]
    assert stages["deployed"]["agreement"] == written["agreement"]
    for neurons, fired, layer in zip(written["neurons"], written["firing"], written["layers"], strict=True):
        assert sum(fired["deployed"]) == layer["spikes"]
        assert neurons["silent_deployed"] == fired["deployed"].count(0)
    for version in ("float", "deployed"):
        matrix = written["confusion"][version]
        assert sum(map(sum, matrix)) == written["samples"]
        assert sum(matrix[i][i] for i in range(10)) == round(written["accuracy"][version] * written["samples"])


def test_a_suffix_without_a_format_lists_those_there_are(report: Report, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"\.json, \.md, \.txt"):
        reports.write(report, tmp_path / "report.doc")
    with pytest.raises(UnwritableOutput):
        reports.write(report, tmp_path / "absent" / "report.md")


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
        reports.make_from_files(other_network, other, NUMPY)
    with pytest.raises(InvalidSetting, match=r"was not exported from it \(hashes differ\); give the one it came from"):
        load(other_network).report(other)
    with pytest.raises(UnreadableFile, match="integer network"):
        reports.make_from_files(checkpoint_path, checkpoint_path, NUMPY)


def test_without_a_hash_the_widths_and_spans_have_to_match(
    exported: Exported, checkpoint_path: Path, tmp_path: Path
) -> None:
    network = network_file.load(exported.path)
    network_file.save(replace(with_another_span(network), provenance={"data": "digits"}), tmp_path / "n")
    with pytest.raises(InvalidSetting, match="spans differ"):
        reports.make_from_files(tmp_path / "n", checkpoint_path, NUMPY)


@pytest.mark.parametrize("log", ["text", [1], [{"layer": "layer0"}], [dict.fromkeys(ENTRY, "text")]])
def test_a_broken_rounding_log_is_refused_in_a_sentence(
    exported: Exported, checkpoint_path: Path, tmp_path: Path, log: Any
) -> None:
    network = network_file.load(exported.path)
    network_file.save(replace(network, provenance={**network.provenance, "rounding": log}), tmp_path / "n")
    with pytest.raises(UnreadableFile, match="rounding log is broken"):
        reports.make_from_files(tmp_path / "n", checkpoint_path, NUMPY)


def test_what_was_cut_off_or_not_rounded_to_the_nearest_is_told(
    exported: Exported, checkpoint_path: Path, tmp_path: Path
) -> None:
    network = network_file.load(exported.path)
    told = [{**line, "cut_off": 3, "moved": 7} for line in network.provenance["rounding"]]
    silent = [{key: value for key, value in line.items() if key not in ("cut_off", "moved")} for line in told]
    for log, counts in ((told, (3, 7)), (silent, (0, 0))):
        network_file.save(replace(network, provenance={**network.provenance, "rounding": log}), tmp_path / "n")
        made = reports.make_from_files(tmp_path / "n", checkpoint_path, NUMPY, limit=5)
        assert {(line.cut_off, line.moved) for line in made.rounding} == {counts}


def test_a_data_set_of_the_wrong_width_is_refused(exported: Exported, checkpoint_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"mnist5k.*784 steps.*64"):
        reports.make_from_files(exported.path, checkpoint_path, NUMPY, data_name="mnist5k")


def test_what_was_observed_while_exporting_is_kept_in_the_file(exported: Exported) -> None:
    observed = network_file.load(exported.path).provenance["observed"]
    assert set(observed) == {"layer0", "layer1", "readout"}
    for low, high in observed.values():
        assert low <= high


def test_networks_on_the_same_samples_stand_side_by_side(report: Report, tmp_path: Path) -> None:
    both = reports.compared([report, report], ["a/n.safetensors", "b/n.safetensors"])
    assert both.names == ("n (1)", "n (2)")
    assert [(pair.first, pair.second, pair.deployed.p) for pair in both.pairs] == [(0, 1, 1)]
    for suffix in several.WRITERS:
        several.write(both, tmp_path / f"both{suffix}")
    assert reports.Comparison.model_validate_json((tmp_path / "both.json").read_text()) == both
    page = (tmp_path / "both.html").read_text()
    ids = re.findall(r'<section[^>]* id="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    assert {"n0-answers", "n1-answers", "comparison"} <= set(ids)
    for text in (page, (tmp_path / "both.md").read_text(), (tmp_path / "both.txt").read_text()):
        assert "do not differ in accuracy" in text
    fewer = report.model_copy(update={"samples": report.samples - 1})
    with pytest.raises(InvalidSetting, match="compare like with like"):
        reports.compared([report, fewer], ["a", "b"])


def test_a_comparison_names_networks_by_their_models_whatever_dots_these_have(report: Report) -> None:
    files = ["x/psmnist-0.063M.loihi2.safetensors", "m.8bit.loihi2.safetensors", "theirs.imported.loihi2.safetensors"]
    assert reports.compared([report] * 3, files).names == ("psmnist-0.063M", "m.8bit", "theirs")


def test_a_comparisons_csv_leaves_out_the_picture_of_each_report(report: Report) -> None:
    both = reports.compared([report, report], ["a", "b"])
    names = [row["name"] for row in csv.DictReader(io.StringIO(several.WRITERS[".csv"](both)))]
    assert "reports.0.accuracy.deployed" in names
    assert not [name for name in names if "raster" in name]


def test_reports_that_come_one_by_one_are_compared(report: Report) -> None:
    given = (report for _ in range(2))
    assert reports.compared(given, (name for name in "ab")).names == ("a", "b")


def test_the_verdict_says_what_does_not_fit_and_what_differs(report: Report) -> None:
    fits, agrees, costs = verdict.verdict(report)
    assert fits.answer == "It fits"
    assert "cores" in fits.why
    assert agrees.answer == f"The same answer on {report.agreement:.1%} of the samples"
    guessing = report.model_copy(update={"agreement": 0.4})
    assert (
        verdict.verdict(guessing)[1].answer == "The same answer on 40.0% of the samples"
    )  # however alike the accuracies are
    assert costs.answer == memory(report.storage.deployed.total)
    assert "times less memory than float32" in costs.why
    assert "loihi1" in costs.why
    kernels = report.storage.in_float.model_copy(update={"total": report.storage.deployed.total // 2})
    written_out = report.storage.model_copy(update={"in_float": kernels})
    convolving = verdict.verdict(report.model_copy(update={"storage": written_out}))[2]
    assert "2.0 times as much memory as float32" in convolving.why
    unplaced = report.model_copy(update={"placement": None})
    assert verdict.verdict(unplaced)[0].answer == "It does not fit"
    apart = report.scores.deployed_against_float.model_copy(update={"p": 0.001})
    accuracy = report.accuracy.model_copy(update={"deployed": 0.1, "in_float": 0.6})
    scored = report.scores.model_copy(update={"deployed_against_float": apart})
    worse = report.model_copy(update={"scores": scored, "accuracy": accuracy})
    assert verdict.verdict(worse)[1].answer == "It answers less well than float"


def test_the_groups_hold_every_table_once_and_scales_of_energy_are_apart(report: Report) -> None:
    groups = tables.groups(report)
    assert [group.key for group in groups] == ["answers", "agreement", "cost", "origin"]
    keys = [table.key for group in groups for table in group.tables]
    assert len(set(keys)) == len(keys)
    shown = {table.key: table for table in tables.tables(report)}
    assert not any("45 nm" in str(cell) for row in shown["energy"].rows for cell in row)
    assert all("45 nm" in str(row[0]) for row in shown["arithmetic"].rows)


def test_sizes_energies_and_times_are_told_in_the_unit_that_they_deserve() -> None:
    assert [memory(bits) for bits in (192, 8 * 1023, 8 * 1024, 525_926)] == [
        "24 bytes",
        "1,023 bytes",
        "1.0 KiB",
        "64.2 KiB",
    ]
    energies = [measured(NANOJOULES, *ends) for ends in ((0.156, 0.243), (0.9, 1.4), (700, 1_300))]
    assert energies == ["156 to 243 pJ", "0.9 to 1.4 nJ", "0.7 to 1.3 µJ"]
    times = [measured(MICROSECONDS, *ends) for ends in ((0.129, 0.627), (137.6, 166.1), (1_630, 1_870))]
    assert times == ["129 to 627 ns", "137.6 to 166.1 µs", "1.63 to 1.87 ms"]
