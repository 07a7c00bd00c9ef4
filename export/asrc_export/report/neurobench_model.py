"""A network as the neurobench package can watch it: modules for all matrices and all layers of neurons.

NeuroBench counts through hooks on `nn.Linear` and on spiking modules, so what runs inside a kernel, over all steps
at once, is invisible to it. Here the contract's interpreter runs step by step, of the integer network or of the frozen
float network; then every linear module is fed what its matrix was fed, and spiking modules are shown what the neurons
did. NeuroBench copies a module for each call that it saw, and decides call by call whether products are accumulates; so
a matrix is called twice, with the steps whose inputs are graded and with the others, which counts the same as a call
for each step. Doubles hold the integers exactly.

Importing this module needs the neurobench and snntorch packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from snntorch import SpikingNeuron
from torch import Tensor, nn

from asrc_core.contract.interpreter import Arithmetic, NumpyArithmetic
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.wiring import Wired
from asrc_export import real_network
from asrc_export.report.neurobench_counts import Recorded, recorded
from asrc_train.trained.frozen import FrozenNetwork


class Neurons(SpikingNeuron):  # type: ignore[misc]
    """A layer's neurons as the hooks look for them: a spiking module that keeps its membrane in ``mem``."""

    def __init__(self) -> None:
        nn.Module.__init__(self)  # not snnTorch's own: its buffers would count as our footprint
        self.init_hidden, self.output = True, False
        self.mem = torch.zeros(())

    def forward(self, sent: Tensor, mem: Tensor) -> Tensor:
        """What the neurons sent in a step, (B, N); their membrane after it is kept."""
        self.mem = mem
        return sent


class SteppedNetwork(nn.Module):
    """A network, step by step. ``biases`` are parameters that belong to no matrix; ``run`` is what happened last."""

    def __init__(self, network: Wired, arithmetic: Arithmetic, biases: Sequence[NDArray[np.float64]] = ()) -> None:
        super().__init__()
        matrices = [each.weight for each in recorded(network, arithmetic, _nothing(network)).connections]
        self.matrices = nn.ModuleList(map(_linear, matrices))  # hooks have to find them before the first step
        self.neurons = nn.ModuleList(Neurons() for _ in network.layers[:-1])
        self.biases = nn.ParameterList(torch.from_numpy(bias) for bias in biases)
        self._network, self._arithmetic = network, arithmetic
        self.run: Recorded | None = None

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C) for (B, T, channels) real samples, or integers that double precision holds."""
        samples = x.numpy().astype(self._arithmetic.zeros(1, 1).dtype)
        self.run = run = recorded(self._network, self._arithmetic, samples)
        for matrix, connection in zip(self.matrices, run.connections, strict=True):
            graded = connection.graded
            for steps in (connection.fed[graded], connection.fed[~graded]):
                if len(steps):
                    matrix(_doubles(steps.reshape(-1, steps.shape[-1])))
        for neurons, sent, membranes in zip(self.neurons, run.sent, run.membranes, strict=True):
            for each, after in zip(_doubles(sent), _doubles(membranes), strict=True):
                neurons(each, after)
        return _doubles(run.logits)


def of_float(frozen: FrozenNetwork) -> SteppedNetwork:
    """The float network with hard-max spans; feed it integers times ``frozen.scale``."""
    network = real_network.of(frozen)
    return SteppedNetwork(network, RealArithmetic(), [layer.neuron.parameters["bias"] for layer in network.layers])


def of_integers(network: IntegerNetwork) -> SteppedNetwork:
    """The integer network; feed it its integers, as doubles. Its biases belong to the neurons, not to the synapses."""
    return SteppedNetwork(network, NumpyArithmetic())


def _nothing(network: Wired) -> NDArray[np.float64]:
    """A sample of one step without any input."""
    connections = (each for layer in network.layers for each in layer.connections)
    channels = next(each.inputs for each in connections if network.place(each.source) < 0)
    return np.zeros((1, 1, channels))


def _linear(weights: NDArray[Any]) -> nn.Linear:
    made = nn.Linear(weights.shape[1], weights.shape[0], bias=False, dtype=torch.float64)
    made.weight.data = _doubles(weights)
    return made


def _doubles(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float64))
