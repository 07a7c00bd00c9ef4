"""Hardware rules: one sentence each, all findings at once, a way out with a number, before training and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.chain import chain as contract_chain
from asrc_core.contract.numbers import Mapping
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.errors import RulesBroken
from asrc_export.chip import rules, targets
from asrc_export.chip.rules import Finding
from asrc_export.chip.rules.cores import cores_of_a_system, single_neuron
from asrc_export.chip.rules.delays import delay_bits_against_neurons, short_loop
from asrc_export.chip.rules.history import delay_line_state, several_spans, spike_history, taps_of_a_delay_line
from asrc_export.chip.rules.messages import graded_neurons, graded_recurrence
from asrc_export.chip.rules.neurons import constants_of_neurons, kind_of_neuron, state_width
from asrc_export.chip.rules.weights import stored_weight_width
from asrc_export.chip.shape import ConnectionShape, NetworkShape, chain, of_network
from asrc_export.chip.shape.linked import linked
from asrc_export.chip.targets import Target
from asrc_export.commands import export as cli_export

LOIHI1, LOIHI2 = targets.load("loihi1"), targets.load("loihi2")


def shape(
    hidden: tuple[int, ...] = (64, 128),
    *,
    channels: int = 1,
    span: int = 16,
    bits: int = 8,
    mapping: Mapping = "delay-line",
    maximum: int = 1,
) -> NetworkShape:
    layers = chain(channels, hidden, [span] * len(hidden), 10, bits, mapping, maximum=maximum)
    return NetworkShape(layers, 0, maximum)


def tapped(made: NetworkShape, taps: int) -> NetworkShape:
    """The same with several taps in the first layer's recurrence."""
    first = made.layers[0]
    back = replace(first.connections[1], taps=taps, graded=True, largest_message=9)
    return replace(made, layers=(replace(first, connections=(first.connections[0], back)), *made.layers[1:]))


def found(made: NetworkShape, chip: Target, rule: rules.ShapeRule) -> list[Finding]:
    return [finding for finding in rules.check_shape(made, chip) if finding.rule == (rule.__doc__ or "").strip()]


def limited(chip: Target, **limits: float) -> Target:
    given = {name: getattr(chip.limits, name).model_copy(update={"value": value}) for name, value in limits.items()}
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=given)})


def test_the_page_of_rules_is_the_one_generated_from_the_docstrings() -> None:
    page = Path(__file__).parents[2] / "docs" / "rules.md"
    assert page.read_text(encoding="utf-8") == rules.page(), "run: python -m asrc_export.chip.rules > docs/rules.md"


def test_a_network_that_fits_has_nothing_that_blocks() -> None:
    for chip in (LOIHI1, LOIHI2):
        assert not [finding for finding in rules.check_shape(shape(), chip) if finding.blocks]


def test_a_weight_width_that_no_synapse_stores_is_told_with_the_nearest_that_one_does() -> None:
    findings = found(shape(bits=7), LOIHI1, stored_weight_width)
    assert [finding.layer for finding in findings] == ["layer0", "layer1", "readout"]
    assert all(finding.way_out == "`bits=8`" for finding in findings)
    assert not found(shape(bits=7), LOIHI2, stored_weight_width)


@pytest.mark.parametrize(
    ("span", "mapping", "way_out"),
    [
        (
            33,
            "delay-line",
            "`mapping='synaptic-delay'` (spans up to 63), or train with `kernel_length=32` or less (src: `span=32`)",
        ),
        (64, "delay-line", "train with `kernel_length=32` or less (src: `span=32`)"),
        (64, "synaptic-delay", "train with `kernel_length=63` or less (src: `span=63`)"),
    ],
)
def test_a_span_beyond_the_mapping_blocks(span: int, mapping: Mapping, way_out: str) -> None:
    findings = found(shape(span=span, mapping=mapping), LOIHI2, spike_history)
    assert [(finding.value, finding.way_out, finding.blocks) for finding in findings] == [
        (f"span {span}", way_out, True)
    ] * 2
    assert not found(shape(span=32), LOIHI2, spike_history)


def test_several_spans_at_once_need_graded_spikes() -> None:
    network = random_network(0, widths=(8, 8), spans=([(2, 3), (9, 1)], 4), steps=5, input_range=(0, 1))
    (finding,) = found(of_network(network), LOIHI1, graded_recurrence)
    assert (finding.layer, finding.value, finding.limit) == ("layer0", "2 spans, messages of 3 bits", "binary")
    assert finding.blocks
    assert "one span for each layer, or use loihi2" in finding.way_out
    assert not found(of_network(network), LOIHI2, graded_recurrence)
    with pytest.raises(RulesBroken, match="payload of a graded spike"):
        rules.require(network, LOIHI1)


def test_more_spans_at_once_than_a_delay_line_has_taps_are_refused_with_the_number_that_it_has() -> None:
    (finding,) = found(tapped(shape(), 9), LOIHI2, taps_of_a_delay_line)
    assert (finding.value, finding.limit, finding.blocks) == ("9 spans at once", "8", True)


