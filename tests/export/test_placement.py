"""Placement keeps every budget, places every neuron once, and stays close to what no placement can beat."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asrc_core.contract.numbers import Mapping
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import RulesBroken
from asrc_export.chip import placement, targets
from asrc_export.chip.placement import Placement, place, traffic
from asrc_export.chip.placement.bound import fewest_cores, lower_bound
from asrc_export.chip.shape import (
    ConnectionShape,
    LayerShape,
    NetworkShape,
    chain,
    delay_bits,
    mapped,
    of_network,
    of_recipe,
)
from asrc_export.chip.shape.linked import linked
from asrc_export.chip.targets import Encoding, Quantity, Target
from asrc_train import data
from asrc_train.settings import config, recipe

MAPPINGS: tuple[Mapping, ...] = ("delay-line", "synaptic-delay")
PAPER = {  # hidden widths, channels, classes, span: the paper's tables 3 and 5
    "S-MNIST": ((64, 128, 128), 1, 10, 32),
    "S-MNIST large": ((64, 212, 212), 1, 10, 12),
    "PS-MNIST": ((64, 128, 128), 1, 10, 25),
    "PS-MNIST large": ((64, 212, 212), 1, 10, 16),
    "SSC": ((256, 256, 256), 140, 35, 6),
    "SSC long": ((256, 256, 256), 140, 35, 27),
    "GSC": ((128, 128, 128), 40, 12, 4),
    "GSC long": ((128, 128, 128), 40, 12, 21),
    "SCIFAR": ((128,) * 6, 3, 10, 16),
}


def layers(
    hidden: tuple[int, ...],
    channels: int,
    classes: int,
    span: int,
    bits: int = 8,
    mapping: Mapping = "delay-line",
) -> tuple[LayerShape, ...]:
    return chain(channels, hidden, [span] * len(hidden), classes, bits, mapping)


def changed(chip: Target, **limits: float | None) -> Target:
    """The target with other limits; None takes a limit away."""
    given: dict[str, Any] = {}
    for name, value in limits.items():
        was = getattr(chip.limits, name)
        kept = was if was is not None else Quantity(value=0, unit="any", source="test", certainty="inferred")
        given[name] = None if value is None else kept.model_copy(update={"value": float(value), "alternatives": ()})
    return chip.model_copy(update={"limits": chip.limits.model_copy(update=given)})


def rows_of(chip: Target, each: ConnectionShape, bits: int, neurons: int, share: int) -> int:
    """Memory of a share's rows, block by block; sparse where that takes less for all neurons and for these."""

    def rows(encoding: Encoding, counts: list[int]) -> int:
        word, block, whole = encoding.word.count, encoding.block_synapses, 0
        for left in counts:
            while left:
                stored = min(left, block.count if block else left)
                whole += -(-(stored * (bits + encoding.overhead.count) + encoding.block_prefix.count) // word) * word
                left -= stored
        return whole

    dense, sparse = chip.synapses.dense, chip.synapses.sparse
    all_of_it = rows(dense, [share] * each.inputs)
    if sparse is None or each.fan_out is None:
        return all_of_it
    there = [count for count, sources in each.fan_out for _ in range(sources)]
    if rows(sparse, there) >= rows(dense, [neurons] * each.inputs):
        return all_of_it
    return min(all_of_it, rows(sparse, [min(count, share) for count in there]))


def reckoned(placed: Placement, shapes: tuple[LayerShape, ...], chip: Target) -> list[dict[str, int]]:
    """Every core's use, worked out anew from the shares alone, synapse by synapse where that matters."""
    homes = {layer.name: placed.cores_of(layer.name) for layer in shapes}
    at = {layer.name: layer for layer in shapes}
    found = []
    for core in placed.cores:
        use = dict.fromkeys(placed.limits, 0)
        bits_of_delay = 0
        for share in core.shares:
            layer = at[share.layer]
            synaptic = 0
            for each in layer.connections:
                delay = 0 if each.lag and each.mapping == "delay-line" else delay_bits(each.wait)
                bits_of_delay = max(bits_of_delay, delay)
                synaptic += rows_of(chip, each, each.weight_bits + delay, layer.neurons, share.neurons)
            receivers = [
                there
                for other in shapes
                for each in other.connections
                if each.source == layer.name
                for there in homes[other.name]
            ]
            output = share.neurons * len(receivers)
            routing = 0
            if chip.axon_tables is not None:
                routing = layer.sources * chip.axon_tables.input.count + output * chip.axon_tables.output.count
            if chip.limits.core_memory_per_neuron is not None:
                entry, state = chip.limits.core_memory_per_neuron.count, sum(layer.state_bits) + 32 * layer.line
                routing += share.neurons * entry * -(-state // entry)
            away = sum(there.seat.chip != core.seat.chip for there in receivers)
            amounts = {
                "neurons": share.neurons,
                "synaptic_memory": synaptic,
                "core_memory": synaptic + routing,
                "input_axons": layer.sources,
                "output_axons": output,
                "output_axons_to_other_chips": share.neurons * away,
                "neuron_groups": min(share.neurons, layer.groups),
                "synapse_formats": len(layer.connections),
            }
            for name in use:
                use[name] += amounts.get(name, 0)
        if "delay_slots" in use:
            use["delay_slots"] = sum(share.neurons for share in core.shares) * 2**bits_of_delay
        found.append(use)
    return found


@st.composite
def networks(draw: st.DrawFn) -> tuple[LayerShape, ...]:
    hidden = tuple(draw(st.lists(st.integers(1, 120), min_size=1, max_size=5)))
    channels, classes = draw(st.integers(1, 60)), draw(st.integers(1, 30))
    return layers(hidden, channels, classes, draw(st.integers(1, 32)), draw(st.sampled_from([2, 4, 8])))


@st.composite
def chips(draw: st.DrawFn) -> Target:
    chip = targets.load(draw(st.sampled_from(["loihi1", "loihi2"])))
    some: dict[str, st.SearchStrategy[int | None]] = {
        "cores_per_chip": st.integers(1, 12),
        "neurons_per_core": st.integers(1, 150),
        "synaptic_memory_per_core": st.integers(4_000, 400_000),
        "input_axons_per_core": st.integers(60, 600),
        "output_axons_per_core": st.integers(60, 2_000),
        "output_axons_to_other_chips": st.one_of(st.none(), st.integers(60, 1_000)),
        "neuron_groups_per_core": st.one_of(st.none(), st.integers(1, 4)),
        "synapse_formats_per_core": st.one_of(st.none(), st.integers(2, 7)),
    }
    return changed(chip, **{name: draw(strategy) for name, strategy in some.items() if draw(st.booleans())})


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(networks(), chips(), st.sampled_from(MAPPINGS))
def test_no_budget_is_ever_exceeded_and_every_neuron_has_one_place(
    shapes: tuple[LayerShape, ...], chip: Target, mapping: Mapping
) -> None:
    try:
        placed = place(shapes, chip, mapping)
    except RulesBroken as error:
        assert chip.name in str(error)
        return
    for core, use in zip(placed.cores, reckoned(placed, mapped(shapes, mapping), chip), strict=True):
        assert core.used == use
        for name, limit in placed.limits.items():
            assert use[name] <= limit, name
    for layer in shapes:
        shares = [share for core in placed.cores for share in core.shares if share.layer == layer.name]
        neurons = [n for share in shares for n in range(share.first, share.first + share.neurons)]
        assert sorted(neurons) == list(range(layer.neurons))
        assert len(placed.cores_of(layer.name)) == len(shares)
    seats = [(core.seat.chip, core.seat.index) for core in placed.cores]
    assert len(set(seats)) == len(seats)
    assert all(index < chip.limits.cores_per_chip.count for _, index in seats)
    assert 1 <= placed.lower_bound <= len(placed.cores)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), chips())
