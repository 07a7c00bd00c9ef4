"""What if it had fewer bits, shorter spans, narrower layers: measured where it can be, and modelled with sources."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asrc_core.contract.file import network_file
from asrc_core.contract.result import LayerCounts
from asrc_core.errors import InvalidSetting, UnknownName
from asrc_export.chip import placement, targets
from asrc_export.chip.cost import storage
from asrc_export.chip.shape import of_network
from asrc_export.commands import analyze as cli_analyze
from asrc_export.commands import export as cli_export
from asrc_export.engines import native
from asrc_export.exporting import Exported
from asrc_export.samples.dataset_samples import calibration_for, dataset_for
from asrc_export.what_if import formats, pareto
from asrc_export.what_if.change import HALVES, NOTHING, Change, parse
from asrc_export.what_if.measure import Setting, measure
from asrc_export.what_if.outcome import WhatIf
from asrc_export.what_if.pareto import Point
from asrc_export.what_if.smaller import counts_of_narrower, with_spans, with_widths
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork, WeightedTap

BY_TWO = (Change({"bits": Fraction(4)}), Change({"span": Fraction(2)}), Change({"width": Fraction(1, 3)}))


@pytest.fixture(scope="module")
def frozen(trained: Checkpoint) -> FrozenNetwork:
    return freeze(trained)


@pytest.fixture(scope="module")
def setting(frozen: FrozenNetwork) -> Setting:
    return Setting(targets.load("loihi2"), native.run, calibration_for(frozen, "digits"), limit=60)


@pytest.fixture(scope="module")
def found(frozen: FrozenNetwork, setting: Setting) -> WhatIf:
    """The session's network as it is, at 4 bits, with spans of 2 at most, and at a third of its width."""
    return measure(frozen, setting, model="model.pt", changes=BY_TWO)


def test_the_first_row_is_the_network_that_an_export_gives(found: WhatIf, exported: Exported) -> None:
    network = network_file.load(exported.path)
    dataset = dataset_for(network)
    result = native.run(network, dataset.test_x[:60])
    costs = found.outcomes[0].costs
    assert found.outcomes[0].accuracy == float((result.predictions == dataset.test_y[:60]).mean())
    assert costs is not None
    chip, shape = targets.load("loihi2"), of_network(network)
    assert costs.storage == sum(each.total for each in storage.of_shape(shape, chip))
    assert costs.cores == len(placement.place(shape.layers, chip).cores)


def test_fewer_bits_and_shorter_spans_are_run_and_narrower_layers_are_not(found: WhatIf) -> None:
    whole, bits, span, width = found.outcomes
    assert (bits.bits, whole.bits) == (4, 8)
    assert all(after == min(2, before) for before, after in zip(whole.spans, span.spans, strict=True))
    assert width.widths == (4, 3)
    assert bits.accuracy is not None
    assert span.accuracy is not None
    assert width.accuracy is None
    assert not width.trained
    assert "needs training" in formats.text(found)


def test_what_is_smaller_takes_less(found: WhatIf) -> None:
    whole, bits, _, width = (each.costs for each in found.outcomes)
    assert whole is not None
    assert bits is not None
    assert width is not None
    assert bits.storage < whole.storage
    assert width.storage < whole.storage
    assert width.neurons == 7
    assert whole.energy is not None
    assert width.energy is not None
    assert width.energy.high_nj < whole.energy.high_nj


def test_no_joule_and_no_second_is_without_its_source(found: WhatIf) -> None:
    chip = targets.load("loihi1")
    assert chip.energy is not None
    cited = {source for name in type(chip.energy).model_fields for source in getattr(chip.energy, name).sources}
    for outcome in found.outcomes:
        assert outcome.costs is not None
        for modelled in (outcome.costs.energy, outcome.costs.latency):
            assert modelled is not None
            assert modelled.target == "loihi1"
            assert modelled.sources
        assert outcome.costs.energy is not None
        assert cited >= set(outcome.costs.energy.sources)
    for written in (formats.text(found), formats.markdown(found)):
        assert "as on loihi1" in written
        assert "Davies et al. 2018" in written


