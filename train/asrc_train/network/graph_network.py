"""A network whose layers form a graph, of neurons of any of the contract's kinds: what other tools' networks become.

    a[t] = sum over a layer's connections of  W x[t - span],  or of  sum_j W_ij x_j[t - delay_ij]

The neurons' step is that of their kind (`asrc_core.contract.neurons`) on real numbers, in double precision. Such a
network is run, judged and deployed; it has no gradients, since it is trained elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asrc_core.contract.interpreter import Session
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.contract.operations.real_network import RealConnection, RealLayer, RealNetwork, real_neuron
from asrc_core.contract.synapses.connection import INPUT, span
from asrc_train.settings.config import NetworkConfig
from asrc_train.settings.graph import GraphConnection, GraphLayer


class GraphSynapses(nn.Module):
    """Weights (N, I); a delay for each, where they have no span in common; a mask of those that are there."""

    def __init__(self, shape: tuple[int, int], form: GraphConnection) -> None:
        super().__init__()
        self.form = form
        self.weight = nn.Parameter(torch.zeros(shape), requires_grad=False)
        if form.span is None:
            self.register_buffer("delay", torch.zeros(shape))
        if form.sparse:
            self.register_buffer("mask", torch.zeros(shape, dtype=torch.bool))

    def delays(self) -> np.ndarray[Any, np.dtype[np.int64]] | None:
        """(N, I) in whole steps, or None."""
        return None if self.form.span is not None else self.get_buffer("delay").cpu().numpy().round().astype(np.int64)

    @property
    def longest(self) -> int:
        """The longest lag."""
        return int(self.get_buffer("delay").round().max()) if self.form.span is None else self.form.span


class GraphNeurons(nn.Module):
    """Neurons with what leads to them."""

    def __init__(self, form: GraphLayer, sizes: dict[str, int]) -> None:
        super().__init__()
        self.form = form
        self.connections = nn.ModuleList(
            GraphSynapses((form.neurons, sizes[each.source]), each) for each in form.connections
        )
        for name in form.each:
            self.register_buffer(name, torch.zeros(form.neurons))

    def synapses(self) -> list[GraphSynapses]:
        """All of them, in order."""
        return [each for each in self.connections if isinstance(each, GraphSynapses)]

    def constants(self) -> dict[str, Any]:
        """By the kind's names: floats, names, and arrays (N,) of what each neuron has for itself."""
        shared = {
            name: np.asarray(value) if isinstance(value, tuple) else value
            for name, value in self.form.constants.items()
        }
        return {**shared, **{name: self.get_buffer(name).detach().cpu().double().numpy() for name in self.form.each}}


class GraphNetwork(nn.Module):
    """The graph that ``config.graph`` describes, fed real values (T, B, channels)."""

    def __init__(self, channels: int, classes: int, config: NetworkConfig, steps: int | None = None) -> None:
        super().__init__()
        *hidden, last = config.graph
        sizes = {INPUT: channels, **{form.name: form.neurons for form in hidden}}
        self.layers = nn.ModuleList(GraphNeurons(form, sizes) for form in hidden)
        self.readout = GraphNeurons(last, sizes)
        if last.neurons != classes:
            raise ValueError(f"its last layer has {last.neurons} neurons for {classes} classes")

    def parts(self) -> list[GraphNeurons]:
        """All layers in order, the readout last."""
        return [*(layer for layer in self.layers if isinstance(layer, GraphNeurons)), self.readout]

    @property
    def widths(self) -> list[int]:
        """Neurons of each layer but the readout."""
        return [part.form.neurons for part in self.parts()[:-1]]

    @property
    def spans(self) -> list[int]:
        """The longest lag with which each layer but the readout hears itself, 0 where it does not."""
        return [
            max((each.longest for each in part.synapses() if each.form.source == part.form.name), default=0)
            for part in self.parts()[:-1]
        ]

    def weight_of_lags(self, temperature: float) -> list[list[float]]:
        """Nothing: every span is given."""
        return [[] for _ in self.layers]

    def wired(self) -> RealNetwork:
        """As the interpreter takes it."""
        return RealNetwork(tuple(_layer(part) for part in self.parts()))

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Logits (B, classes): what the readout shows at the last step. A temperature changes nothing."""
        return self.traced(x)[0]

    def tallied(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[int]]:
        """Logits, and how often each hidden layer fired in all."""
        logits, spikes = self.traced(x)
        return logits, [int(each.sum(dtype=torch.float64)) for each in spikes]

    def traced(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and what every hidden layer sent, (T, B, N) each."""
        session = Session(self.wired(), x.shape[1], RealArithmetic())
        sent: list[list[Any]] = [[] for _ in self.layers]
        shown = np.zeros((x.shape[1], self.readout.form.neurons))
        for now in x.detach().cpu().double().numpy():
            *hidden, last = session.step(now)
            shown = last.shown
            for kept, each in zip(sent, hidden, strict=True):
                kept.append(np.asarray(each.sent, np.float32))
        return torch.from_numpy(np.asarray(shown)).float(), [torch.from_numpy(np.stack(each)) for each in sent]


def _layer(part: GraphNeurons) -> RealLayer:
    connections = tuple(
        RealConnection(
            each.form.source,
            each.weight.detach().cpu().double().numpy(),
            span(each.form.span) if each.form.span is not None else (),
            each.delays(),
        )
        for each in part.synapses()
    )
    return RealLayer(part.form.name, connections, real_neuron(part.form.kind, part.constants()))
