"""NeuroBench's metrics: what its package counts through its hooks equals what we count from our own runs, exactly."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import pytest

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Reset
from asrc_core.contract.random_network import random_network
from asrc_export.engines import numpy as engine
from asrc_export.exporting import Exported
from asrc_export.report import neurobench_counts
from asrc_export.report.cost import neurobench
from asrc_export.report.cost.neurobench import NeuroBench, NeuroBenchAbsent
from asrc_export.samples.dataset_samples import dataset_for
from asrc_train.trained.checkpoint import Checkpoint

SAMPLES = 12


def test_on_the_float_network_neurobench_and_we_count_the_same(exported: Exported, trained: Checkpoint) -> None:
    pytest.importorskip("neurobench", reason="the extra 'neurobench' is not installed")
    section = neurobench.of(exported.network, trained, dataset_for(exported.network).test_x[:SAMPLES], engine.run)
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
        thinned = [
            replace(
                layer,
                feedforward=np.where(layer.feedforward > 0, layer.feedforward, 0),
                recurrent=np.where(layer.recurrent > 0, layer.recurrent, 0),
                bias=layer.bias * (np.arange(layer.neurons) % 2),
            )
            for layer in network.layers
        ]
        made.append(replace(network, layers=tuple(thinned)))
    return made


@pytest.mark.parametrize("network", integer_networks(), ids=["soft", "hard", "forgetting", "taps"])
def test_on_integer_networks_neurobench_and_we_count_the_same(network: IntegerNetwork) -> None:
    pytest.importorskip("neurobench", reason="the extra 'neurobench' is not installed")
    from asrc_export.report import neurobench_model

    x = np.random.default_rng(3).integers(0, 3, (5, network.steps, 2)) * (np.arange(network.steps) % 3 > 0)[:, None]
    model = neurobench_model.of_integers(network)
    measured = neurobench_counts.measured(model, x.astype(np.float64))
    counted = neurobench_counts.counted_on_integers(network, x, engine.run)
    assert measured == counted
    assert counted.effective_acs > 0
    assert counted.effective_macs > 0
    assert counted.membrane_updates < network.steps * 16  # some membranes rest


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
    full = replace(
        network,
        layers=tuple(
            replace(each, feedforward=np.full_like(each.feedforward, 2), recurrent=np.full_like(each.recurrent, 2))
            for each in network.layers
        ),
        readout=replace(network.readout, weight=np.full_like(network.readout.weight, 2)),
    )
    x = dataset_for(network).test_x[:SAMPLES]
    for each, without_zeros in ((network, False), (full, True)):
        counts = engine.run(each, x).counts
        ours = sum(count.feedforward_operations + count.recurrent_operations for count in counts) / SAMPLES
        metrics = neurobench_counts.counted_on_integers(each, x, engine.run)
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
    section = neurobench.of(exported.network, trained, x, engine.run)
    assert section == NeuroBenchAbsent(available=False, why=neurobench.ABSENT)
