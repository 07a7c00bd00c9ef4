"""Storage by kind and by layer, deployed against float32, and the paper's statement about spike history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asrc_core.contract.chain import chain
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.numbers import Ints
from asrc_core.contract.random_network import random_network
from asrc_core.contract.result import LayerCounts
from asrc_core.contract.synapses.connection import INPUT, NOW, Connection
from asrc_core.contract.synapses.convolution import Convolution
from asrc_export.chip import targets
from asrc_export.chip.cost import storage
from asrc_export.chip.cost.events import events
from asrc_export.chip.cost.storage import AxonEntries
from asrc_export.chip.placement import compared as compare
from asrc_export.chip.placement import place
from asrc_export.chip.placement.bound import lower_bound
from asrc_export.chip.shape import delay_bits, of_network
from asrc_export.report.cost import storage as reported

LOIHI2 = targets.load("loihi2")


def test_storage_counts_every_kind_of_bit() -> None:
    network = random_network(0, channels=2, widths=(8,), spans=(9,), classes=3, steps=5)
    layer, readout = storage.deployed(network, LOIHI2)
    assert layer.weights == (2 * 8 + 8 * 8) * 8
    assert layer.biases == 8 * (13 + 3)
    assert layer.state == 8 * 24
    assert layer.history == 8 * 32
    assert readout.weights == 8 * 3 * 8
    assert readout.history == 0
    in_float = storage.float32(network, LOIHI2)[0]
    assert in_float.history == 9 * 8 * 32
    assert in_float.weights == (2 * 8 + 8 * 8) * 32
    assert storage.history_by_mapping(of_network(network), LOIHI2) == {
        "delay-line": 8 * 32,
        "synaptic-delay": 8 * 8 * 4,  # delay 8 takes 4 bits
    }
    assert storage.synaptic_memory(network, LOIHI2) == (2 * 8 + 8 * 8 + 8 * 3) * (8 + 12)


def test_delay_bits_are_stored_in_recurrent_synapses_only() -> None:
    network = random_network(0, channels=2, widths=(8,), spans=(9,), classes=3, steps=5, mapping="synaptic-delay")
    assert storage.synaptic_memory(network, LOIHI2) == (2 * 8 + 8 * 3) * (8 + 12) + 8 * 8 * (8 + 12 + 4)
    assert storage.deployed(network, LOIHI2)[0].history == 8 * 8 * 4


def test_a_sparse_encoding_leaves_out_zeros_and_takes_an_index_for_each_other_weight() -> None:
    loihi1 = targets.load("loihi1")
    for mapping, delay in (("delay-line", 0), ("synaptic-delay", 4)):
        whole = random_network(0, channels=2, widths=(8,), spans=(9,), classes=3, steps=5, mapping=mapping)  # type: ignore[arg-type]
        made = chain(whole)
        two, eight = 2 * np.eye(8, 2, dtype=np.int64), 2 * np.eye(8, dtype=np.int64)
        layer = replace(made.layers[0], feedforward=two, recurrent=eight)
        readout = replace(made.readout, weight=2 * np.eye(3, 8, dtype=np.int64))
        network = replace(made, layers=(layer,), readout=readout).network()
        assert storage.sparse_synaptic_memory(network, loihi1) == (2 + 3) * (8 + 10) + 8 * (8 + 10 + delay)
        # Each connection is stored so, since that takes fewer words; a chip without such an encoding stores all of it.
        assert storage.synaptic_memory(network, loihi1) == storage.sparse_synaptic_memory(network, loihi1)
        assert storage.synaptic_memory(network, LOIHI2) == (2 * 8 + 8 * 3) * 20 + 8 * 8 * (20 + delay)
        # A synapse that is not stored has no delay either.
        assert storage.history_by_mapping(of_network(network), loihi1)["synaptic-delay"] == 8 * 4
        assert storage.history_by_mapping(of_network(network), LOIHI2)["synaptic-delay"] == 8 * 8 * 4


def test_the_report_says_what_sparse_synapses_would_take_only_where_an_encoding_is_public() -> None:
    network = random_network(0, channels=2, widths=(8,), spans=(9,), classes=3, steps=5)
    loihi1 = targets.load("loihi1")
    found = reported.of(network, loihi1)
    sparse = found.synaptic_memory_if_sparse
    assert sparse is not None
    assert sparse.bits == storage.sparse_synaptic_memory(network, loihi1)
    assert sparse.overhead_bits == 10
    assert "nengo-loihi block.py" in sparse.source
    assert found.deployed.weights == (2 * 8 + 8 * 8 + 8 * 3) * 8  # totals store every weight, as placement does
    assert storage.sparse_synaptic_memory(network, LOIHI2) is None
    assert reported.of(network, LOIHI2).synaptic_memory_if_sparse is None


@pytest.mark.parametrize(("span", "bits"), [(1, 0), (2, 1), (3, 2), (5, 3), (9, 4), (17, 5), (32, 5), (33, 6), (63, 6)])
def test_delay_bits_hold_the_delay(span: int, bits: int) -> None:
    assert delay_bits(span - 1) == bits
    assert 2**bits > span - 1


def test_the_mappings_differ_by_more_than_an_order_of_magnitude_at_128_neurons() -> None:
    network = random_network(0, widths=(128,), spans=(16,), steps=5)
    bits = storage.history_by_mapping(of_network(network), LOIHI2)
    assert bits["synaptic-delay"] >= 10 * bits["delay-line"]


def test_several_taps_share_one_delay_line_and_as_synapses_would_take_a_copy_each() -> None:
    one, three = (random_network(0, widths=(8,), spans=(span,), steps=5) for span in (9, [(2, 1), (4, 7), (9, 2)]))
    assert storage.deployed(three, LOIHI2) == storage.deployed(one, LOIHI2)
    assert storage.history_by_mapping(of_network(three), LOIHI2)["synaptic-delay"] == 8 * 8 * (3 * 4 + 2 * 8)
    compared = compare(of_network(three).layers, LOIHI2)
    assert "its 3 spans are taps of a delay line" in str(compared["synaptic-delay"])
    assert not isinstance(compared["delay-line"], str)


def test_axon_tables_hold_an_entry_for_each_source_and_each_core_sent_to() -> None:
    network = random_network(0, channels=2, widths=(64, 256), spans=(3, 3), classes=10, steps=5)
    layers = of_network(network).layers
    placed = place(layers, LOIHI2)
    cores = [len(placed.cores_of(layer.name)) for layer in layers]
    assert cores[1] > 1
    first, second, readout = storage.axon_entries(layers, placed, LOIHI2)
    assert first.input == cores[0] * (2 + 64)
    assert first.output == 64 * (cores[0] + cores[1])
    assert second.bits == 64 * (second.input + second.output)
    assert readout.output == 0
    entries = [storage.axon_entries(layers, placed, targets.load("loihi1"))[0]]
    assert entries == [AxonEntries(first.input, first.output, None)]  # no public size of an entry
    # What the tables hold is what the cores were charged.
    assert sum(core.used["input_axons"] for core in placed.cores) == first.input + second.input + readout.input
    assert sum(core.used["output_axons"] for core in placed.cores) == first.output + second.output


def cuba(*, delays: bool, each: bool = False) -> IntegerNetwork:
    """A layer of 6 CUBA neurons on 3 inputs, each synapse with a delay of its own or none, and a readout."""
    rng = np.random.default_rng(0)
    w = 2 * rng.integers(-9, 9, (6, 3))
    lags = np.arange(18).reshape(6, 3) if delays else None
    forward = Connection(INPUT, w, 0, 8, NOW if lags is None else (), lags, "synaptic-delay")
    decays = 100 + np.arange(6) if each else 100
    constants = {"bias": 0, "current_decay": decays, "decay": 50, "threshold": 64, "activation_shift": 0}
    layer = Layer("layer0", (forward,), Neuron("cuba-lif", {**constants, "reset": "hard"}))
    last = Connection("layer0", 2 * np.ones((2, 6), np.int64), 0, 8)
    out = Layer("readout", (last,), Neuron("integrator", {"bias": 0}))
    return IntegerNetwork(InputFormat(3, 0, 1, 1.0), (layer, out), "loihi2", 20)


def test_state_bits_are_those_of_the_kind() -> None:
    layer, readout = storage.deployed(cuba(delays=False), LOIHI2)
    assert (layer.state, readout.state) == (6 * 48, 2 * 24)
    assert layer.history == 0  # nobody reads a delay line of theirs
    assert storage.float32(cuba(delays=False), LOIHI2)[0].state == 6 * 2 * 32


def test_a_delay_for_each_synapse_costs_bits_of_each() -> None:
    plain, delayed = cuba(delays=False), cuba(delays=True)
    loihi1 = targets.load("loihi1")
    assert storage.deployed(delayed, loihi1)[0].history == 18 * 5  # delays up to 17 steps
    assert storage.synaptic_memory(delayed, loihi1) - storage.synaptic_memory(plain, loihi1) == 18 * 5
    assert storage.float32(delayed, LOIHI2)[0].history == 18 * 32
    assert "no taps of a delay line" in str(compare(of_network(delayed).layers, loihi1)["delay-line"])


def test_constants_of_single_neurons_are_stored_beside_their_biases() -> None:
    alike, each = (storage.deployed(cuba(delays=False, each=each), LOIHI2)[0] for each in (False, True))
    assert each.biases - alike.biases == 6 * 13  # 0 to 4096
    assert of_network(cuba(delays=False, each=True)).layers[0].groups == 6


def test_the_papers_statement_holds_for_delay_lines_and_not_for_synaptic_delays() -> None:
    for mapping, bits, holds in (("delay-line", 32, True), ("synaptic-delay", 128 * 4, False)):
        network = random_network(0, widths=(128,), spans=(16,), steps=5, mapping=mapping)  # type: ignore[arg-type]
        said = reported.of(network, LOIHI2).paper_statement
        assert said.deployed_bits_per_neuron == bits
        assert said.holds is holds
        assert ("holds" in said.sentence) == holds


def masked(share: float, neurons: int = 300, seed: int = 0) -> IntegerNetwork:
    """Two layers whose recurrent weights are there with that probability, and a readout."""
    made = chain(random_network(seed, channels=4, widths=(neurons, neurons), spans=(5, 5), classes=3, steps=5))
    random = np.random.default_rng(seed)

    def cut(weights: Ints) -> Ints:
        return np.where(weights == 0, 2, weights) * (random.random(weights.shape) < share)

    layers = tuple(replace(each, recurrent=cut(each.recurrent)) for each in made.layers)
    return replace(made, layers=layers).network()


def test_masks_are_placed_in_the_sparse_encoding_where_it_is_smaller_and_the_report_says_which() -> None:
    loihi1, whole, few = targets.load("loihi1"), masked(1.0), masked(0.1)
    shapes = [of_network(each).layers for each in (whole, few)]
    dense, sparse = (place(layers, loihi1) for layers in shapes)
    assert len(sparse.cores) < len(dense.cores)
    used = [sum(core.used["synaptic_memory"] for core in placed.cores) for placed in (dense, sparse)]
    assert used[1] < used[0] / 2
    assert len(sparse.cores) >= lower_bound(shapes[1], loihi1)
    found = reported.of(few, loihi1)
    told = {(each.name, each.source): (each.synapses, each.of) for each in found.stored_sparsely}
    recurrent = [layer.connections[1].weights for layer in few.layers[:2]]
    kept = {each: (int(np.count_nonzero(w)), w.size) for each, w in zip(("layer0", "layer1"), recurrent, strict=True)}
    assert {name: told[name, name] for name in kept} == kept
    assert found.deployed.weights < reported.of(whole, loihi1).deployed.weights / 2
    said = "".join(each.note or "" for each in reported.tables(found))
    assert "Stored sparsely, where that is smaller: " in said
    assert f"layer0 from layer0 ({kept['layer0'][0]:,} of 90,000 weights)" in said
    assert reported.of(few, LOIHI2).stored_sparsely == ()  # no encoding is public
    assert reported.of(whole, loihi1).stored_sparsely == ()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.43, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_no_placement_of_a_masked_network_is_below_the_bound_nor_worse_than_dense(share: float, seed: int) -> None:
    loihi1 = targets.load("loihi1")
    layers = of_network(masked(share, 120 + 70 * seed, seed)).layers
    stored_whole = [
        replace(layer, connections=tuple(replace(each, fan_out=None) for each in layer.connections)) for layer in layers
    ]
    cores = len(place(layers, loihi1).cores)
    assert lower_bound(layers, loihi1) <= cores <= len(place(stored_whole, loihi1).cores)


def test_operations_of_a_sparse_connection_are_priced_by_its_stored_weights() -> None:
    loihi1 = targets.load("loihi1")
    counts = [LayerCounts(spikes=100, recurrent_operations=30_000, feedforward_operations=0)] * 3
    priced = [events(each, counts, 1, target=loihi1)[0].recurrent_operations for each in (masked(1.0), masked(0.1))]
    recurrent = masked(0.1).layers[0].connections[1].weights
    assert priced[0] == 30_000
    assert priced[1] == pytest.approx(30_000 * np.count_nonzero(recurrent) / recurrent.size)
    assert events(masked(0.1), counts, 1)[0].recurrent_operations == 30_000


def convolving() -> IntegerNetwork:
    """A layer whose kernel of 2 channels, 3 x 3, lies over an image of 10 x 10, and a readout."""
    places = Convolution((1, 10, 10), (2, 8, 8), (3, 3), (1, 1), (0, 0), (1, 1))
    kernel = 2 * (1 + np.arange(18).reshape(2, 1, 3, 3))
    connection = Connection(INPUT, places.unrolled(kernel), 0, 8, convolution=places)
    neuron = {"bias": 0, "decay": 500, "threshold": 200, "activation_shift": 0, "reset": "soft"}
    readout = Layer(
        "out", (Connection("layer", 2 * np.ones((3, 128), np.int64), 0, 8),), Neuron("integrator", {"bias": 0})
    )
    return IntegerNetwork(
        InputFormat(100, 0, 1, 1.0), (Layer("layer", (connection,), Neuron("lif", neuron)), readout), "loihi1", 5
    )


def test_a_convolution_is_its_kernel_in_float_and_written_out_on_a_chip() -> None:
    network, loihi1 = convolving(), targets.load("loihi1")
    layer, readout = storage.float32(network, loihi1)
    assert layer.weights == 18 * 32
    assert readout.weights == 3 * 128 * 32
    found = reported.of(network, loihi1)
    assert found.layers[0].deployed.weights == 9 * 2 * 64 * 8  # each element of the kernel at each place
    note = next(each.note for each in reported.tables(found) if each.key == "storage")
    assert "In float32, a convolution is its kernel; on the target it is written out (layer)." in note


def test_weights_that_a_mask_leaves_out_are_stored_by_neither_side_or_by_both() -> None:
    few, loihi1 = masked(0.1), targets.load("loihi1")
    for target in (loihi1, LOIHI2):
        deployed, in_float = storage.deployed(few, target), storage.float32(few, target)
        assert [each.weights // 32 for each in in_float] == [each.weights // 8 for each in deployed]
    assert storage.float32(few, loihi1)[0].weights < storage.float32(few, LOIHI2)[0].weights / 2
    assert not any("kernel" in each.note for each in reported.tables(reported.of(few, loihi1)))
