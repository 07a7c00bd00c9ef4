"""A trained network with a delay for each synapse that learns on the grids of a target.

Training passes run the integers themselves in the kernels of the float network: weights, thresholds and decays rounded
by the exporter's own functions (`integers.layer_at`), at scales fixed beforehand, and states that lose their fraction
in each step (`Cuba.whole`), so that every spike of a training pass is one that the chip fires. Backward, EventProp
takes every rounding as if it were not there (straight-through), and what lies beyond a grid's ends gets no gradient.
Only a readout's weights over time are floats there; so without gradients, where epochs are compared and scores are
found, the integer network runs on an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.result import Result
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.connection import Connection
from asrc_export.chip.targets import Target
from asrc_export.engines import select
from asrc_export.quantization import quantize
from asrc_export.quantization.integers import Feed, deciding_at, drive, feeds, layer_at, weight_factor, with_shift
from asrc_export.quantization.quantize import Plan
from asrc_export.quantization.scales import LayerScales, Scales
from asrc_export.quantization.training.learning_network import LearningNetwork
from asrc_export.quantization.training.most_drive import most_drive
from asrc_export.quantization.training.on_grid import weights_on_grid
from asrc_train.kernels.delays.differentiable import Answered, answered
from asrc_train.kernels.delays.dynamics import Cuba, time_constant
from asrc_train.kernels.delays.layer import DelayLayer, Events, Run, Synapses, as_events
from asrc_train.network.delay_network import DelayedSynapses, DelayNetwork
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenNetwork

SHRINK = 63 / 64
"""Weights that must become smaller become at least that much smaller, so that their rounding follows."""


class QuantizedDelayNetwork(DelayNetwork):
    """A trained network with delays on the grids of a target. It is fed and trained like the float one."""

    def __init__(self, start: Checkpoint, scales: Scales, target: Target) -> None:
        super().__init__(start.channels, start.classes, start.config.network, start.steps)
        self.load_state_dict(dict(start.tensors))
        self._start, self._scales, self._formats = start, scales, target.formats
        self._grids = tuple(WeightGrid(width) for width in scales.widths)
        frozen = freeze(start)
        self._made = quantize.quantize(frozen, target, bits=scales.bits, plan=Plan(frozen, scales)).network
        self._cuba = _rounded(self._cuba, self._made.layers[-1])
        shifts = [each.neuron.parameters["activation_shift"] for each in self._made.layers]
        self._most = [
            most_drive(layer, feeds(frozen, i), with_shift(self._formats, int(shift)), start.steps)
            for i, (layer, shift) in enumerate(zip(self._made.layers, shifts, strict=True))
        ]

    def integers(self) -> IntegerNetwork:
        """The network that the parameters now stand for; that nothing saturates, only `quantize` proves."""
        return replace(self._made, layers=self._layers(self._frozen()))

    def result(self, x: Tensor | Events, *, trace: bool = False) -> Result:
        """What the integer network computes for real input (T, B, channels) or its events."""
        events = as_events(x) if isinstance(x, Tensor) else x
        return select.engine().run(self.integers(), self._samples(events), trace=trace)

    def accumulated(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the readout shows at last, (B, C), and the spikes of the hidden layers, for integer input
        (T, B, channels): the integers once more, on PyTorch's operations.
        """
        return LearningNetwork(self.integers(), learned=()).accumulated(x)

    def forward(self, x: Tensor | Events, temperature: float | None = None) -> Tensor:
        """Logits (B, classes): with gradients those of the rounded parameters, else the integer network's."""
        return super().forward(x) if torch.is_grad_enabled() else self.tallied(x)[0]

    def tallied(self, x: Tensor | Events, temperature: float | None = None) -> tuple[Tensor, list[int]]:
        """The integer network's logits, and how often each of its hidden layers fired in all."""
        done = self.result(x)
        return torch.from_numpy(done.logits), [each.spikes for each in done.counts[:-1]]

    def traced(self, x: Tensor | Events, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The integer network's logits, and the spikes of its hidden layers, (T, B, N) each."""
        done = self.result(x, trace=True)
        assert done.trace is not None
        return torch.from_numpy(done.logits), [torch.from_numpy(each.spikes) for each in done.trace.layers]

    def run(self, x: Tensor | Events) -> Answered:
        """As of the float network, at the values that the integers stand for."""
        events = as_events(x) if isinstance(x, Tensor) else x
        frozen, made = self._within()
        layers = [
            self._in_kernels(frozen, i, own, layer)
            for i, (own, layer) in enumerate(zip(self._connections(), made, strict=True))
        ]
        whole = events._replace(value=(events.value.double() / self._start.scale).round())
        read = self._read(events.steps)
        if read.weights is not None:
            read = read._replace(weights=read.weights.double())
        done = answered(Run(whole, layers, self._cuba, read, torch.is_grad_enabled()))
        if read.kind == "first-spike":
            return done
        return done._replace(answers=done.answers * (replace(self._cuba, whole=None).gain / made[-1].scale))

    def _connections(self) -> list[list[DelayedSynapses]]:
        """Of every layer, the readout last."""
        layers = self.hidden_layers()
        hidden = [[each for each in (layer.feedforward, layer.recurrent) if each is not None] for layer in layers]
        return [*hidden, [self.readout]]

    def _within(self) -> tuple[FrozenNetwork, tuple[Layer, ...]]:
        """The network as it is and its integers, once weights are shrunk that have outgrown what states hold.

        Of a neuron to which too much of one sign could arrive, the weights of that sign are.
        """
        while True:
            frozen = self._frozen()
            made = self._layers(frozen)
            grown = [self._shrink(frozen, i, layer) for i, layer in enumerate(made)]
            if not any(grown):
                return frozen, made

    def _shrink(self, frozen: FrozenNetwork, i: int, made: Layer) -> bool:
        """Whether weights of the layer had to be; what they round to may still be too much."""
        low, high = drive(made.connections, feeds(frozen, i))
        shares = [
            np.where(reached > most, np.minimum(most / np.maximum(reached, 1), SHRINK), 1.0)
            for reached, most in zip((high, -low), self._most[i], strict=True)
        ]
        if all((each == 1).all() for each in shares):
            return False
        for each in self._connections()[i]:
            w = each.weight.data
            above, below = (torch.as_tensor(share, dtype=w.dtype, device=w.device)[:, None] for share in shares)
            w.mul_(torch.where(w > 0, above, below))
        return True

    def _frozen(self) -> FrozenNetwork:
        tensors: Mapping[str, Tensor] = {name: each.detach().cpu() for name, each in self.state_dict().items()}
        return freeze(replace(self._start, tensors=tensors))

    def _layers(self, frozen: FrozenNetwork) -> tuple[Layer, ...]:
        assert frozen.decides is not None
        hidden = [
            layer_at(layer, feeds(frozen, i), at, grid, self._formats)
            for i, (layer, at, grid) in enumerate(zip(frozen.layers, self._scales.layers, self._grids, strict=False))
        ]
        into = feeds(frozen, len(hidden))
        return *hidden, deciding_at(frozen.decides, into, self._scales.readout, self._grids[-1], self._formats)

    def _in_kernels(self, frozen: FrozenNetwork, i: int, own: list[DelayedSynapses], made: Layer) -> DelayLayer:
        """A layer as the kernels take it: its integers, shifted as they will be when they arrive."""
        at = [*self._scales.layers, self._scales.readout.of_layer()][i]
        first, *back = (
            Synapses(self._weights(each, source, at, connection, made, i), each.delay)
            for each, source, connection in zip(own, feeds(frozen, i), made.connections, strict=True)
        )
        theta = made.neuron.parameters.get("threshold")
        return DelayLayer(first, back[0] if back else None, None if theta is None else float(theta))

    def _weights(
        self, own: DelayedSynapses, source: Feed, at: LayerScales, connection: Connection, made: Layer, i: int
    ) -> Tensor:
        factor = weight_factor(source, at, with_shift(self._formats, at.activation_shift))
        whole = weights_on_grid(own.weight, factor, connection.weights, self._grids[i])
        return whole.double() * 2.0 ** (connection.exponent + int(made.neuron.parameters["activation_shift"]))

    def _samples(self, events: Events) -> NDArray[np.uint8]:
        """The integers (B, T, channels) that the events were made of."""
        samples = np.zeros((events.batch, events.steps, events.channels), np.uint8)
        sample = np.repeat(np.arange(events.batch), np.diff(events.first.cpu().numpy()))
        values = np.rint(events.value.cpu().double().numpy() / self._start.scale)
        samples[sample, events.step.cpu().numpy(), events.channel.cpu().numpy()] = values
        return samples


def _rounded(cuba: Cuba, readout: Layer) -> Cuba:
    """The constants with the decays that the integers have, which all layers share."""
    decays = int(readout.neuron.parameters["decay"]), int(readout.neuron.parameters["current_decay"])
    membrane, synapse = map(time_constant, decays)
    return replace(cuba, tau_membrane=membrane, tau_synapse=synapse, whole=decays)