def test_several_spans_at_once_are_no_synaptic_delays() -> None:
    made = tapped(shape(mapping="synaptic-delay"), 3)
    (finding,) = found(made, LOIHI2, several_spans)
    assert (finding.layer, finding.way_out, finding.blocks) == ("layer0", "`mapping='delay-line'`", True)
    assert not found(made.under("delay-line"), LOIHI2, several_spans)


def test_a_delay_line_on_neurons_without_a_program_is_told_but_does_not_block() -> None:
    findings = found(shape(), LOIHI1, delay_line_state)
    assert [finding.blocks for finding in findings] == [False, False]
    assert "synaptic-delay" in findings[0].way_out
    assert not found(shape(mapping="synaptic-delay"), LOIHI1, delay_line_state)
    assert not found(shape(), LOIHI2, delay_line_state)


def test_states_beside_the_membrane_leave_less_of_a_word_for_a_delay_line() -> None:
    first = replace(shape().layers[0], state_bits=(24, 24))
    made = replace(shape(), layers=(first, *shape().layers[1:]))
    (finding,) = found(made, LOIHI2, delay_line_state)
    assert (finding.layer, finding.limit, finding.blocks) == ("layer0", "16 bits (inferred)", False)


def test_a_loop_shorter_than_its_connections_is_told_with_the_lag_that_would_do() -> None:
    back = ConnectionShape("layer1", 128, 8, 1, 1, "synaptic-delay", recurrent=True)
    first, *rest = shape().layers
    loop = replace(first, connections=(*first.connections, back))
    for chip, blocks in ((LOIHI1, True), (LOIHI2, False)):  # neurons with a program can wait for their turn
        (finding,) = found(replace(shape(), layers=linked([loop, *rest])), chip, short_loop)
        assert (finding.layer, finding.value, finding.limit) == ("layer0", "lag 1 from 'layer1'", "at least 2")
        assert finding.blocks is blocks
    longer = replace(loop, connections=(*first.connections, replace(back, lag=2, least_lag=2)))
    assert not found(replace(shape(), layers=linked([longer, *rest])), LOIHI1, short_loop)


@pytest.mark.parametrize(
    ("kind", "weighted", "value"),
    [
        ("izhikevich", False, "kind 'izhikevich'"),
        ("resonator", False, "kind 'resonator', whose states turn"),
        ("integrator", True, "kind 'integrator' with weights over time"),
    ],
)
def test_kinds_that_fixed_neurons_do_not_compute_are_refused_and_programs_run_all(
    kind: str, weighted: bool, value: str
) -> None:
    first, *rest = shape().layers
    made = replace(shape(), layers=(replace(first, kind=kind, weighted_steps=weighted), *rest))
    (finding,) = found(made, LOIHI1, kind_of_neuron)
    assert (finding.layer, finding.value.split(":")[0], finding.blocks) == ("layer0", value, True)
    assert "inferred" in finding.limit
    assert not found(made, LOIHI2, kind_of_neuron)
    assert not found(made, LOIHI1.model_copy(update={"neurons": None}), kind_of_neuron)  # a target that does not say


def test_a_current_and_a_membrane_are_what_fixed_neurons_have() -> None:
    first, *rest = shape().layers
    made = replace(shape(), layers=(replace(first, kind="cuba-lif", state_bits=(24, 24)), *rest))
    assert not [finding for finding in rules.check_shape(made, LOIHI1) if finding.blocks]


def test_states_wider_than_a_register_are_refused_where_neurons_are_fixed() -> None:
    first, *rest = shape().layers
    made = replace(shape(), layers=(replace(first, state_bits=(24, 32)), *rest))
    (finding,) = found(made, LOIHI1, state_width)
    assert (finding.value, finding.limit, finding.blocks) == ("32 bits", "24 bits", True)
    assert not found(made, LOIHI2, state_width)


def test_constants_of_single_neurons_beyond_the_sets_of_a_core_are_told() -> None:
    first, *rest = shape().layers
    (finding,) = found(replace(shape(), layers=(replace(first, groups=9), *rest)), LOIHI1, constants_of_neurons)
    assert (finding.value, finding.limit) == ("9 sets for 64 neurons", "8 a core (uncertain)")
    assert not finding.blocks
    assert not found(replace(shape(), layers=(replace(first, groups=8), *rest)), LOIHI1, constants_of_neurons)


def test_numbers_that_neurons_send_need_graded_spikes() -> None:
    first, second, *rest = shape().layers
    forward, *back = second.connections
    numbers = replace(forward, graded=True, largest_message=100)
    made = replace(shape(), layers=(first, replace(second, connections=(numbers, *back)), *rest))
    (finding,) = found(made, LOIHI1, graded_neurons)
    assert (finding.layer, finding.value) == ("layer1", "messages of 7 bits from 'layer0'")
    assert not found(made, LOIHI2, graded_neurons)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_of_any_network_all_rules_can_be_asked(seed: int) -> None:
    network = any_network(seed)
    for chip in (LOIHI1, LOIHI2):
        for finding in rules.check(network, chip):
            assert finding.layer in [*network.names, "network"]
            assert "\n" not in str(finding)