def test_without_data_nothing_is_run_and_nothing_is_modelled(frozen: FrozenNetwork, setting: Setting) -> None:
    bare = measure(frozen, replace(setting, dataset=None), model="m.pt", changes=(Change({"bits": Fraction(2)}),))
    for outcome in bare.outcomes:
        assert outcome.accuracy is None
        assert outcome.costs is not None
        assert outcome.costs.energy is None
        assert outcome.costs.latency is None
    assert "nJ a sample, as on" not in formats.text(bare)


def test_what_the_target_does_not_take_is_told_in_its_row(frozen: FrozenNetwork, setting: Setting) -> None:
    long = replace(
        frozen,
        layers=tuple(
            replace(each, connections=(each.forward, replace(each.back, taps=(WeightedTap(40, 1.0),))))
            for each in frozen.layers
        ),
    )
    whole, shorter = measure(long, setting, model="m.pt", changes=(Change({"span": Fraction(1, 2)}),)).outcomes
    assert whole.costs is None
    assert whole.problem is not None
    assert "span 40" in whole.problem
    assert shorter.problem is None
    assert shorter.spans == (20, 20)
    assert shorter.accuracy is not None


def test_the_whole_network_is_left_as_it_is(frozen: FrozenNetwork) -> None:
    for made in (with_spans(frozen, NOTHING), with_widths(frozen, NOTHING)):
        for before, after in zip(frozen.layers, made.layers, strict=True):
            assert np.array_equal(before.weight, after.weight)
            assert np.array_equal(before.recurrent, after.recurrent)
            assert before.span == after.span
        assert np.array_equal(frozen.readout_weight, made.readout_weight)


def test_taps_that_come_to_lie_on_one_another_weigh_their_sum(frozen: FrozenNetwork) -> None:
    layer = frozen.layers[0]
    taps = (WeightedTap(1, 0.5), WeightedTap(2, 0.25), WeightedTap(4, 0.25))
    tapped = replace(frozen, layers=(replace(layer, connections=(layer.forward, replace(layer.back, taps=taps))),))
    assert with_spans(tapped, Change({"span": Fraction(2)})).layers[0].back.taps == ((1, 0.5), (2, 0.5))
    one = with_spans(tapped, Change({"span": Fraction(1)})).layers[0].back
    assert one.taps == ((1, 1.0),)
    assert np.allclose(one.weight, layer.recurrent)


def test_events_of_narrower_layers_go_with_the_widths_at_both_ends(frozen: FrozenNetwork) -> None:
    counts = (LayerCounts(120, 2400, 1440, 768), LayerCounts(90, 1080, 810, 576), LayerCounts(0, 900, 0, 640))
    first, second, readout = counts_of_narrower(frozen, Change({"width": Fraction(1, 3)}), counts)
    assert first == LayerCounts(40, 800, 160, 256)  # 12 neurons become 4: its input is as wide as ever
    assert second == LayerCounts(30, 120, 90, 192)  # 9 become 3, fed by a third of the spikes
    assert readout == LayerCounts(0, 300, 0, 640)


@given(size=st.integers(1, 10_000), amount=st.fractions(0, 100, max_denominator=50).filter(lambda each: each > 0))
def test_a_change_never_makes_anything_larger_and_leaves_at_least_1(size: int, amount: Fraction) -> None:
    amount = amount if amount < 1 else Fraction(int(amount))
    made = Change({"width": amount}).of("width", size)
    assert 1 <= made <= size
    assert made <= max(1, amount * size if amount < 1 else amount)
    assert Change({"width": amount}).of("span", size) == size


def test_changes_are_read_as_they_are_named() -> None:
    assert parse("bits=4, span=1/2") == Change({"bits": Fraction(4), "span": Fraction(1, 2)})
    assert parse("width=0.25").name == "1/4 of the width"
    assert [each.name for each in HALVES] == ["half the bits", "half the span", "half the width"]


