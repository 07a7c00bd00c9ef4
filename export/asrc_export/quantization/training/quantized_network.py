"""A trained network that computes, in PyTorch and with gradients, exactly what its integer network computes.

Its parameters are floats. At every call they are rounded by the exporter's own functions (`integers.layer_at`), at
scales fixed beforehand, and the layers run on the integers so found.

Skip-recurrent layers of LIF neurons run in the training kernels. Floats hold their integers: everything is divided by a
power of two, P for each layer, which changes no digit. With the integers of docs/arithmetic.md,

    u / P = decayed(v / P) + (floor(W x 2^e_ff) 2^h + b) / P + (U 2^(e_rec + h) / P) r[t]

is the kernels' equation with a resolution of 1 / P. P is the power nearest to the layer's scale, so that the
surrogate's triangle is as wide as in float training. Layers of other kinds, neurons that differ in their constants, and
layers whose recurrent sums are floored (an exponent below 0) run step by step on the contract's operations
(`torch_network`); those of state-space neurons run as the integer network itself, and all at once backward
(`quantized_resonators`). Backward, every rounding counts as if it were not there
(straight-through), and what lies beyond a grid's ends gets no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from asrc_core.contract.chain import Readout
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer
from asrc_core.contract.numbers import DECAY_ONE, Ints
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.errors import InvalidSetting
from asrc_export.chip.targets import Target
from asrc_export.quantization import taps
from asrc_export.quantization.integers import feeds, layer_at, readout_at, rounding, weight_factor
from asrc_export.quantization.resonators import KIND as RESONATOR
from asrc_export.quantization.resonators import balanced_layer, gains_of
from asrc_export.quantization.scales import Scales
from asrc_export.quantization.training.learned_integers import LayerFloats, LearnedLayer
from asrc_export.quantization.training.on_grid import array, on_device, on_grid, weights_on_grid
from asrc_export.quantization.training.quantized_resonators import exact_spikes, passed
from asrc_export.quantization.training.torch_network import TorchArithmetic, TorchNetwork, run
from asrc_train.gradients.straight_through import straight_through
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.recurrence import Dynamics, driven_recurrence
from asrc_train.network.skips import beside
from asrc_train.network.state_space.folding import folded
from asrc_train.network.state_space.layer import StateSpaceLayer
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import freeze
from asrc_train.trained.frozen import FrozenLayer

EXACT_IN_SINGLE = 2**24
"""Single precision holds every whole number up to this one."""


class QuantizedNetwork(SkipRecurrentNetwork):
    """A trained network on the grids of a target, its spans frozen. It is fed and trained like the float one.

    Any temperature is ignored, and there is no dropout and no noise: they have no integer counterpart. Batch
    normalisation must have been folded. Exact as long as no membrane can saturate, which `quantize` proves or refuses.
    """

    def __init__(self, start: Checkpoint, scales: Scales, target: Target) -> None:
        assert not start.config.network.batch_norm, "batch normalisation must be folded into the weights"
        super().__init__(start.channels, start.classes, start.config.network, start.steps)
        self.load_state_dict(dict(start.tensors))
        self._start, self._scales, self._target = freeze(start), scales, target
        self._formats, self._skips = target.formats, start.config.network.skips
        self._grids = tuple(WeightGrid(width) for width in scales.widths)
        self._stepped_layers = [
            layer.name
            for layer, at in zip(self._start.layers, scales.layers, strict=True)
            if layer.kind != RESONATOR and (at.recurrent_exponent < 0 or not _alike(layer))
        ]
        if self._stepped_layers and self.state_space_layers():
            why = "its neurons differ, are not LIF, or their recurrent sums are floored"
            way_out = "fine-tuned beside state-space layers are those that the training kernels know; export without it"
            raise InvalidSetting(f"layer '{self._stepped_layers[0]}'", f"{why}; {way_out}")
        self._detach_reset = start.config.network.detach_reset
        self._dtype = self._exact_dtype()

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Logits (B, classes), float64, for real input (T, B, channels)."""
        return self.traced(x, temperature)[0]

    def packed(self, x: Tensor, temperature: float | None = None) -> None:
        """No kernel keeps the spikes of these layers as bits."""

    def traced(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and the spikes of every layer, (T, B, N) each."""
        y, spikes = self.accumulated(torch.round(x / self._start.scale))
        y = y / self._scales.readout.scale
        return (y / len(x) if isinstance(self.layers[-1], StateSpaceLayer) else y), spikes

    def accumulated(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The readout's accumulators y[T], (B, classes), whole numbers in float64, and the spikes of every layer, for
        integer input (T, B, channels).
        """
        if self._stepped_layers:
            return self._stepped(x)
        layers, readout = self.integers()
        exact = exact_spikes(self._network(layers, readout), x) if self.state_space_layers() else []
        spikes: list[Tensor] = []
        for i, (layer, made) in enumerate(zip(self.hidden_layers(), layers, strict=True)):
            fed = beside(self._skips, x.to(self._dtype), spikes)
            if isinstance(layer, StateSpaceLayer):
                spikes.append(self._passed(i, layer, made, fed, exact[i]))
            else:
                spikes.append(self._spikes(i, layer, made, fed))
        return self._accumulators(spikes[-1], readout), spikes

    def integers(self) -> tuple[list[Layer], Readout]:
        """The layers and the readout that the parameters now stand for."""
        return [self._integer_layer(i, layer) for i, layer in enumerate(self.hidden_layers())], self._integer_readout()

    def _integer_layer(self, i: int, layer: SkipRecurrentLayer | StateSpaceLayer) -> Layer:
        weight, bias = array(layer.feedforward.weight), array(layer.feedforward.bias)
        start = self._start.layers[i]
        if isinstance(layer, StateSpaceLayer):
            own = {**folded(layer.neuron, f"layer '{start.name}'")._asdict(), "bias": bias}
            frozen = replace(start.moved(weight=weight), constants={**start.constants, **own})
        else:
            frozen = start.moved(weight=weight, bias=bias, recurrent=array(layer.recurrent.weight))
        into = feeds(self._start, i)
        return layer_at(
            balanced_layer(taps.whole_layer(frozen)), into, self._scales.layers[i], self._grids[i], self._formats
        )

    def _network(self, layers: Sequence[Layer], readout: Readout) -> IntegerNetwork:
        start = self._start
        entry = InputFormat(start.channels, 0, start.maximum, start.scale)
        last = readout.layer(layers[-1].name, "delay-line")
        return IntegerNetwork(entry, (*layers, last), self._target.name, start.steps)

    def _integer_readout(self) -> Readout:
        weight, bias = array(self.readout.weight), array(self.readout.bias)
        return readout_at(weight, bias, self._scales.readout, self._grids[-1], self._formats)

    def _passed(self, i: int, layer: StateSpaceLayer, made: Layer, x: Tensor, exact: Tensor) -> Tensor:
        source = feeds(self._start, i)[0]
        factor: Any = weight_factor(source, self._scales.layers[i], self._formats)
        factor = on_device(factor * gains_of(array(layer.feedforward.weight), array(layer.feedforward.bias)), x)[
            :, None
        ]
        weights = np.concatenate([each.weights for each in made.connections], axis=1)
        on_grids = weights_on_grid(layer.feedforward.weight, factor, weights, self._grids[i])
        return passed(layer, x * source.unit, on_grids / factor, exact).to(self._dtype)

    def _spikes(self, i: int, layer: SkipRecurrentLayer, made: Layer, x: Tensor) -> Tensor:
        at, grid, p = self._scales.layers[i], self._grids[i], made.neuron.parameters
        *before, back = made.connections
        w_factor, *_, u_factor = (weight_factor(source, at, self._formats) for source in feeds(self._start, i))
        unit = _power(made)  # P
        sums = 2.0 ** p["activation_shift"] / unit
        weights = np.concatenate([each.weights for each in before], axis=1)
        on_grids = weights_on_grid(layer.feedforward.weight, w_factor, weights, grid)
        sizes = [each.inputs for each in before]
        pairs = zip(torch.split(x, sizes, -1), torch.split(on_grids, sizes, 1), strict=True)
        first, *rest = (self._product(fed, weight, before[0].exponent) for fed, weight in pairs)
        a_ff = sum(rest, first)
        bias = self._rounded_bias(layer.feedforward.bias, made.scale, p["bias"]) / unit
        current = torch.add(bias.to(self._dtype), a_ff, alpha=sums)
        recurrent = weights_on_grid(
            layer.recurrent.weight, u_factor * _share(self._start.layers[i], made), back.weights, grid
        )
        dynamics = Dynamics(
            decay=(DECAY_ONE - p["decay"]) / DECAY_ONE,
            threshold=p["threshold"] / unit,
            reset=p["reset"],
            detach_reset=layer.dynamics.detach_reset,
            resolution=1 / unit,
        )
        scaled = (recurrent * (2.0**back.exponent * sums)).to(self._dtype)
        lags = _weight_of_lags(made).to(scaled) if len(back.taps) > 1 else back.longest_lag
        return driven_recurrence(current, scaled, lags, dynamics)

    def _stepped(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`accumulated` on the contract's operations, whatever the neurons' kind."""
        layers = []
        for i, layer in enumerate(self._skip_layers()):
            made, start = self._integer_layer(i, layer), self._start.layers[i]
            *before, _ = made.connections
            units = (*(each.unit for each in feeds(self._start, i)[:-1]), _share(start, made))
            learned = LearnedLayer(made, units, rounding(made.scale, self._formats), _power(made))
            weights = torch.split(layer.feedforward.weight, [each.inputs for each in before], 1)
            floats = LayerFloats((*weights, layer.recurrent.weight), {"bias": layer.feedforward.bias})
            layers.append(learned.rounded(floats, made))
        network = TorchNetwork(tuple(layers))
        arithmetic = TorchArithmetic(network, detach_reset=self._detach_reset)
        _, spikes = run(network, x.double(), arithmetic)
        return self._accumulators(spikes[-1], self._integer_readout()), spikes

    def _accumulators(self, spikes: Tensor, made: Readout) -> Tensor:
        factor = made.scale / 2.0**made.exponent
        a = self._product(
            spikes, weights_on_grid(self.readout.weight, factor, made.weight, self._grids[-1]), made.exponent
        )
        bias = self._rounded_bias(self.readout.bias, made.scale, made.bias)
        return a.sum(0, dtype=torch.float64) + len(spikes) * bias

    def _product(self, x: Tensor, weight: Tensor, exponent: int) -> Tensor:
        """shift(W x, e), as the contract has it."""
        a = functional.linear(x, (weight * 2.0**exponent).to(self._dtype))
        return straight_through(a, a.detach().floor()) if exponent < 0 else a

    def _rounded_bias(self, parameter: Tensor, factor: float, integers: Ints) -> Tensor:
        most = self._formats.bias_grid.high
        return on_grid(parameter.double() * factor, integers, -most, most)

    def _exact_dtype(self) -> torch.dtype:
        """Single precision, if it holds every value: decays that only shift, and sums that stay below 2^24."""
        if self._stepped_layers or self.state_space_layers():
            return torch.float64
        layers = self.integers()[0]
        kept = [DECAY_ONE - layer.neuron.parameters["decay"] for layer in layers]
        only_shift = all(each & (each - 1) == 0 for each in kept)
        recalled = (layer.neurons * _largest_message(layer) for layer in layers)
        terms = [self._start.channels * self._start.maximum, *recalled]
        sums_fit = max(terms) * -self._grids[0].low < EXACT_IN_SINGLE
        return torch.float32 if only_shift and sums_fit else torch.float64


def _alike(layer: FrozenLayer) -> bool:
    """Whether the kernels know the neurons: LIF, and all of a layer alike."""
    if layer.kind != "lif":
        return False
    return not np.ndim(layer.decay) and not np.ndim(layer.threshold) and layer.fires == "at"


def _power(layer: Layer) -> float:
    """The power of two nearest to the layer's scale."""
    return float(2.0 ** round(math.log2(layer.scale)))


def _share(start: FrozenLayer, made: Layer) -> float:
    """What U is multiplied by where several taps weigh whole numbers."""
    return taps.gain(start) / _largest_message(made)


def _largest_message(layer: Layer) -> int:
    return sum(tap.weight for tap in layer.connections[-1].taps)


def _weight_of_lags(layer: Layer) -> Tensor:
    """The taps of U as the kernels take them: a weight for each lag up to the longest, (K,)."""
    back = layer.connections[-1]
    weights = torch.zeros(back.longest_lag)
    for span, weight in back.taps:
        weights[span - 1] = weight
    return weights