def test_any_network_keeps_every_budget_and_the_bound_is_below(seed: int, chip: Target) -> None:
    shapes = of_network(any_network(seed, max_width=90)).layers
    try:
        placed = place(shapes, chip)
    except RulesBroken as error:
        assert chip.name in str(error)
        return
    for core, use in zip(placed.cores, reckoned(placed, shapes, chip), strict=True):
        assert core.used == use
        assert all(use[name] <= limit for name, limit in placed.limits.items())
    for layer in shapes:
        shares = [share for core in placed.cores for share in core.shares if share.layer == layer.name]
        assert sum(share.neurons for share in shares) == layer.neurons
    assert 1 <= placed.lower_bound <= len(placed.cores)
    pairs = {(each.source, layer.name) for layer in shapes for each in layer.connections if each.source != INPUT}
    assert {(route.sender, route.receiver) for route in placed.routes} == pairs


def wired(name: str, *connections: ConnectionShape, neurons: int = 8, **settings: Any) -> LayerShape:
    return LayerShape(name, neurons, connections, **settings)


def test_what_skips_a_layer_waits_for_it_and_feedback_waits_less() -> None:
    shapes = linked(
        [
            wired(
                "a",
                ConnectionShape(INPUT, 2, 8),
                ConnectionShape("c", 8, 8, 5, 5, "synaptic-delay", recurrent=True),
            ),
            wired("b", ConnectionShape("a", 8, 8)),
            wired("c", ConnectionShape("b", 8, 8), ConnectionShape("a", 8, 8)),
        ]
    )
    assert [layer.start for layer in shapes] == [0, 1, 2]
    assert [each.wait for layer in shapes for each in layer.connections] == [0, 2, 0, 0, 1]
    assert [layer.delay_bits for layer in shapes] == [2, 0, 1]
    assert not any(layer.line for layer in shapes)


