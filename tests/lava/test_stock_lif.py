"""Networks with delays on Lava's own, unmodified processes: spike for spike what the contract says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asrc_core.contract.interpreter import run as reference
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.synapses.connection import INPUT, Connection
from asrc_core.errors import InvalidNetwork
from asrc_lava.boards import sdk

pytestmark = [pytest.mark.lava, pytest.mark.skipif(sdk.why_no_lava() is not None, reason=str(sdk.why_no_lava()))]


def neuron(kind: str, vth: int, fires: str) -> Neuron:
    theta = 64 * vth + (fires == "at")
    parameters = {"bias": 0, "current_decay": 742, "decay": 200, "threshold": theta, "activation_shift": 6}
    return Neuron(kind, {**parameters, "reset": "hard", "fires": fires})


def delayed_network(seed: int, fires: str = "at") -> IntegerNetwork:
    """Four inputs, six recurrent neurons, five more, three that decide by their first spike; a delay each."""
    rng = np.random.default_rng(seed)

    def connection(source: str, shape: tuple[int, int], least: int, mean: float, exponent: int = 0) -> Connection:
        weights = 2 * np.rint(rng.normal(mean, 25, shape) / 2).astype(np.int64).clip(-128, 127)
        delays = rng.integers(least, least + 10, shape)
        return Connection(source, weights, exponent, 8, (), delays, "synaptic-delay")

    first = connection(INPUT, (6, 4), 0, 30, 1), connection("layer0", (6, 6), 1, 0)
    layers = (
        Layer("layer0", first, neuron("cuba-lif", 700, fires)),
        Layer("layer1", (connection("layer0", (5, 6), 0, 30),), neuron("cuba-lif", 500, fires)),
        Layer("readout", (connection("layer1", (3, 5), 0, 20),), neuron("first-spike", 300, fires)),
    )
    return IntegerNetwork(InputFormat(4, 0, 1, 1.0), layers, "loihi2", 40)


@pytest.mark.parametrize("fires", ["at", "above"])
def test_a_network_with_delays_runs_on_unmodified_lava_spike_for_spike(fires: str) -> None:
    from lava.proc.dense.process import DelayDense, Dense
    from lava.proc.lif.process import LIF

    from asrc_lava.graph import stock

    assert all(each.__module__.startswith("lava.") for each in (*stock.MODELS, *stock.MODELS.values()))
    assert {DelayDense, Dense, LIF} <= set(stock.MODELS)
    network = delayed_network(3, fires)
    x = (np.random.default_rng(0).random((1, 40, 4)) < 0.2).astype(np.int32)
    expected = reference(network, x, trace=True)
    assert expected.trace is not None
    (found,) = stock.run(network, x)
    for mine, theirs in zip(found.spikes, expected.trace.layers, strict=False):
        np.testing.assert_array_equal(mine, theirs.spikes[:, 0])
        assert 0 < mine.sum() < mine.size
    np.testing.assert_array_equal(found.logits, expected.logits[0])
    assert (found.logits > 0).any()


def changed(network: IntegerNetwork, **parameters: object) -> IntegerNetwork:
    first, *rest = network.layers
    other = replace(first, neuron=replace(first.neuron, parameters={**first.neuron.parameters, **parameters}))
    return replace(network, layers=(other, *rest))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"activation_shift": 5}, "shifted by 5 bits, not by 6"),
        ({"threshold": 640}, "no threshold of Lava's is the same as 640 that fires at it"),
        ({"reset": "soft"}, "soft reset"),
        ({"bias": 64}, "it has biases"),
        ({"decay": np.array([200] * 5 + [201])}, "its neurons differ in decay"),
    ],
)
def test_what_lavas_own_lif_does_not_compute_is_refused(parameters: dict[str, object], says: str) -> None:
    from asrc_lava.graph import stock

    network = changed(delayed_network(3), **parameters)
    assert stock.why_not(delayed_network(3)) is None
    with pytest.raises(InvalidNetwork, match=f"does not run on Lava's own LIF: layer 'layer0': .*{says}"):
        stock.run(network, np.zeros((1, 40, 4), np.int32))