def test_delay_bits_that_cost_neurons_are_told_with_the_span_that_would_not() -> None:
    (finding,) = found(shape((64, 212), span=51, mapping="synaptic-delay"), LOIHI1, delay_bits_against_neurons)
    assert finding.layer == "layer1"
    assert finding.limit == "128 a core"
    assert "spans up to 32" in finding.way_out  # 5 bits leave 256 neurons, 6 bits 128
    assert not finding.blocks
    assert not found(shape((64, 212), span=51), LOIHI1, delay_bits_against_neurons)
    none_left = limited(LOIHI1, delay_slots_per_core=32)
    assert all(
        finding.blocks
        for finding in found(shape(span=51, mapping="synaptic-delay"), none_left, delay_bits_against_neurons)
    )


@pytest.mark.parametrize(
    ("hidden", "layer", "width"),
    [((64, 400), "layer1", 336), ((500,), "layer0", 399)],
)
def test_a_layer_that_fits_no_core_is_told_the_largest_width_that_does(
    hidden: tuple[int, ...], layer: str, width: int
) -> None:
    chip = limited(LOIHI1, input_axons_per_core=400)
    findings = found(shape(hidden), chip, single_neuron)
    assert findings[0].layer == layer
    assert findings[0].blocks
    assert findings[0].way_out == f"largest width that fits: {width:,}"
    assert not found(shape((*hidden[:-1], width)), chip, single_neuron)
    assert found(shape((*hidden[:-1], width + 1)), chip, single_neuron)


def test_a_network_for_more_chips_than_any_system_has_is_told() -> None:
    small = limited(LOIHI1, chips=1, cores_per_chip=2)
    (finding,) = found(shape((300, 300, 300)), small, cores_of_a_system)
    assert finding.blocks
    assert "chips" in finding.value
    assert not found(shape(), small, cores_of_a_system)


def test_constants_off_the_targets_grids_are_told() -> None:
    made = contract_chain(random_network(0, widths=(4,), spans=(2,), steps=5, threshold=64))
    assert not [finding for finding in rules.check(made.network(), LOIHI2) if finding.blocks]
    off = replace(made, layers=(replace(made.layers[0], threshold=65),)).network()
    with pytest.raises(RulesBroken, match=r"layer0: Thresholds.*Here: 65, limit: multiples of 64"):
        rules.require(off, LOIHI2)
    bias = made.layers[0].bias.copy()
    bias[1] = 2**19 - 1
    off = replace(made, layers=(replace(made.layers[0], bias=bias),)).network()
    with pytest.raises(RulesBroken, match=r"layer0: Biases.*1 of 4 biases, such as 524287"):
        rules.require(off, LOIHI2)


def test_a_soft_reset_is_told_where_it_takes_a_second_compartment() -> None:
    soft, hard = (random_network(0, widths=(6, 5), spans=(1, 1), steps=5, reset=reset) for reset in ("soft", "hard"))
    told = [each for each in rules.check(soft, LOIHI1) if "resets softly" in each.rule]
    assert [(each.layer, each.value, each.blocks) for each in told] == [
        ("layer0", "6 neurons of 2 compartments each (second-hand)", False),
        ("layer1", "5 neurons of 2 compartments each (second-hand)", False),
    ]
    assert not [each for each in rules.check(soft, LOIHI2) if "resets softly" in each.rule]
    assert not [each for each in rules.check(hard, LOIHI1) if "resets softly" in each.rule]


def test_a_recipe_that_fits_is_checked_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_export.main(["--check", "digits", "--target", "loihi2"]) == 0
    printed = capsys.readouterr().out
    for part in ("fits loihi2", "layer2", "spike history", "synaptic-delay", "at least"):
        assert part in printed


def test_a_recipe_that_fits_but_for_what_is_noted_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_export.main(["--check", "digits", "--target", "loihi1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("note: ") == 4
    assert printed.endswith("fits loihi1 under the delay-line mapping, but for the 4 limits noted above\n")


def test_a_recipe_that_does_not_fit_is_refused_with_every_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wide.toml"
    path.write_text('[data]\nname = "digits"\n[network]\nhidden = [64, 4100]\nkernel_length = 40\n')
    assert cli_export.main(["--check", str(path), "--target", "loihi1", "--bits", "7"]) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    for part in ("breaks 7 limits", "7 bits", "span 40", "width that fits: 4,032", "width of layer1 that fits: 4,032"):
        assert part in captured.err
    assert "fits loihi1" not in captured.out


def test_a_recipe_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_export.main(["--check", "absent.toml"]) == 1
    assert "absent.toml" in capsys.readouterr().err
    assert cli_export.main(["--check", "digit"]) == 1
    assert "digits" in capsys.readouterr().err
