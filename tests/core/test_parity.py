"""A difference between two runs is named by its first layer, step and neuron."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asrc_core.contract import interpreter as engine
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import first_difference, require_equal
from asrc_core.contract.random_network import any_network, random_network
from asrc_core.contract.result import LayerTrace, Result, Trace, joined
from asrc_core.errors import ParityBroken


@pytest.fixture
def network() -> IntegerNetwork:
    return random_network(2, widths=(5, 4), spans=(2, 3), steps=8)


@pytest.fixture
def result(network: IntegerNetwork) -> Result:
    return engine.run(network, np.random.default_rng(0).integers(0, 256, (3, 8, 1)), trace=True)


def with_membrane_off(result: Result, layer: int, at: tuple[int, int, int]) -> Result:
    assert result.trace is not None
    layers = list(result.trace.layers)
    membrane = layers[layer].membrane.copy()
    membrane[at] += 1
    layers[layer] = LayerTrace(layers[layer].spikes, membrane)
    return replace(result, trace=Trace(tuple(layers), result.trace.readout))


def test_a_result_of_a_network_of_other_layers_is_told_as_that(network: IntegerNetwork, result: Result) -> None:
    shorter = random_network(2, widths=(5,), spans=(2,), steps=8)
    other = engine.run(shorter, np.random.default_rng(0).integers(0, 256, (3, 8, 1)), trace=True)
    found = first_difference(network, result, other)
    assert found == "the number of layers: the network has 3, the second result 2"


def test_equal_runs_have_no_difference(network: IntegerNetwork, result: Result) -> None:
    assert first_difference(network, result, result) is None


def test_the_earliest_step_is_named_with_layer_sample_neuron_and_values(
    network: IntegerNetwork, result: Result
) -> None:
    other = with_membrane_off(with_membrane_off(result, 0, (6, 0, 0)), 1, (4, 2, 3))
    found = first_difference(network, result, other)
    assert found is not None
    assert found.startswith("layer 'layer1', step 4, sample 2, neuron 3: membrane ")
    with pytest.raises(ParityBroken, match="'lava' and 'numpy' part ways at layer 'layer1', step 4"):
        require_equal(network, result, other, ("lava", "numpy"))


def test_samples_are_numbered_from_the_first_one_of_the_results(network: IntegerNetwork, result: Result) -> None:
    other = with_membrane_off(result, 1, (4, 2, 3))
    assert "step 4, sample 1002, neuron 3" in (first_difference(network, result, other, sample=1000) or "")
    plain = replace(result, trace=None)
    logits = plain.logits + np.array([[0], [1], [0]])
    with pytest.raises(ParityBroken, match="readout, sample 1001, class 0"):
        require_equal(network, plain, replace(plain, logits=logits), ("lava", "numpy"), sample=1000)


def test_logits_and_counts_are_compared_without_traces(network: IntegerNetwork, result: Result) -> None:
    plain = replace(result, trace=None)
    logits = plain.logits.copy()
    logits[1, 2] += 1
    assert "sample 1, class 2" in (first_difference(network, plain, replace(plain, logits=logits)) or "")
    counts = (replace(plain.counts[0], saturations=plain.counts[0].saturations + 1), *plain.counts[1:])
    assert "counts of 'layer0'" in (first_difference(network, plain, replace(plain, counts=counts)) or "")


@pytest.mark.parametrize("trace", [False, True])
def test_parts_of_a_batch_are_joined_to_what_the_whole_gives(trace: bool) -> None:
    for seed in range(6):
        network = any_network(seed)
        x = np.random.default_rng(seed).integers(
            network.input.minimum, network.input.maximum, (5, 9, network.input.channels)
        )
        whole = engine.run(network, x, trace=trace)
        parts = (engine.run(network, part, trace=trace) for part in np.split(x, [1, 4]))
        again = joined(parts, 5)
        assert first_difference(network, again, whole) is None
        assert again.counts == whole.counts
        assert (again.trace is None) == (not trace)
