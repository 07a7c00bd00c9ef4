"""NeuroBench's metrics twice: computed by the neurobench package, and from our own runs by its definitions.

Its definitions, and how they differ from the counts of docs/arithmetic.md:

* *footprint*: bytes of all parameters in float32, biases included; no state.
* *connection sparsity*: share of weights that are zero, biases left out.
* *activation sparsity*: share of (step, sample, neuron) cells without a spike.
* *effective operations*: active inputs times the *non-zero* weights they meet (our synaptic operations count each
  stored weight, since dense memory is read whole). A step of a layer counts as accumulates (ACs) if all of its inputs
  in the batch are -1, 0 or 1, and as multiply-accumulates (MACs) otherwise, so the split depends on the batch.
* *dense operations*: every weight at every step.
* *membrane updates*: (step, neuron) cells whose membrane after reset is not what it was a step before; the first step
  counts whole (our neuron updates count every cell).

Operations and updates are for one sample, biases are no operations, and a zero weight is a weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asrc_core.contract.arithmetic import recalled
from asrc_core.contract.network import IntegerNetwork
from asrc_export.engines.select import Run
from asrc_export.report.behaviour.spike_differences import Spikes
from asrc_export.report.part import MeanOperations, MeanUpdates, Part, Share, Unit
from asrc_train.data.dataset import Samples

if TYPE_CHECKING:  # they load torch, which drawing a report from its JSON does not need
    from asrc_export.report.neurobench_model import SteppedNetwork
    from asrc_train.trained.checkpoint import Checkpoint
    from asrc_train.trained.freeze import FrozenNetwork


class Metrics(Part):
    """NeuroBench's metrics by NeuroBench's definitions; operations and updates for one sample."""

    connection_sparsity: Share = Field(description="Share of weights that are zero.")
    activation_sparsity: Share = Field(description="Share of (step, sample, neuron) cells without a spike.")
    effective_macs: MeanOperations = Field(
        description="Active inputs times non-zero weights, in steps with graded inputs."
    )
    effective_acs: MeanOperations = Field(description="The same in steps whose inputs are all -1, 0 or 1.")
    dense: MeanOperations = Field(description="Every weight at every step.")
    membrane_updates: MeanUpdates = Field(description="Cells whose membrane is not what it was a step before.")
    footprint: Annotated[int, Field(ge=0), Unit("byte")] | None = Field(
        description="Bytes of the float32 parameters; null for the deployed network."
    )


@dataclass(frozen=True, eq=False)
class Connection:
    """One weight matrix (N, I) and what it was fed at each step, (T, B, I)."""

    weight: NDArray[np.generic]
    fed: NDArray[np.generic]


def measured(model: SteppedNetwork, x: NDArray[np.float64], *, footprint: bool = False) -> Metrics:
    """What the neurobench package says of a model on samples (B, T, channels), fed as one batch."""
    import torch
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
    from neurobench.models import TorchModel
    from snntorch import SpikingNeuron

    watched = TorchModel(model)
    watched.add_activation_module(SpikingNeuron)
    watched.register_hooks()
    batch = torch.from_numpy(x)
    try:
        answers = watched(batch)
        seen = (watched, answers, (batch, answers))
        operations = SynapticOperations()(*seen)
        return Metrics(
            connection_sparsity=ConnectionSparsity()(watched),
            activation_sparsity=ActivationSparsity()(*seen),
            effective_macs=operations["Effective_MACs"],
            effective_acs=operations["Effective_ACs"],
            dense=operations["Dense"],
            membrane_updates=MembraneUpdates()(*seen),
            footprint=Footprint()(TorchModel(model.float())) if footprint else None,
        )
    finally:
        watched.cleanup_hooks()


def counted_on_integers(network: IntegerNetwork, x: Samples, engine: Run) -> Metrics:
    """The same metrics of the integer network from the trace of our own engine."""
    result = engine(network, x, trace=True)
    assert result.trace is not None
    fed: NDArray[np.generic] = x.transpose(1, 0, 2)
    connections, updates = [], 0
    for layer, trace in zip(network.layers, result.trace.layers, strict=True):
        connections += [
            Connection(layer.feedforward, fed),
            Connection(layer.recurrent, recalled(trace.spikes, layer.heard, np.float64)),
        ]
        s, u = trace.spikes, trace.membrane.astype(np.int64)
        updates += _changes(u - layer.threshold * s if layer.reset == "soft" else u * (1 - s))
        fed = s
    connections.append(Connection(network.readout.weight, fed))
    return _metrics(connections, [trace.spikes for trace in result.trace.layers], updates)


def counted_on_float(frozen: FrozenNetwork, trained: Checkpoint, x: Samples) -> Metrics:
    """The same metrics of the float network, from the spikes that our training kernels give in double precision.

    Spikes determine the membranes: v[t] = alpha v[t-1] + W x[t] + b + U r[t] - theta s[t] with soft reset.
    """
    import torch

    real = torch.from_numpy(x * frozen.scale).transpose(0, 1)
    with torch.no_grad():
        spikes = [each.numpy().astype(np.uint8) for each in trained.network().double().traced(real)[1]]
    fed: NDArray[np.generic] = real.numpy()
    connections, updates = [], 0
    for layer, s in zip(frozen.layers, spikes, strict=True):
        delayed = recalled(s, layer.heard, np.float64)
        connections += [Connection(layer.weight, fed), Connection(layer.recurrent, delayed)]
        v = np.zeros(s.shape)
        before = np.zeros(s.shape[1:])
        for t in range(len(s)):
            u = layer.decay * before + (fed[t] @ layer.weight.T + layer.bias) + delayed[t] @ layer.recurrent.T
            before = v[t] = u - layer.threshold * s[t] if layer.reset == "soft" else u * (1 - s[t])
        updates += _changes(v)
        fed = s
    connections.append(Connection(frozen.readout_weight, fed))
    biases = sum(layer.bias.size for layer in frozen.layers) + frozen.readout_bias.size
    weights = sum(each.weight.size for each in connections)
    return _metrics(connections, spikes, updates, footprint=4 * (weights + biases))


def _metrics(
    connections: Sequence[Connection], spikes: Sequence[Spikes], updates: int, footprint: int | None = None
) -> Metrics:
    steps, samples = spikes[0].shape[:2]
    weights = sum(each.weight.size for each in connections)
    zeros = sum(int((each.weight == 0).sum()) for each in connections)
    cells, fired = sum(each.size for each in spikes), sum(int(each.sum(dtype=np.int64)) for each in spikes)
    macs, acs = np.sum([_effective(each) for each in connections], axis=0).tolist()
    return Metrics(
        connection_sparsity=round(zeros / weights, 4),
        activation_sparsity=(cells - fired) / cells,
        effective_macs=macs / samples,
        effective_acs=acs / samples,
        dense=float(weights * steps),
        membrane_updates=updates / samples,
        footprint=footprint,
    )


def _effective(connection: Connection) -> tuple[int, int]:
    """Effective MACs and ACs over all steps and samples."""
    meets = np.count_nonzero(connection.weight, axis=0)  # (I,): non-zero weights that an input meets
    each_step = (connection.fed != 0).sum(axis=1) @ meets
    graded = ~np.isin(connection.fed, (-1, 0, 1)).all(axis=(1, 2))
    return int(each_step[graded].sum()), int(each_step[~graded].sum())


def _changes(v: NDArray[np.generic]) -> int:
    """Cells of v (T, B, N) that differ from the step before; all of the first step."""
    changed: int = v[0].size + int(np.count_nonzero(v[1:] != v[:-1]))
    return changed
