"""NeuroBench's metrics: what its package counts through its hooks equals what we count from our own runs, exactly."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import pytest

from asrc_core.contract.chain import chain
from asrc_core.contract.interpreter import Hooks, Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Reset
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.random_network import any_network, random_network
from asrc_export import real_network
from asrc_export.engines import numpy as engine
from asrc_export.exporting import Exported
from asrc_export.report import neurobench_counts
from asrc_export.report.cost import neurobench
from asrc_export.report.cost.neurobench import NeuroBench, NeuroBenchAbsent
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze

SAMPLES = 12


def test_on_the_float_network_neurobench_and_we_count_the_same(exported: Exported, trained: Checkpoint) -> None:
    pytest.importorskip("neurobench", reason="the extra 'neurobench' is not installed")
    section = neurobench.of(exported.network, trained, dataset_for(exported.network).test_x[:SAMPLES])
    assert isinstance(section, NeuroBench)
    assert section.samples == SAMPLES
    assert section.in_float == section.own_counts.in_float
    assert section.in_float.effective_acs > 0
    assert section.in_float.effective_macs > 0
    assert section.in_float.footprint == 4 * sum(
        tensor.numel() for name, tensor in trained.tensors.items() if "connection" not in name
    )


def integer_networks() -> list[IntegerNetwork]:
    """Sparse weights, both resets, a span beyond the sample, membranes that stay as they were."""
    made = []
    of_each: list[tuple[Reset, list[Any], int]] = [
        ("soft", [1, 30], 2048),
        ("hard", [3, 2], 0),
        ("soft", [2, 5], 4096),
        ("soft", [[(1, 2), (7, 1)], [(2, 1), (3, 1)]], 2048),
    ]
    for seed, (reset, spans, decay) in enumerate(of_each):
        network = random_network(
            seed, channels=2, widths=[9, 7], spans=spans, steps=20, input_range=(0, 2), reset=reset, decay=decay
        )
        parts = chain(network)
        thinned = [
            replace(
                layer,
                feedforward=np.where(layer.feedforward > 0, layer.feedforward, 0),
                recurrent=np.where(layer.recurrent > 0, layer.recurrent, 0),
                bias=layer.bias * (np.arange(layer.neurons) % 2),
            )
            for layer in parts.layers
        ]
        made.append(replace(parts, layers=tuple(thinned)).network())
    return made


@pytest.mark.parametrize("network", integer_networks(), ids=["soft", "hard", "forgetting", "taps"])
def test_on_integer_networks_neurobench_and_we_count_the_same(network: IntegerNetwork) -> None:
    pytest.importorskip("neurobench", reason="the extra 'neurobench' is not installed")
    from asrc_export.report import neurobench_model

    x = np.random.default_rng(3).integers(0, 3, (5, network.steps, 2)) * (np.arange(network.steps) % 3 > 0)[:, None]
    model = neurobench_model.of_integers(network)
    measured = neurobench_counts.measured(model, x.astype(np.float64))
    counted = neurobench_counts.counted_on_integers(network, x)
    assert measured == counted
    assert counted.effective_acs > 0
    assert counted.effective_macs > 0
    assert counted.membrane_updates < network.steps * 16  # some membranes rest


@pytest.mark.parametrize("seed", range(8))
def test_on_any_network_neurobench_and_we_count_the_same(seed: int) -> None:
    """Delays for each synapse, skips, feedback, currents that last."""
    pytest.importorskip("neurobench", reason="the extra 'neurobench' is not installed")
    import torch

    from asrc_export.report import neurobench_model

    network = any_network(seed, max_width=8, max_steps=12)
    entry = network.input
    x = np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, (3, network.steps, entry.channels))
    model = neurobench_model.of_integers(network)
    assert np.array_equal(model(torch.from_numpy(x.astype(np.float64))).numpy(), engine.run(network, x).logits)
    assert neurobench_counts.measured(model, x.astype(np.float64)) == neurobench_counts.counted_on_integers(network, x)


def test_the_float_network_that_we_step_through_is_the_trained_one(exported: Exported, trained: Checkpoint) -> None:
    """Our training kernels in double precision give the same spikes."""
    import torch

    x = dataset_for(exported.network).test_x[:SAMPLES]
    frozen = freeze(trained)
    with torch.no_grad():
        kernels = trained.network().double().traced(torch.from_numpy(x * frozen.scale).transpose(0, 1))[1]
    sent: list[list[Any]] = [[] for _ in kernels]

    def kept(layer: int, t: int, spikes: Any) -> Any:
        sent[layer].append(spikes)
        return spikes

    session = Session(real_network.of(frozen), SAMPLES, RealArithmetic(), Hooks(on_spikes=kept))
    for t in range(x.shape[1]):
        session.step(x[:, t] * frozen.scale)
    for mine, theirs in zip(sent, kernels, strict=True):
        assert np.array_equal(np.stack(mine), theirs.numpy())


def test_the_network_that_neurobench_watches_is_the_deployed_one(exported: Exported) -> None:
    pytest.importorskip("neurobench", reason="the extra 'neurobench' is not installed")
    import torch

    from asrc_export.report import neurobench_model

    x = dataset_for(exported.network).test_x[:SAMPLES]
    logits = neurobench_model.of_integers(exported.network)(torch.from_numpy(x.astype(np.float64)))
    assert np.array_equal(logits.numpy(), engine.run(exported.network, x).logits)


def test_effective_operations_are_our_synaptic_operations_less_those_on_zero_weights(exported: Exported) -> None:
    """Where no weight is zero, the two definitions meet; docs/arithmetic.md counts each stored weight."""
    network = exported.network
    twos = tuple(
        replace(
            layer,
            connections=tuple(replace(each, weights=np.full_like(each.weights, 2)) for each in layer.connections),
        )
        for layer in network.layers
    )
    full = replace(network, layers=twos)
    x = dataset_for(network).test_x[:SAMPLES]
    for each, without_zeros in ((network, False), (full, True)):
        counts = engine.run(each, x).counts
        ours = sum(count.feedforward_operations + count.recurrent_operations for count in counts) / SAMPLES
        metrics = neurobench_counts.counted_on_integers(each, x)
        effective = metrics.effective_macs + metrics.effective_acs
        assert effective == pytest.approx(ours) if without_zeros else effective < ours
        assert metrics.connection_sparsity == 0 if without_zeros else metrics.connection_sparsity > 0


def test_without_the_package_the_report_says_so_in_a_line(
    exported: Exported, trained: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(neurobench, "version", absent)
    x = dataset_for(exported.network).test_x[:SAMPLES]
    section = neurobench.of(exported.network, trained, x)
    assert section == NeuroBenchAbsent(available=False, why=neurobench.ABSENT)