def test_one_delay_line_serves_all_connections_that_read_it() -> None:
    shapes = linked(
        [
            wired("a", ConnectionShape(INPUT, 2, 8, 3, 3), ConnectionShape("a", 8, 8, 4, 4, recurrent=True)),
            wired("b", ConnectionShape("a", 8, 8, 2, 2), ConnectionShape("b", 8, 8, 2, 2, "synaptic-delay", True)),
        ]
    )
    assert [layer.line for layer in shapes] == [True, False]
    assert [layer.neuron_bits for layer in shapes] == [24 + 32, 24]


def test_neurons_that_share_no_constants_are_few_on_a_core() -> None:
    shapes = linked([wired("a", ConnectionShape(INPUT, 2, 8), neurons=40, groups=40)])
    assert len(place(shapes, targets.load("loihi1")).cores) == 5  # eight sets of constants a core
    assert lower_bound(shapes, targets.load("loihi1")) == 5


def test_states_beyond_a_word_of_core_memory_take_another() -> None:
    one = linked([wired("a", ConnectionShape(INPUT, 1, 8), neurons=60, state_bits=(24,))])
    two = linked([wired("a", ConnectionShape(INPUT, 1, 8), neurons=60, state_bits=(24, 24, 24))])
    used = [place(shapes, targets.load("loihi2")).cores[0].used["core_memory"] for shapes in (one, two)]
    assert used[1] - used[0] == 60 * 64


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize("network", PAPER)
def test_the_papers_networks_take_at_most_a_fifth_more_cores_than_the_bound(
    network: str, name: str, mapping: Mapping
) -> None:
    placed = place(layers(*PAPER[network]), targets.load(name), mapping)
    assert len(placed.cores) <= 1.2 * placed.lower_bound
    assert placed.chips == 1


def test_the_same_network_is_placed_the_same_way_twice() -> None:
    shapes, chip = layers((200, 300), 20, 10, 16), targets.load("loihi1")
    assert place(shapes, chip, "delay-line") == place(shapes, chip, "delay-line")


def test_a_bound_is_never_above_a_placement_that_somebody_found() -> None:
    # 128 neurons and their 6 delay bits fill a core's 8192 slots: two layers of 128 take two cores, no more.
    shapes, chip = layers((128, 128), 1, 2, 63), targets.load("loihi1")
    assert lower_bound(mapped(shapes, "synaptic-delay"), chip) <= 3
    assert len(place(shapes, chip, "synaptic-delay").cores) == 3  # the readout has no slot left beside them
    assert len(place(shapes, chip, "delay-line").cores) == 1


def test_delay_bits_are_traded_against_the_neurons_of_a_core() -> None:
    shapes, chip = layers((64, 212, 212), 1, 10, 51), targets.load("loihi1")
    placed = place(shapes, chip, "synaptic-delay")
    assert all(sum(share.neurons for share in core.shares) <= 128 for core in placed.cores)
    assert len(placed.cores) > len(place(shapes, chip, "delay-line").cores)


def test_a_layer_that_no_number_of_cores_holds_is_refused_by_name() -> None:
    with pytest.raises(RulesBroken, match=r"layer1: no number of cores holds it.*4,300 of 4,096 input axons"):
        place(layers((300, 4000), 1, 10, 16), targets.load("loihi1"), "delay-line")


def test_both_mappings_are_placed_side_by_side_or_say_why_not() -> None:
    chip = changed(targets.load("loihi1"), delay_slots_per_core=16)
    found = placement.compared(layers((8, 8), 1, 2, 32), chip)
    assert not isinstance(found["delay-line"], str)
    assert "delay slots" in str(found["synaptic-delay"])
    found = placement.compared(layers((8, 8), 1, 2, 33), targets.load("loihi2"))
    assert "span 33" in str(found["delay-line"])
    assert not isinstance(found["synaptic-delay"], str)


