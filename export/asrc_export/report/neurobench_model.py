"""A network as the neurobench package can watch it: one module call for each matrix, layer and step.

NeuroBench counts through hooks on `nn.Linear` and on spiking modules, so what runs inside a kernel, over all steps
at once, is invisible to it. Here the contract's interpreter runs step by step, of the integer network or of the frozen
float network; its products go through linear modules, and what its neurons did is shown to spiking modules. Doubles
hold the integers exactly.

Importing this module needs the neurobench and snntorch packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from snntorch import SpikingNeuron
from torch import Tensor, nn

from asrc_core.contract.interpreter import Arithmetic, Hooks, NumpyArithmetic, Session
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.wiring import Wired
from asrc_export import real_network
from asrc_export.report.neurobench_counts import membrane
from asrc_train.trained.freeze import FrozenNetwork


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
    """A network, step by step. ``biases`` are parameters that belong to no matrix."""

    def __init__(self, network: Wired, arithmetic: Arithmetic, biases: Sequence[NDArray[np.float64]] = ()) -> None:
        super().__init__()
        self.matrices = nn.ModuleDict()
        self.neurons = nn.ModuleList(Neurons() for _ in network.layers[:-1])
        self.biases = nn.ParameterList(torch.from_numpy(bias) for bias in biases)
        self._network, self._arithmetic = network, _Watched(arithmetic, self.matrices)
        Session(network, 1, self._arithmetic)  # names all matrices, which the hooks have to find before the first step

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C) for (B, T, channels) real samples, or integers that double precision holds."""
        shown = _Shown(list(self.neurons))
        session = Session(self._network, len(x), self._arithmetic, Hooks(on_spikes=shown.sent, on_states=shown.states))
        samples = x.numpy().astype(self._arithmetic.dtype)
        for t in range(x.shape[1]):
            done = session.step(samples[:, t])
        return _doubles(done[-1].shown)


def of_float(frozen: FrozenNetwork) -> SteppedNetwork:
    """The float network with hard-max spans; feed it integers times ``frozen.scale``."""
    network = real_network.of(frozen)
    return SteppedNetwork(network, RealArithmetic(), [layer.neuron.parameters["bias"] for layer in network.layers])


def of_integers(network: IntegerNetwork) -> SteppedNetwork:
    """The integer network; feed it its integers, as doubles. Its biases belong to the neurons, not to the synapses."""
    return SteppedNetwork(network, NumpyArithmetic())


class _Watched:
    """Another arithmetic whose products are calls of linear modules, one for each connection or, where every synapse
    has a delay, for each of its lags.
    """

    def __init__(self, inner: Arithmetic, matrices: nn.ModuleDict) -> None:
        self._inner, self._matrices = inner, matrices
        self.dtype = inner.zeros(1, 1).dtype

    def operations(self) -> Operations:
        """Those of the other."""
        return self._inner.operations()

    def zeros(self, batch: int, width: int) -> Value:
        """(B, N) zeros."""
        return self._inner.zeros(batch, width)

    def weights(self, layer: int, connection: int, lag: int, weights: NDArray[Any]) -> nn.Module:
        """The linear module."""
        name = f"layer{layer}_connection{connection}_lag{lag}"
        if name not in self._matrices:
            self._matrices[name] = _linear(weights)
        return self._matrices[name]

    def product(self, x: Value, weights: nn.Module) -> Value:
        """`W x`."""
        return weights(_doubles(x)).numpy().astype(self.dtype)

    def shift(self, a: Value, exponent: int) -> Value:
        """`a 2^e`."""
        return self._inner.shift(a, exponent)


class _Shown:
    """Hooks that show each layer's step to its spiking module."""

    def __init__(self, neurons: Sequence[nn.Module]) -> None:
        self._neurons = neurons
        self._sent: Value = None

    def sent(self, layer: int, t: int, sent: Value) -> Value:
        """What the layer sends, which `states` shows as soon as it knows the membrane."""
        self._sent = sent
        return sent

    def states(self, layer: int, t: int, states: Mapping[str, Value]) -> Mapping[str, Value]:
        """The states, the readout's left out."""
        if layer < len(self._neurons):
            self._neurons[layer](_doubles(self._sent), _doubles(membrane(states)))
        return states


def _linear(weights: NDArray[Any]) -> nn.Linear:
    made = nn.Linear(weights.shape[1], weights.shape[0], bias=False, dtype=torch.float64)
    made.weight.data = _doubles(weights)
    return made


def _doubles(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float64))
