"""A network of current-based LIF layers in which every synapse has a weight and a delay of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from asrc_train.kernels.delays.differentiable import Answered, answered
from asrc_train.kernels.delays.dynamics import Cuba, DelayGradient, Gradient
from asrc_train.kernels.delays.layer import DelayLayer, Events, Readout, Run, Synapses, as_events
from asrc_train.network.neurons.cuba_lif import cuba
from asrc_train.settings.config import NetworkConfig


class DelayedSynapses(nn.Module):
    """Weights (N, I) and delays (N, I) in steps: floats, of which a pass takes the nearest whole number.

    Weights start normal, delays uniform between ``least`` and ``start``; delays stay within ``least`` to ``most``.
    """

    def __init__(
        self, shape: tuple[int, int], normal: tuple[float, float], start: float, limits: tuple[int, int]
    ) -> None:
        super().__init__()
        self.least, self.most = limits
        mean, deviation = normal
        # In place: on the meta device, where a checkpoint's shapes are checked, the rest would import the compiler.
        self.weight = nn.Parameter(torch.randn(shape).mul_(deviation).add_(mean))
        self.delay = nn.Parameter(torch.rand(shape).mul_(start - self.least).add_(self.least))

    def clamped(self) -> Tensor:
        """Put delays that have left the limits back on them; which ones those were."""
        with torch.no_grad():
            outside = (self.delay < self.least) | (self.delay > self.most)
            self.delay.clamp_(self.least, self.most)
        return outside


class DelayNetworkLayer(nn.Module):
    """Neurons with synapses from what stands before, ``feedforward``, and maybe from themselves, ``recurrent``."""

    def __init__(self, feedforward: DelayedSynapses, recurrent: DelayedSynapses | None, threshold: float) -> None:
        super().__init__()
        self.feedforward, self.recurrent, self.threshold = feedforward, recurrent, threshold


class DelayNetwork(nn.Module):
    """The equations are those of `kernels.delays.dynamics`, the answers what `NetworkConfig.readout` says.

    ``gradient`` and ``delay_gradient`` say how it is differentiated, ``grazing`` bounds what one spike may weigh in it.
    """

    def __init__(self, channels: int, classes: int, config: NetworkConfig, steps: int | None = None) -> None:
        super().__init__()
        self.dt, self.readout_kind, self._cuba = config.dt, config.readout, cuba(config)
        self._cuba = replace(self._cuba, detach_reset=config.detach_reset)
        *fan_ins, last = channels, *config.hidden
        self.layers = nn.ModuleList(
            _layer(i, inputs, size, own)
            for i, (inputs, size, own) in enumerate(zip(fan_ins, config.hidden, config.each_layer(), strict=True))
        )
        fires = config.readout == "first-spike"
        spread = 1 / math.sqrt(last)
        normal = config.readout_weights or ((spread, spread) if fires else (0.0, 0.5 * spread))
        most = config.max_delay if config.readout_delays else 0
        self.readout = DelayedSynapses((classes, last), normal, min(config.delay_start, most), (0, most))
        self.readout_threshold = config.threshold if fires else None

    def differentiate(self, gradient: Gradient, delay_gradient: DelayGradient, grazing: float) -> None:
        """How `run` is differentiated from now on."""
        self._cuba = replace(self._cuba, gradient=gradient, delay_gradient=delay_gradient, grazing=grazing)

    @property
    def cuba(self) -> Cuba:
        """The constants that all neurons share, in steps."""
        return self._cuba

    def run(self, x: Tensor | Events) -> Answered:
        """Answers of the readout for real input (T, B, channels) or its events: integrators' voltages summed or their
        greatest ones, or first spikes in steps; with the spikes of all layers. Raises InvalidData, InvalidSetting.
        """
        events = as_events(x) if isinstance(x, Tensor) else x
        layers = [
            _as_kernels_take_it(layer.feedforward, layer.recurrent, layer.threshold) for layer in self.hidden_layers()
        ]
        layers.append(_as_kernels_take_it(self.readout, None, self.readout_threshold))
        keep = torch.is_grad_enabled()
        return answered(Run(events, layers, self._cuba, self._read(events.steps), keep))

    def forward(self, x: Tensor | Events, temperature: float | None = None) -> Tensor:
        """Logits (B, classes); a temperature changes nothing."""
        return self.logits(self.run(x).answers)

    def logits(self, answers: Tensor) -> Tensor:
        """The greatest stands for the decision: of first spikes, the earliest, in milliseconds."""
        return -self.dt * answers if self.readout_kind == "first-spike" else answers

    def tallied(self, x: Tensor | Events, temperature: float | None = None) -> tuple[Tensor, list[int]]:
        """Logits, and how often each hidden layer fired in all."""
        done = self.run(x)
        return self.logits(done.answers), [int(n.sum(dtype=torch.float64)) for n in self.hidden_counts(done)]

    def traced(self, x: Tensor | Events, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and the spikes of every hidden layer, (T, B, N) each."""
        events = as_events(x) if isinstance(x, Tensor) else x
        done = self.run(events)
        made = []
        for layer, found in zip(self.hidden_layers(), done.spikes(), strict=False):
            dense = done.answers.new_zeros(events.steps, events.batch, len(layer.feedforward.weight))
            dense[found[:, 1], found[:, 0], found[:, 2]] = 1
            made.append(dense)
        return self.logits(done.answers), made

    def hidden_counts(self, done: Answered) -> list[Tensor]:
        """Spikes (B, N) of each hidden layer."""
        return done.counts[: len(self.layers)]

    @property
    def spans(self) -> list[int]:
        """The longest delay that each layer has, of its recurrent synapses if there are any."""
        return [
            int((layer.recurrent or layer.feedforward).delay.detach().round().max()) for layer in self.hidden_layers()
        ]

    def weight_of_lags(self, temperature: float) -> list[list[float]]:
        """Nothing: each synapse has a delay of its own."""
        return [[] for _ in self.layers]

    def synapses(self) -> Iterator[DelayedSynapses]:
        """All connections, the readout's last."""
        for layer in self.hidden_layers():
            yield from (each for each in (layer.feedforward, layer.recurrent) if each is not None)
        yield self.readout

    def delays(self) -> list[nn.Parameter]:
        """The float delays of all connections, (N, I) each."""
        return [each.delay for each in self.synapses()]

    def weights(self) -> list[nn.Parameter]:
        """The weights of all connections, (N, I) each."""
        return [each.weight for each in self.synapses()]

    def learn(self, what: str) -> None:
        """Train "both", "weights" or "delays"; delays that have nowhere to go never learn."""
        for each in self.synapses():
            each.weight.requires_grad_(what != "delays")
            each.delay.requires_grad_(what != "weights" and each.most > each.least)

    @torch.no_grad()
    def revive(self, counts: Sequence[Tensor], gain: float) -> int:
        """Add ``gain`` to all weights that lead to hidden neurons whose count (N,) is 0; how many neurons these are."""
        revived = 0
        for layer, spikes in zip(self.hidden_layers(), counts, strict=True):
            silent = spikes == 0
            layer.feedforward.weight[silent] += gain
            if layer.recurrent is not None:
                layer.recurrent.weight[silent] += gain
            revived += int(silent.sum())
        return revived

    def hidden_layers(self) -> list[DelayNetworkLayer]:
        """All but the readout."""
        return [layer for layer in self.layers if isinstance(layer, DelayNetworkLayer)]

    def _read(self, steps: int) -> Readout:
        if self.readout_kind in ("maximum", "first-spike"):
            return Readout("first-spike" if self.readout_kind == "first-spike" else "maximum")
        like = self.readout.weight.detach()
        flat = torch.full((steps,), 1 / steps, dtype=like.dtype, device=like.device)
        if self.readout_kind == "mean":
            return Readout("weighted", flat)
        return Readout("weighted", flat * torch.exp(-torch.arange(steps, device=like.device, dtype=like.dtype) / steps))


def _layer(index: int, inputs: int, size: int, config: NetworkConfig) -> DelayNetworkLayer:
    spread = 1 / math.sqrt(inputs)
    normal = (config.hidden_weights if index else config.input_weights) or (spread, spread)
    forward = DelayedSynapses((size, inputs), normal, config.delay_start, (0, config.max_delay))
    back = None
    if config.recurrent:
        normal = config.recurrent_weights or (0.0, 0.3 / math.sqrt(size))
        back = DelayedSynapses((size, size), normal, config.recurrent_delay_start, (1, config.max_delay + 1))
    return DelayNetworkLayer(forward, back, config.threshold)


def _as_kernels_take_it(forward: DelayedSynapses, back: DelayedSynapses | None, threshold: float | None) -> DelayLayer:
    recurrent = None if back is None else Synapses(back.weight, back.delay)
    return DelayLayer(Synapses(forward.weight, forward.delay), recurrent, threshold)
