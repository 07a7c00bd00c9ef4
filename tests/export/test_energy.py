"""Energy and time: counted events times cited constants, as a range, and never a joule without a source."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asrc_core.contract.interpreter import Hooks, run
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.result import LayerCounts
from asrc_core.contract.synapses.connection import INPUT, Connection, Tap, span
from asrc_export.chip import targets
from asrc_export.chip.cost import arrivals, energy
from asrc_export.chip.cost.events import Events, events
from asrc_export.chip.cost.latency import latency
from asrc_export.chip.placement import Placement, place
from asrc_export.chip.shape import of_network
from asrc_export.engines import numpy as engine
from asrc_export.report.cost import energy as reported
from asrc_export.report.cost.latency import UnknownLatency

LOIHI1, LOIHI2 = targets.load("loihi1"), targets.load("loihi2")
CMOS = targets.load_baseline("cmos45nm")
SAMPLES, STEPS = 3, 12

Case = tuple[IntegerNetwork, tuple[LayerCounts, ...], Placement]


@pytest.fixture(scope="module")
def case() -> Case:
    """A network on several cores, what happened in it, and where it lies."""
    network = random_network(1, channels=2, widths=(120, 256, 256), spans=(2, 4, 3), classes=10, steps=STEPS)
    x = np.random.default_rng(0).integers(0, 256, (SAMPLES, STEPS, 2))
    counts = engine.run(network, x).counts
    assert all(count.spikes for count in counts[:-1])
    placed = place(of_network(network).layers, LOIHI1)
    assert len(placed.cores) > 1
    return network, counts, placed


def test_events_are_the_engines_counts_for_one_sample(case: Case) -> None:
    network, counts, _ = case
    first, second, _, readout = events(network, counts, SAMPLES)
    assert first.graded_operations == counts[0].feedforward_operations / SAMPLES
    assert first.feedforward_operations == 0
    assert second.graded_operations == 0
    assert second.feedforward_operations == counts[1].feedforward_operations / SAMPLES
    assert second.recurrent_operations == counts[1].recurrent_operations / SAMPLES
    assert second.messages == second.spikes == counts[1].spikes / SAMPLES
    assert readout.neuron_updates == STEPS * 10
    assert readout.spikes == 0


def test_a_spike_is_one_message_to_each_core_that_it_goes_to(case: Case) -> None:
    network, counts, placed = case
    found = events(network, counts, SAMPLES, placed)
    names = ["layer0", "layer1", "layer2", "readout"]
    cores = [len(placed.cores_of(name)) for name in names]
    for i in range(3):
        returned = counts[i].recurrent_operations / network.layers[i].neurons
        expected = (returned * cores[i] + counts[i].spikes * cores[i + 1]) / SAMPLES
        assert found[i].messages == pytest.approx(expected)
    assert found[3].messages == 0


def test_binary_inputs_are_additions() -> None:
    network = random_network(0, widths=(5,), spans=(2,), steps=4, input_range=(0, 1))
    counts = engine.run(network, np.ones((1, 4, 1), np.int64)).counts
    first = events(network, counts, 1)[0]
    assert first.feedforward_operations == 4 * 5
    assert first.graded_operations == 0


def test_what_several_taps_send_is_multiplied_not_added() -> None:
    network = random_network(0, widths=(30,), spans=([(1, 2), (3, 1)],), steps=12, input_range=(0, 1))
    counts = engine.run(network, np.ones((1, 12, 1), np.int64)).counts
    first = events(network, counts, 1)[0]
    assert first.graded_operations == counts[0].recurrent_operations > 0
    assert first.recurrent_operations == 0
    estimate = energy.on_chip(network, counts, 1, LOIHI1)
    assert estimate is not None
    assert "not products of graded messages" in estimate.covers


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_events_of_any_network_are_all_that_was_counted_and_graded_where_messages_are(seed: int) -> None:
    network = any_network(seed)
    low, high = network.input.minimum, network.input.maximum
    x = np.random.default_rng(seed).integers(low, high + 1, (2, network.steps, network.input.channels))
    counts = engine.run(network, x).counts
    for i, (each, count) in enumerate(zip(events(network, counts, 2), counts, strict=True)):
        operations = count.feedforward_operations + count.recurrent_operations
        assert each.feedforward_operations + each.recurrent_operations + each.graded_operations == pytest.approx(
            operations / 2
        )
        messages = [connection.message(network.sent(connection.source)) for connection in network.layers[i].connections]
        if all(message.low < 0 or message.high > 1 for message in messages):
            assert each.graded_operations == pytest.approx(operations / 2)
        if not any(message.low < 0 or message.high > 1 for message in messages):
            assert each.graded_operations == 0


def test_connections_of_one_layer_share_its_count_by_what_their_sources_sent() -> None:
    """Graded inputs beside spikes of a layer, both into the second layer: each is told from the other exactly."""
    rng = np.random.default_rng(0)

    def lif(name: str, *connections: Connection) -> Layer:
        constants = {"bias": 0, "decay": 2048, "threshold": 100, "activation_shift": 0, "reset": "soft"}
        return Layer(name, connections, Neuron("lif", constants))

    def weights(rows: int, columns: int) -> NDArray[np.int64]:
        return 2 * rng.integers(-60, 90, (rows, columns))

    first = lif("a", Connection(INPUT, weights(6, 3), 0, 8))
    second = lif("b", Connection("a", weights(5, 6), 0, 8), Connection(INPUT, weights(5, 3), 0, 8))
    out = Layer("out", (Connection("b", weights(2, 5), 0, 8),), Neuron("integrator", {"bias": 0}))
    network = IntegerNetwork(InputFormat(3, 0, 9, 1.0), (first, second, out), "loihi2", 15)
    x = rng.integers(0, 10, (4, 15, 3))
    counts = engine.run(network, x).counts
    assert counts[0].spikes
    found = events(network, counts, 4)[1]
    assert found.feedforward_operations == counts[0].spikes * 5 / 4
    assert found.graded_operations == np.count_nonzero(x) * 5 / 4


def test_energy_is_events_times_cited_constants(case: Case) -> None:
    network, counts, placed = case
    estimate = energy.on_chip(network, counts, SAMPLES, LOIHI1, placed)
    assert estimate is not None
    total = sum(events(network, counts, SAMPLES, placed), Events())
    operations = total.feedforward_operations + total.recurrent_operations
    common = 3.0 * total.hops_east_west
    low = common + 23.6 * operations + 52 * total.neuron_updates + 1.7 * total.messages + 4.0 * total.hops_north_south
    high = common + 35.5 * operations + 81 * total.neuron_updates + 111 * total.messages + 4.2 * total.hops_north_south
    assert estimate.low_nj == pytest.approx(low / 1000)
    assert estimate.high_nj == pytest.approx(high / 1000)
    assert estimate.basis == "modelled"
    assert "static power" in estimate.covers.split("not ")[1]
    assert any("Davies" in source for source in estimate.sources)
    assert any("SANA-FE" in source for source in estimate.sources)
    assert sum(part[0] for part in estimate.breakdown.values()) == pytest.approx(estimate.low_nj)


def test_no_joule_and_no_second_is_given_for_a_target_without_published_ones(case: Case) -> None:
    network, counts, placed = case
    assert energy.on_chip(network, counts, SAMPLES, LOIHI2, placed) is None
    assert latency(network, counts, SAMPLES, STEPS, LOIHI2, placed) is None
    found = reported.of(network, counts, SAMPLES, STEPS, LOIHI2)
    assert found.targets_without_published_prices == ("loihi2",)
    assert [each.basis for each in found.latency] == [None, "modelled"]
    assert found.events_per_sample[1].spikes > 0
    assert found.events_on == "loihi1"


def test_the_events_shown_are_those_that_were_priced() -> None:
    """With a mask's weights alone, which loihi1 stores sparsely, whatever the network's own target does."""
    rng = np.random.default_rng(2)
    mask = rng.random((150, 150)) < 0.1
    neuron = Neuron("lif", {"bias": 0, "decay": 500, "threshold": 50, "activation_shift": 0, "reset": "soft"})
    fed = Connection(INPUT, 2 * rng.integers(0, 40, (150, 3)), 0, 8)
    back = Connection("layer", 2 * rng.integers(1, 20, (150, 150)) * mask, 0, 8, span(2))
    readout = Connection("layer", 2 * np.ones((2, 150), np.int64), 0, 8)
    layers = (Layer("layer", (fed, back), neuron), Layer("out", (readout,), Neuron("integrator", {"bias": 0})))
    network = IntegerNetwork(InputFormat(3, 0, 1, 1.0), layers, "loihi2", 15)
    x = rng.integers(0, 2, (4, 15, 3))
    result = engine.run(network, x, trace=True)
    assert result.trace is not None
    exact = arrivals.operations(network, x, [each.spikes for each in result.trace.layers])
    found = reported.of(network, result.counts, 4, 15, LOIHI2, exact)
    price = LOIHI1.energy.synaptic_operation if LOIHI1.energy else None
    assert price is not None
    for kind, name in (("feedforward", "feed-forward"), ("recurrent", "recurrent")):
        operations = sum(getattr(each, f"{kind}_operations") for each in found.events_per_sample)
        priced = found.estimates[0].breakdown[f"synaptic operations, {name}"]
        assert priced[0] == pytest.approx(operations * price.lowest / 1000)
    hops = sum(each.hops_east_west for each in found.events_per_sample)
    assert found.estimates[0].breakdown["hops, east-west"][0] == pytest.approx(hops * 3.0 / 1000)
    note = next(each.note for each in reported.tables(found) if each.key == "events")
    assert note.startswith("Those of loihi1")


def test_a_network_that_fits_no_chip_with_times_is_told_so() -> None:
    network = random_network(1, channels=5000, widths=(4,), spans=(2,), classes=2, steps=3, input_range=(0, 1))
    counts = engine.run(network, np.ones((1, 3, 5000), np.int64)).counts
    found = reported.of(network, counts, 1, 3, LOIHI2)
    assert [each.why for each in found.latency if isinstance(each, UnknownLatency)] == [
        "no published times",
        "does not fit",
    ]
    shown = {each.key: each.note for each in reported.tables(found)}
    assert "No time per event of loihi2 has been published, so no time is given." in shown["latency"]
    assert "The network does not fit loihi1, so no time is given." in shown["latency"]
    assert "of loihi1 has been published" not in shown["latency"]
    assert "each spike one message and no hops, since the network does not fit it" in shown["events"]


def test_an_estimate_that_leaves_out_nothing_more_says_so_in_a_whole_sentence() -> None:
    network = random_network(3, channels=2, widths=(8,), spans=(2,), classes=2, steps=5, input_range=(0, 1))
    counts = engine.run(network, np.ones((1, 5, 2), np.int64)).counts
    estimate = energy.on_chip(network, counts, 1, LOIHI1, place(of_network(network).layers, LOIHI1))
    assert estimate is not None
    assert estimate.covers.endswith("hops between tiles as placed; not static power or input and output")


def test_a_users_constants_bring_joules(case: Case) -> None:
    network, counts, _ = case
    mine = LOIHI2.model_copy(update={"name": "mine", "energy": LOIHI1.energy})
    estimate = energy.on_chip(network, counts, SAMPLES, mine)
    assert estimate is not None
    assert estimate.low_nj > 0
    assert "mine" in estimate.name


def test_static_power_is_named_and_in_no_estimate(case: Case) -> None:
    network, counts, _ = case
    found = reported.of(network, counts, SAMPLES, STEPS, LOIHI2)
    loihi2, loihi1 = found.static_power
    assert (loihi2.low_w, loihi2.high_w) == (0.232, 0.282)
    assert loihi1.low_w is None  # no public figure


def test_a_step_takes_as_long_as_the_busiest_core_and_the_barrier(case: Case) -> None:
    network, counts, placed = case
    found = latency(network, counts, SAMPLES, STEPS, LOIHI1, placed)
    assert found is not None
    happened = events(network, counts, SAMPLES)
    sizes = {layer.name: layer.neurons for layer in network.layers}
    load = {
        name: (each.feedforward_operations + each.recurrent_operations) / STEPS / sizes[name]
        for name, each in zip(sizes, happened, strict=True)
    }
    slowest = max(
        sum(share.neurons * (3.5 * load[share.layer] + 5.3) for share in core.shares) for core in placed.cores
    )
    assert found.low_ns_per_step == pytest.approx(slowest + 113)
    assert found.high_ns_per_step > found.low_ns_per_step
    assert found.low_us_per_sample == pytest.approx(found.low_ns_per_step * (STEPS + 3) / 1000)
    assert found.busiest_core in {(core.seat.chip, core.seat.index) for core in placed.cores}


def test_float_networks_are_priced_by_their_operations(case: Case) -> None:
    network, counts, _ = case
    synapses = 120 * (2 + 120) + 256 * (120 + 256) + 256 * (256 + 256)
    dense = energy.float_dense(network, STEPS, CMOS)
    assert dense.low_nj == pytest.approx((synapses + 2560) * STEPS * 4.6 / 1000)
    assert dense.high_nj == pytest.approx((synapses + 2560) * STEPS * (4.6 + 5) / 1000)
    gru = energy.float_gru(network, STEPS, CMOS)
    assert gru.low_nj == pytest.approx((3 * synapses + 2560 + 3 * 632) * STEPS * 4.6 / 1000)
    spiking = energy.float_spiking(network, counts, SAMPLES, CMOS)
    *_, last = happened = events(network, counts, SAMPLES)
    total = sum(happened, Events())
    assert spiking.low_nj == pytest.approx(
        (
            0.9 * (total.feedforward_operations + total.recurrent_operations)
            + 4.6 * (total.graded_operations + total.neuron_updates - last.neuron_updates)  # a readout has no decay
        )
        / 1000
    )
    assert spiking.low_nj < dense.low_nj < gru.low_nj


def test_events_add_field_by_field() -> None:
    ones = Events(*(1.0 for _ in fields(Events)))
    assert ones + ones == Events(*(2.0 for _ in fields(Events)))


def test_operations_on_sparse_synapses_are_counted_from_what_each_source_sent() -> None:
    """The sources that fire most lead to fewest neurons: as if all fired alike, it would be several times as many."""
    rng = np.random.default_rng(4)
    shape, half = (160, 200), 100
    weights = 2 * rng.integers(1, 60, shape) * (rng.random(shape) < np.where(np.arange(200) < half, 0.01, 0.15))
    back = 2 * rng.integers(-20, 20, (160, 160)) * (rng.random((160, 160)) < rng.random(160) / 8)
    connections = (
        Connection(INPUT, weights, 0, 8),
        Connection("layer", back, 0, 8, (Tap(2, 1), Tap(5, 3))),
        Connection("layer", back[:, ::-1], 0, 8, span(4)),
    )
    neuron = Neuron("lif", {"bias": 0, "decay": 500, "threshold": 200, "activation_shift": 0, "reset": "soft"})
    readout = Layer(
        "readout", (Connection("layer", 2 * rng.integers(-9, 9, (3, 160)), 0, 8),), Neuron("integrator", {"bias": 0})
    )
    network = IntegerNetwork(InputFormat(200, 0, 1, 1.0), (Layer("layer", connections, neuron), readout), "loihi1", 30)
    x = (rng.random((5, 30, 200)) < np.where(np.arange(200) < half, 0.5, 0.02)).astype(np.int32)
    result = engine.run(network, x, trace=True)
    assert result.trace is not None
    counted: dict[tuple[int, int], int] = {}

    def heard(i: int, j: int, t: int, message: Any) -> Any:
        there = np.count_nonzero(network.layers[i].connections[j].weights, axis=0)
        taps = network.layers[i].connections[j].taps
        past = sent.setdefault((i, j), [])
        past.append(message)
        back_by = [tap.span - (1 if network.is_recurrent(i, j) else 0) for tap in taps]
        now = [past[-1 - lag] != 0 for lag in back_by if lag < len(past)]
        # What is pushed at step t by a later layer is heard from t + 1 on: the last step's is never heard.
        if now and not (network.is_recurrent(i, j) and t == network.steps - 1):
            counted[i, j] = counted.get((i, j), 0) + int(np.logical_or.reduce(now).sum(axis=0) @ there)
        return message

    sent: dict[tuple[int, int], list[Any]] = {}
    run(network, x, hooks=Hooks(on_message=heard))
    exact = arrivals.operations(network, x, [each.spikes for each in result.trace.layers])
    assert [[counted[i, j] for j in range(len(each))] for i, each in enumerate(exact)] == exact
    known = sum(events(network, result.counts, 5, target=LOIHI1, exact=exact), Events())
    alike = sum(events(network, result.counts, 5, target=LOIHI1), Events())
    (first, *behind), (last,) = exact
    dense = result.counts[1].feedforward_operations
    assert last <= dense
    assert known.feedforward_operations == (first + dense) / 5
    assert known.recurrent_operations + known.graded_operations == sum(behind) / 5
    assert alike.feedforward_operations > 1.5 * known.feedforward_operations


def test_neurons_that_the_priced_chip_has_none_of_have_no_price_and_no_time_there() -> None:
    turning = any_resonators()
    counts = engine.run(turning, np.ones((1, turning.steps, turning.input.channels), np.int64)).counts
    found = reported.of(turning, counts, 1, turning.steps, LOIHI2)
    assert reported.on_chips(found) == []
    assert found.targets_without_such_neurons == ("loihi1",)
    assert found.events_on == "loihi2"
    assert [each.why for each in found.latency if isinstance(each, UnknownLatency)] == [
        "no published times",
        "no such neurons",
    ]
    shown = {each.key: each.note for each in reported.tables(found)}
    assert "The neurons that the prices of loihi1 are of compute something else" in shown["energy"]
    assert "Loihi1 has no such neurons, so no time is given." in shown["latency"]


def any_resonators() -> IntegerNetwork:
    """The first of random networks that has them."""
    drawn = map(any_network, itertools.count())
    return next(each for each in drawn if any(layer.neuron.kind == "resonator" for layer in each.layers))


def test_a_dense_network_of_the_same_widths_is_recurrent_whatever_the_spiking_one_is() -> None:
    alone = random_network(0, widths=(5, 6), spans=(2, 2), steps=4, input_range=(0, 1))
    layers = [replace(layer, connections=layer.connections[:1]) for layer in alone.layers]
    without = replace(alone, layers=tuple(layers))
    assert without.synapses < alone.synapses
    assert energy.float_dense(without, 4, CMOS) == energy.float_dense(alone, 4, CMOS)
    assert energy.float_gru(without, 4, CMOS) == energy.float_gru(alone, 4, CMOS)


def test_an_update_of_a_float_neuron_takes_the_products_that_its_kind_makes() -> None:
    turning = any_resonators()
    for layer in (layer for layer in turning.layers if layer.neuron.kind == "resonator"):
        names = layer.neuron.states
        modes, taps = (sum(name.startswith(of) for name in names) for of in ("re", "x"))
        # a complex product of each mode, its two parts read out, and the weights of the current and of earlier ones
        assert energy.products_of_update(layer) == 4 * modes + 2 * modes + 1 + taps
    lif, readout = random_network(0, widths=(5,), spans=(2,), steps=4, input_range=(0, 1)).layers
    assert energy.products_of_update(lif) == 1
    assert energy.products_of_update(readout) == 0