def test_a_core_sends_no_more_to_other_chips_than_allowed() -> None:
    chip = changed(targets.load("loihi1"), cores_per_chip=2, output_axons_to_other_chips=700)
    shapes = layers((300, 300, 300), 4, 10, 16)
    placed = place(shapes, chip, "delay-line")
    assert placed.chips > 1
    uses = [core.used["output_axons_to_other_chips"] for core in placed.cores]
    assert 0 < max(uses) <= 700


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("loihi1", 1.2), ("loihi2", 1.2)])
def test_a_hundred_thousand_neurons_are_placed(name: str, most: float) -> None:
    placed = place(layers((1000,) * 100, 3, 10, 16), targets.load(name), "delay-line")
    assert sum(share.neurons for core in placed.cores for share in core.shares) == 100_010
    assert all(core.used[budget] <= limit for core in placed.cores for budget, limit in placed.limits.items())
    assert len(placed.cores) <= most * placed.lower_bound


def test_a_shape_is_the_same_from_a_recipe_as_from_the_network_that_comes_of_it() -> None:
    settings_ = config.from_recipe(recipe.find("digits"), {})
    planned = of_recipe(settings_, data.shape("digits"), 8, "delay-line")
    network = random_network(0, channels=1, spans=(16, 16, 16), classes=10, steps=64, input_range=(0, 16))
    found = of_network(network)  # only its weights tell which of them are 0
    whole = [
        replace(each, connections=tuple(replace(c, fan_out=None) for c in each.connections)) for each in found.layers
    ]
    assert planned == replace(found, layers=tuple(whole))
    assert planned.neurons == 320
    assert isinstance(planned, NetworkShape)


@pytest.mark.parametrize(
    ("name", "synapses", "bits", "rows", "words"),
    [
        ("loihi1", 256, 8, 1, 36),  # nengo-loihi's formula
        ("loihi1", 256, 14, 1, 60),  # and with 6 delay bits
        ("loihi2", 100, 3, 2560, 61440),  # printed by the compiler: PilotNet LIF, first dense layer
        ("loihi2", 50, 4, 100, 1300),  # the second
        ("loihi2", 100, 4, 2560, 66560),  # PilotNet SDNN
        ("loihi2", 256, 8, 200, 16200),  # Oxford
        ("loihi2", 64, 8, 128, 2688),  # MNIST, 16.80 % of 16000
        ("loihi2", 50, 8, 784, 12544),  # MNIST, 78.40 % of 16000
    ],
)
def test_rows_of_synapses_take_the_words_that_tools_print(
    name: str, synapses: int, bits: int, rows: int, words: int
) -> None:
    assert targets.load(name).synapses.dense.row_words(synapses, bits) * rows == words


def test_the_fewest_cores_of_a_layer_count_the_cores_that_it_sends_to() -> None:
    chip = changed(targets.load("loihi1"), output_axons_per_core=100)
    least = fewest_cores(layers((90,), 1, 10, 4), chip)
    # n neurons a core send to ceil(90 / n) cores of their own and to the readout's: at most 10 (ceil(100 / 10)).
    assert least[0].cores == 9
    assert least[1].cores == 1


def test_neighbours_on_the_path_of_tiles_are_neighbours_on_the_mesh() -> None:
    chip = targets.load("loihi1")
    seats = traffic.seats(range(128), chip)
    assert len({(seat.row, seat.column) for seat in seats}) == 32
    tiles = [(seat.row or 0, seat.column or 0) for seat in seats]
    assert all(abs(a - c) + abs(b - d) <= 1 for (a, b), (c, d) in pairwise(tiles))


def test_a_route_averages_the_way_over_the_sending_neurons() -> None:
    seats = traffic.seats([0, 16, 127, 130], targets.load("loihi1"))
    assert [(seat.chip, seat.row, seat.column) for seat in seats] == [(0, 0, 0), (0, 3, 1), (0, 0, 7), (1, 0, 0)]
    route = traffic.route("a", "b", [3, 1], seats[:2], seats[2:])
    assert (route.messages, route.messages_to_other_chips) == (2, 1)
    assert route.hops_east_west == pytest.approx((3 * 7 + 1 * 6) / 4)
    assert route.hops_north_south == pytest.approx((3 * 0 + 1 * 3) / 4)
    assert route.farthest_hops == (6, 3)


def test_a_target_without_a_mesh_has_no_tiles() -> None:
    placed = place(layers((64,), 1, 10, 16), targets.load("loihi2"), "delay-line")
    seat = placed.cores[0].seat
    assert seat.row is seat.column is None
    assert seat.chip == seat.index == 0
