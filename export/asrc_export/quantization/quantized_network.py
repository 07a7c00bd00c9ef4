"""A network that computes, in PyTorch and with gradients, exactly what its integer network computes.

Its parameters are floats. At every call they are rounded by the exporter's own functions (`quantize.layer_at`), at
scales fixed beforehand, and the layers run on the integers so found. Floats hold them: everything is divided by a
power of two, P for each layer, which changes no digit. With the integers of docs/arithmetic.md,

    u / P = decayed(v / P) + (floor(W x 2^e_ff) 2^h + b) / P + (U 2^(e_rec + h) / P) r[t]

is the kernels' equation with a resolution of 1 / P. P is the power nearest to the layer's scale, so that the
surrogate's triangle is as wide as in float training. Backward, every rounding counts as if it were not there
(straight-through), and what lies beyond a grid's ends gets no gradient.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from asrc_core.contract.chain import Readout, SkipLayer
from asrc_core.contract.grid import WeightGrid
from asrc_core.contract.numbers import DECAY_ONE, Ints
from asrc_export.chip.targets import Target
from asrc_export.quantization import taps
from asrc_export.quantization.quantize import feed, layer_at, readout_at, weight_factors
from asrc_export.quantization.scales import Scales
from asrc_train.gradients.straight_through import straight_through
from asrc_train.network.model import SkipRecurrentLayer, SkipRecurrentNetwork
from asrc_train.network.recurrence import Dynamics, driven_recurrence
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.freeze import Floats, freeze

EXACT_IN_SINGLE = 2**24
"""Single precision holds every whole number up to this one."""


class QuantizedNetwork(SkipRecurrentNetwork):
    """A trained network on the grids of a target, its spans frozen. It is fed and trained like the float one.

    Any temperature is ignored, and there is no dropout and no noise: they have no integer counterpart. Batch
    normalisation must have been folded. Exact as long as no membrane can saturate, which `quantize` proves or refuses.
    """

    def __init__(self, start: Checkpoint, scales: Scales, target: Target) -> None:
        assert not start.config.network.batch_norm, "batch normalisation must be folded into the weights"
        super().__init__(start.channels, start.classes, start.config.network)
        self.load_state_dict(dict(start.tensors))
        self._start, self._scales, self._formats = freeze(start), scales, target.formats
        self._grids = tuple(WeightGrid(width) for width in scales.widths)
        self._dtype = self._exact_dtype()

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Logits (B, classes), float64, for real input (T, B, channels)."""
        return self.traced(x, temperature)[0]

    def traced(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and the spikes of every layer, (T, B, N) each."""
        y, spikes = self.accumulated(torch.round(x / self._start.scale))
        return y / self._scales.readout.scale, spikes

    def accumulated(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The readout's accumulators y[T], (B, classes), whole numbers in float64, and the spikes of every layer, for
        integer input (T, B, channels).
        """
        spikes, fed = [], x.to(self._dtype)
        for i, layer in enumerate(self._skip_layers()):
            fed = self._spikes(i, layer, fed)
            spikes.append(fed)
        return self._accumulators(fed), spikes

    def integers(self) -> tuple[list[SkipLayer], Readout]:
        """The layers and the readout that the parameters now stand for."""
        return [self._integer_layer(i, layer) for i, layer in enumerate(self._skip_layers())], self._integer_readout()

    def _integer_layer(self, i: int, layer: SkipRecurrentLayer) -> SkipLayer:
        frozen = replace(
            self._start.layers[i],
            weight=_array(layer.feedforward.weight),
            bias=_array(layer.feedforward.bias),
            recurrent=_array(layer.recurrent.weight),
        )
        heard, unit_in = taps.whole_layer(frozen), feed(self._start, i).unit
        return layer_at(heard, unit_in, self._scales.layers[i], self._grids[i], self._formats)

    def _integer_readout(self) -> Readout:
        weight, bias = _array(self.readout.weight), _array(self.readout.bias)
        return readout_at(weight, bias, self._scales.readout, self._grids[-1], self._formats)

    def _spikes(self, i: int, layer: SkipRecurrentLayer, x: Tensor) -> Tensor:
        made, at = self._integer_layer(i, layer), self._scales.layers[i]
        w_factor, u_factor = weight_factors(feed(self._start, i).unit, at, self._formats)
        u_factor *= taps.gain(self._start.layers[i]) / made.largest_message
        unit = 2.0 ** round(math.log2(made.scale))  # P
        sums = 2.0**made.activation_shift / unit
        grid = self._grids[i]
        on_grid = _weights(layer.feedforward.weight, w_factor, made.feedforward, grid)
        a_ff = self._product(x, on_grid, made.feedforward_exponent)
        bias = self._rounded_bias(layer.feedforward.bias, made.scale, made.bias) / unit
        current = torch.add(bias.to(self._dtype), a_ff, alpha=sums)
        recurrent = _weights(layer.recurrent.weight, u_factor, made.recurrent, grid)
        dynamics = Dynamics(
            decay=(DECAY_ONE - made.decay) / DECAY_ONE,
            threshold=made.threshold / unit,
            reset=made.reset,
            detach_reset=layer.dynamics.detach_reset,
            resolution=1 / unit,
        )
        scaled = (recurrent * (2.0**made.recurrent_exponent * sums)).to(self._dtype)
        return driven_recurrence(current, scaled, _heard(made).to(scaled) if made.taps else made.span, dynamics)

    def _accumulators(self, spikes: Tensor) -> Tensor:
        made = self._integer_readout()
        factor = made.scale / 2.0**made.exponent
        a = self._product(spikes, _weights(self.readout.weight, factor, made.weight, self._grids[-1]), made.exponent)
        bias = self._rounded_bias(self.readout.bias, made.scale, made.bias)
        return a.sum(0, dtype=torch.float64) + len(spikes) * bias

    def _product(self, x: Tensor, weight: Tensor, exponent: int) -> Tensor:
        """shift(W x, e), as the contract has it."""
        a = functional.linear(x, (weight * 2.0**exponent).to(self._dtype))
        return straight_through(a, a.detach().floor()) if exponent < 0 else a

    def _rounded_bias(self, parameter: Tensor, factor: float, integers: Ints) -> Tensor:
        most = self._formats.bias_grid.high
        return _on_grid(parameter, factor, integers, -most, most)

    def _exact_dtype(self) -> torch.dtype:
        """Single precision, if it holds every value: decays that only shift, and sums that stay below 2^24."""
        layers = self.integers()[0]
        kept = [DECAY_ONE - layer.decay for layer in layers]
        only_shift = all(each & (each - 1) == 0 for each in kept)
        recalled = (layer.neurons * layer.largest_message for layer in layers)
        terms = [self._start.channels * self._start.maximum, *recalled]
        sums_fit = max(terms) * -self._grids[0].low < EXACT_IN_SINGLE
        return torch.float32 if only_shift and sums_fit else torch.float64


def _heard(layer: SkipLayer) -> Tensor:
    """The layer's taps as the kernels take them: a weight for each lag up to the longest, (K,)."""
    weights = torch.zeros(layer.span)
    for span, weight in layer.taps:
        weights[span - 1] = weight
    return weights


def _weights(parameter: Tensor, factor: float, integers: Ints, grid: WeightGrid) -> Tensor:
    half = grid.step / 2
    return _on_grid(parameter, factor, integers, grid.low - half, grid.high + half)


def _on_grid(parameter: Tensor, factor: float, integers: Ints, low: float, high: float) -> Tensor:
    """The integers that stand for parameter * factor, float64, with the gradient of that product between the ends."""
    value = (parameter.double() * factor).clamp(low, high)
    return straight_through(value, torch.from_numpy(integers).to(value))


def _array(parameter: Tensor) -> Floats:
    values: Floats = parameter.detach().cpu().double().numpy()
    return values
