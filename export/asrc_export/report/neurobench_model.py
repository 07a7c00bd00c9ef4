"""A skip-recurrent network as the neurobench package can watch it: one module call for each layer and step.

NeuroBench counts through hooks on `nn.Linear` and on spiking modules, so what runs inside a kernel, over all steps
at once, is invisible to it. Here the same equations run step by step in double precision: of the frozen float network
(`asrc_train.network.recurrence`), or of the integer network (docs/arithmetic.md), whose integers doubles hold exactly.

Importing this module needs the neurobench and snntorch packages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from snntorch import SpikingNeuron
from torch import Tensor, nn

from asrc_core.contract.arithmetic import accumulate, fire, shift
from asrc_core.contract.chain import Readout, SkipLayer
from asrc_core.contract.connection import Tap
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_train.trained.freeze import FrozenLayer, FrozenNetwork, WeightedTap

Fire = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From the membrane after the last reset and the two connections' sums to the next membrane and the spikes."""
Accumulate = Callable[[Tensor, Tensor], Tensor]
"""From the accumulator and the readout's sum to the next accumulator."""


class Neurons(SpikingNeuron):  # type: ignore[misc]
    """A layer's neurons as the hooks look for them: a spiking module that keeps its membrane in ``mem``."""

    def __init__(self, rule: Fire) -> None:
        nn.Module.__init__(self)  # not snnTorch's own: its buffers would count as our footprint
        self.init_hidden, self.output = True, False
        self.mem = torch.zeros(())
        self._rule = rule

    def forward(self, feedforward: Tensor, recurrent: Tensor) -> Tensor:
        """Spikes (B, N) of one step."""
        self.mem, spikes = self._rule(self.mem, feedforward, recurrent)
        return spikes


class SteppedLayer(nn.Module):
    """W, U and the neurons, called once a step; ``taps`` says how many steps back U taps, and with what weight."""

    def __init__(
        self, feedforward: nn.Linear, recurrent: nn.Linear, taps: Sequence[Tap | WeightedTap], rule: Fire
    ) -> None:
        super().__init__()
        self.feedforward, self.recurrent, self.neurons = feedforward, recurrent, Neurons(rule)
        self.taps = tuple(taps)

    def forward(self, x: Tensor, past: list[Tensor]) -> Tensor:
        """Spikes (B, N) for input (B, I) and the layer's own spikes (B, N) of the steps before, the last one last."""
        recalled = sum((weight * past[-span] for span, weight in self.taps), torch.zeros_like(past[-1]))
        spikes: Tensor = self.neurons(self.feedforward(x), self.recurrent(recalled))
        return spikes


class SteppedNetwork(nn.Module):
    """All layers step by step, and the readout's accumulator."""

    def __init__(self, layers: list[SteppedLayer], readout: nn.Linear, rule: Accumulate) -> None:
        super().__init__()
        self.layers, self.readout = nn.ModuleList(layers), readout
        self._rule = rule

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C) for (B, T, channels) real samples, or integers that double precision holds."""
        layers = [layer for layer in self.layers if isinstance(layer, SteppedLayer)]
        silent = [x.new_zeros(len(x), layer.recurrent.in_features) for layer in layers]
        past: list[list[Tensor]] = [[none] * layer.taps[-1].span for layer, none in zip(layers, silent, strict=True)]
        for layer, none in zip(layers, silent, strict=True):
            layer.neurons.mem = none
        y = x.new_zeros(len(x), self.readout.out_features)
        for t in range(x.shape[1]):
            fed = x[:, t]
            for layer, mine in zip(layers, past, strict=True):
                fed = layer(fed, mine)
                mine.append(fed)
                del mine[0]
            y = self._rule(y, self.readout(fed))
        return y


def of_float(frozen: FrozenNetwork) -> SteppedNetwork:
    """The float network with hard-max spans; feed it integers times ``frozen.scale``."""
    layers = [
        SteppedLayer(_linear(each.weight, each.bias), _linear(each.recurrent), each.heard, partial(_fire_real, each))
        for each in frozen.layers
    ]
    return SteppedNetwork(layers, _linear(frozen.readout_weight, frozen.readout_bias), torch.add)


def of_integers(network: IntegerNetwork) -> SteppedNetwork:
    """The integer network; feed it its integers, as doubles. Its biases belong to the neurons, not to the synapses."""
    layers = [
        SteppedLayer(_linear(each.feedforward), _linear(each.recurrent), each.heard, partial(_fire_integer, each))
        for each in network.layers
    ]
    return SteppedNetwork(layers, _linear(network.readout.weight), partial(_accumulate_integer, network.readout))


def _linear(weight: NDArray[np.generic], bias: NDArray[np.generic] | None = None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, dtype=torch.float64)
    made.weight.data = torch.from_numpy(weight.astype(np.float64))
    if bias is not None:
        made.bias.data = torch.from_numpy(bias.astype(np.float64))
    return made


def _fire_real(layer: FrozenLayer, v: Tensor, a_ff: Tensor, a_rec: Tensor) -> tuple[Tensor, Tensor]:
    u = layer.decay * v + a_ff + a_rec
    s = (u >= layer.threshold).to(u.dtype)
    return (u - layer.threshold * s if layer.reset == "soft" else u * (1 - s)), s


def _fire_integer(layer: SkipLayer, v: Tensor, a_ff: Tensor, a_rec: Tensor) -> tuple[Tensor, Tensor]:
    fired = fire(
        _integers(v),
        shift(_integers(a_ff), layer.feedforward_exponent),
        shift(_integers(a_rec), layer.recurrent_exponent),
        bias=layer.bias,
        decay_constant=layer.decay,
        activation_shift=layer.activation_shift,
        threshold=layer.threshold,
        reset=layer.reset,
    )
    return _doubles(fired.v), _doubles(fired.s)


def _accumulate_integer(readout: Readout, y: Tensor, a: Tensor) -> Tensor:
    return _doubles(accumulate(_integers(y), shift(_integers(a), readout.exponent), readout.bias)[0])


def _integers(values: Tensor) -> Ints:
    return values.numpy().astype(np.int64)


def _doubles(values: Ints) -> Tensor:
    return torch.from_numpy(values.astype(np.float64))