@pytest.mark.parametrize(
    "text", ["", "bits", "bits=", "depth=2", "bits=0", "bits=-1", "span=1.5", "bits=4,bits=2", "span=1/0", "bits=1e99"]
)
def test_what_is_no_change_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InvalidSetting, match="write bits=4, span=1/2 or bits=4,span=8"):
        parse(text)


def test_the_command_writes_what_the_suffix_says(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--what-if", str(checkpoint_path), "--change", "bits=3"]
    for name in ("table.json", "table.md"):
        assert cli_export.main([*arguments, "-o", str(tmp_path / name)]) == 0
    content = json.loads((tmp_path / "table.json").read_text())
    assert WhatIf.model_validate_json((tmp_path / "table.json").read_text()).outcomes[1].bits == 3
    assert [each["name"] for each in content["outcomes"]] == ["as it is", "bits at most 3"]
    assert (tmp_path / "table.md").read_text().startswith("## What if: model.pt on loihi2")
    capsys.readouterr()
    assert cli_export.main([*arguments, "-o", str(tmp_path / "table.doc")]) == 1
    assert "its suffix is none of" in capsys.readouterr().err
    assert cli_export.main(["--what-if", str(checkpoint_path), "--change", "depth=2"]) == 1
    assert "--change 'depth=2'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--what-if"],
        ["m.pt", "--change", "bits=4"],
        ["--what-if", "m.pt", "--bits", "auto"],
        ["--what-if", "m.safetensors"],
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli_export.main(arguments)
    assert stop.value.code == 2


def point(name: str, cost: float, accuracy: float, found: WhatIf) -> Point:
    return Point(name, 8, cost, accuracy, found.outcomes[0])


def test_the_front_is_what_no_other_point_beats(found: WhatIf) -> None:
    given_points = [
        point("cheap", 1, 0.5, found),
        point("good", 3, 0.9, found),
        point("beaten", 3, 0.8, found),
        point("dear", 4, 0.9, found),
        point("between", 2, 0.7, found),
    ]
    assert [each.name for each in pareto.front(given_points)] == ["cheap", "between", "good"]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(found: WhatIf, drawn: list[tuple[int, int]]) -> None:
    given_points = [point(str(i), cost, right / 9, found) for i, (cost, right) in enumerate(drawn)]
    best = pareto.front(given_points)
    for each in given_points:
        beaten = [one for one in best if one.cost <= each.cost and one.accuracy >= each.accuracy and one != each]
        assert each in best or beaten
    assert all(
        (a.cost < b.cost and a.accuracy < b.accuracy) or (a.cost, a.accuracy) == (b.cost, b.accuracy)
        for a, b in pairwise(best)
    )


def test_the_command_draws_accuracy_over_a_cost_with_its_sources(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure, numbers = tmp_path / "front.svg", tmp_path / "front.json"
    arguments = ["pareto", str(checkpoint_path), "--bits", "8", "3", "--limit", "40"]
    assert cli_analyze.main([*arguments, "-o", str(figure), "-o", str(numbers)]) == 0
    assert "as on loihi1" in capsys.readouterr().out
    drawn = figure.read_text()
    assert "Davies et al. 2018" in drawn
    assert "prefers-color-scheme: dark" in drawn
    rows = json.loads(numbers.read_text())
    assert [each["bits"] for each in rows] == [8, 3]
    assert any(each["on_front"] for each in rows)
    assert all(each["energy_sources"] for each in rows)


def test_costs_offered_are_those_there_are(frozen: FrozenNetwork, setting: Setting, checkpoint_path: Path) -> None:
    assert tuple(pareto.COSTS) == cli_analyze.COSTS
    with pytest.raises(UnknownName, match="unknown cost 'beauty'; known: cores, energy, latency, neurons, storage"):
        pareto.points([checkpoint_path], setting, [8], "beauty")
