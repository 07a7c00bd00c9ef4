"""NeuroBench's metrics twice: computed by the neurobench package, and from our own runs by its definitions.

Its definitions, and how they differ from the counts of docs/arithmetic.md:

* *footprint*: bytes of all parameters in float32, biases included; no state.
* *connection sparsity*: share of weights that are zero, biases left out.
* *activation sparsity*: share of (step, sample, neuron) cells without a spike.
* *effective operations*: active inputs times the *non-zero* weights they meet (our synaptic operations count each
  stored weight, since dense memory is read whole). A step of a layer counts as accumulates (ACs) if all of its inputs
  in the batch are -1, 0 or 1, and as multiply-accumulates (MACs) otherwise, so the split depends on the batch.
* *dense operations*: every weight at every step.
* *connections with a delay for each synapse*: one matrix for each lag, 0 where a synapse has another one.
* *membrane updates*: (step, neuron) cells whose membrane after reset is not what it was a step before; the first step
  counts whole (our neuron updates count every cell).

Operations and updates are for one sample, biases are no operations, and a zero weight is a weight.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from asrc_core.contract.arithmetic import recalled
from asrc_core.contract.interpreter import Arithmetic, Hooks, NumpyArithmetic, Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.operations.operations import Value
from asrc_core.contract.wiring import Wired, WiredConnection
from asrc_export.report.part import MeanOperations, MeanUpdates, Part, Share, Unit
from asrc_train.data.dataset import Samples

if TYPE_CHECKING:  # they load torch, which drawing a report from its JSON does not need
    from asrc_export.report.neurobench_model import SteppedNetwork
    from asrc_train.trained.frozen import FrozenNetwork


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

    @property
    def graded(self) -> NDArray[np.bool_]:
        """(T,): whether a step's inputs are other than -1, 0 and 1 anywhere in the batch."""
        graded: NDArray[np.bool_] = ~np.isin(self.fed, (-1, 0, 1)).all(axis=(1, 2))
        return graded


@dataclass(frozen=True, eq=False)
class Recorded:
    """A run of samples: all matrices with what they were fed; of each hidden layer what it sent and its membranes after
    each step, (T, B, N); and the logits (B, C).
    """

    connections: tuple[Connection, ...]
    sent: tuple[NDArray[Any], ...]
    membranes: tuple[NDArray[Any], ...]
    logits: NDArray[Any]


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


def counted_on_integers(network: IntegerNetwork, x: Samples) -> Metrics:
    """The same metrics of the integer network, counted by ourselves on samples (B, T, channels)."""
    return counted(recorded(network, NumpyArithmetic(), x))


def biases_of(frozen: FrozenNetwork) -> int:
    """How many biases a float network has."""
    return sum(layer.bias.size for layer in frozen.layers) + frozen.readout_bias.size


def membrane(states: Mapping[str, Value]) -> NDArray[Any]:
    """What counts as the membrane of neurons (B, N): the state v or, of kinds without one, all of their states."""
    return np.asarray(states["v"]) if "v" in states else np.concatenate(list(states.values()), axis=-1)


def recorded(network: Wired, arithmetic: Arithmetic, x: NDArray[Any]) -> Recorded:
    """A run of samples (B, T, channels), step by step."""
    seen = _Seen()
    hooks = Hooks(on_message=seen.message, on_spikes=seen.spikes, on_states=seen.states)
    session = Session(network, len(x), arithmetic, hooks)
    for t in range(x.shape[1]):
        done = session.step(x[:, t])
    connections = tuple(
        each
        for i, layer in enumerate(network.layers)
        for j, connection in enumerate(layer.connections)
        for each in _matrices(connection, np.stack(seen.messages[i, j]))
    )
    hidden = range(len(network.layers) - 1)
    sent, membranes = (tuple(np.stack(of[i]) for i in hidden) for of in (seen.sent, seen.membranes))
    return Recorded(connections, sent, membranes, done[-1].shown)


def counted(run: Recorded, biases: int | None = None) -> Metrics:
    """The metrics of a run; the footprint only if it is said how many biases there are."""
    updates = sum(_changes(each) for each in run.membranes)
    weights = sum(each.weight.size for each in run.connections)
    return _metrics(run.connections, run.sent, updates, None if biases is None else 4 * (weights + biases))


class _Seen:
    """What passed in each step: messages by layer and connection, spikes and membranes by layer."""

    def __init__(self) -> None:
        self.messages: dict[tuple[int, int], list[NDArray[Any]]] = defaultdict(list)
        self.sent: dict[int, list[NDArray[Any]]] = defaultdict(list)
        self.membranes: dict[int, list[NDArray[Any]]] = defaultdict(list)

    def message(self, layer: int, connection: int, t: int, x: Value) -> Value:
        """Hook."""
        self.messages[layer, connection].append(x)
        return x

    def spikes(self, layer: int, t: int, sent: Value) -> Value:
        """Hook."""
        self.sent[layer].append(sent)
        return sent

    def states(self, layer: int, t: int, states: Mapping[str, Value]) -> Mapping[str, Value]:
        """Hook."""
        self.membranes[layer].append(membrane(states))
        return states


def _matrices(connection: WiredConnection, sent: NDArray[Any]) -> list[Connection]:
    """The matrices of a connection and what each is fed, of what its source sent (T, B, I): one matrix for all taps, or
    one for each lag where every synapse has its own.
    """
    if connection.delays is None:
        taps = [(tap.span, tap.weight) for tap in connection.taps]
        return [Connection(connection.weights, recalled(sent, taps, np.float64))]
    return [Connection(weights, recalled(sent, [(lag, 1)], np.float64)) for lag, weights in connection.by_lag()]


def _metrics(
    connections: Sequence[Connection], spikes: Sequence[NDArray[Any]], updates: int, footprint: int | None = None
) -> Metrics:
    steps, samples = spikes[0].shape[:2]
    weights = sum(each.weight.size for each in connections)
    zeros = sum(int((each.weight == 0).sum()) for each in connections)
    cells, fired = sum(each.size for each in spikes), sum(int(np.count_nonzero(each)) for each in spikes)
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
    graded = connection.graded
    return int(each_step[graded].sum()), int(each_step[~graded].sum())


def _changes(v: NDArray[np.generic]) -> int:
    """Cells of v (T, B, N) that differ from the step before; all of the first step."""
    changed: int = v[0].size + int(np.count_nonzero(v[1:] != v[:-1]))
    return changed
