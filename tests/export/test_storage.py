"""Storage by kind and by layer, deployed against float32, and the paper's statement about spike history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asrc_core.contract.chain import chain
from asrc_core.contract.connection import INPUT, NOW, Connection
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.random_network import random_network
from asrc_export.chip import targets
from asrc_export.chip.cost import storage
from asrc_export.chip.cost.storage import AxonEntries
from asrc_export.chip.placement import compared as compare
from asrc_export.chip.placement import place
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
    in_float = storage.float32(network)[0]
    assert in_float.history == 9 * 8 * 32
    assert in_float.weights == (2 * 8 + 8 * 8) * 32
    assert storage.history_by_mapping(of_network(network)) == {
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
        assert storage.synaptic_memory(network, loihi1) == (2 * 8 + 8 * 3) * 8 + 8 * 8 * (8 + delay)


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
    bits = storage.history_by_mapping(of_network(network))
    assert bits["synaptic-delay"] >= 10 * bits["delay-line"]


def test_several_taps_share_one_delay_line_and_as_synapses_would_take_a_copy_each() -> None:
    one, three = (random_network(0, widths=(8,), spans=(span,), steps=5) for span in (9, [(2, 1), (4, 7), (9, 2)]))
    assert storage.deployed(three, LOIHI2) == storage.deployed(one, LOIHI2)
    assert storage.history_by_mapping(of_network(three))["synaptic-delay"] == 8 * 8 * (3 * 4 + 2 * 8)
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
    assert storage.float32(cuba(delays=False))[0].state == 6 * 2 * 32


def test_a_delay_for_each_synapse_costs_bits_of_each() -> None:
    plain, delayed = cuba(delays=False), cuba(delays=True)
    loihi1 = targets.load("loihi1")
    assert storage.deployed(delayed, loihi1)[0].history == 18 * 5  # delays up to 17 steps
    assert storage.synaptic_memory(delayed, loihi1) - storage.synaptic_memory(plain, loihi1) == 18 * 5
    assert storage.float32(delayed)[0].history == 18 * 32
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
