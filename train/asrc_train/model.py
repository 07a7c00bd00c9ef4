"""The network: skip-recurrent layers one on top of the other, and a readout summed over time."""

from __future__ import annotations

from torch import Tensor, nn

from asrc_train.config import NetworkConfig
from asrc_train.connection import AdaptiveSpan, FixedSpan
from asrc_train.normalization import BatchNormalization
from asrc_train.recurrence import Dynamics, SkipLayer, driven_recurrence, skip_recurrence, spike_counts


class SkipRecurrentLayer(nn.Module):
    """LIF neurons with a feed-forward and a skip-recurrent connection; the equations stand in `recurrence`.

    W and b start as PyTorch's Linear does, U orthogonal. Dropout multiplies a neuron's feed-forward current by 0 or
    1 / (1 - p), the same over all steps of a sample; batch normalisation comes after it.
    """

    def __init__(
        self,
        inputs: int,
        neurons: int,
        connection: AdaptiveSpan | FixedSpan,
        dynamics: Dynamics,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.feedforward = nn.Linear(inputs, neurons)
        self.recurrent = nn.Linear(neurons, neurons, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)
        self.connection = connection
        self.dynamics = dynamics
        self.dropout = dropout
        self.normalization = BatchNormalization(neurons) if batch_norm else None

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Spikes (T, B, N) for input (T, B, I); hard-max span unless a temperature is given."""
        if self.needs_batch:
            return self._normalized(x, temperature)
        weight, bias = self._affine()
        taps, gain = self.connection.taps(temperature), self._gain(x.shape[1])
        return skip_recurrence(x, weight, bias, self.recurrent.weight, taps, self.dynamics, gain)

    @property
    def needs_batch(self) -> bool:
        """Whether the layer's current now depends on the whole batch, so that it cannot run as one of a stack."""
        return self.training and self.normalization is not None

    def prepared(self, batch: int, temperature: float | None) -> SkipLayer:
        """What `forward` runs unless it needs the batch, for running several layers at once."""
        weight, bias = self._affine()
        taps = self.connection.taps(temperature)
        return SkipLayer(weight, bias, self.recurrent.weight, taps, self.dynamics, self._gain(batch))

    def _affine(self) -> tuple[Tensor, Tensor]:
        weight, bias = self.feedforward.weight, self.feedforward.bias
        return (weight, bias) if self.normalization is None else self.normalization.folded(weight, bias)

    def _normalized(self, x: Tensor, temperature: float | None) -> Tensor:
        assert self.normalization is not None
        current = self.feedforward(x)
        gain = self._gain(x.shape[1])
        if gain is not None:
            current = current * gain
        taps = self.connection.taps(temperature)
        return driven_recurrence(self.normalization(current), self.recurrent.weight, taps, self.dynamics)

    def _gain(self, batch: int) -> Tensor | None:
        if not self.training or self.dropout == 0:
            return None
        weight = self.feedforward.weight
        return nn.functional.dropout(weight.new_ones(batch, len(weight)), self.dropout)


class SkipRecurrentNetwork(nn.Module):
    """logits = sum_t (W_o s[t] + b_o) over the spikes s of the last layer."""

    def __init__(self, channels: int, classes: int, config: NetworkConfig) -> None:
        super().__init__()
        fan_ins = (channels, *config.hidden[:-1])
        self.layers = nn.ModuleList(
            SkipRecurrentLayer(inputs, neurons, connection(own), _dynamics(own), config.dropout, config.batch_norm)
            for inputs, neurons, own in zip(fan_ins, config.hidden, config.each_layer(), strict=True)
        )
        self.readout = nn.Linear(config.hidden[-1], classes)

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Logits (B, classes) for real input (T, B, channels).

        Softmax mixture at a temperature, hard-max spans without one.
        """
        if any(layer.needs_batch for layer in self._skip_layers()):
            return self.traced(x, temperature)[0]
        layers = [layer.prepared(x.shape[1], temperature) for layer in self._skip_layers()]
        return self._decide(spike_counts(x, layers), len(x))

    def traced(self, x: Tensor, temperature: float | None = None) -> tuple[Tensor, list[Tensor]]:
        """The same logits, and the spikes of every layer, (T, B, N) each."""
        steps, outputs = len(x), []
        for layer in self._skip_layers():
            x = layer(x, temperature)
            outputs.append(x)
        return self._decide(x.sum(0), steps), outputs

    def _decide(self, counts: Tensor, steps: int) -> Tensor:
        """The readout summed over time: the sum moves inside the linear map."""
        return nn.functional.linear(counts, self.readout.weight) + steps * self.readout.bias

    @property
    def spans(self) -> list[int]:
        """Each layer's span as it would be frozen now."""
        return [each.span for each in self._connections()]

    def skip_logits(self) -> list[nn.Parameter]:
        """The parameters that choose spans; empty unless the connection is adaptive."""
        return [each.logits for each in self._connections() if isinstance(each, AdaptiveSpan)]

    def normalization_parameters(self) -> list[nn.Parameter]:
        """Gains and shifts of batch normalisation; empty without it."""
        return [p for layer in self._skip_layers() if layer.normalization for p in layer.normalization.parameters()]

    def _connections(self) -> list[AdaptiveSpan | FixedSpan]:
        return [layer.connection for layer in self._skip_layers()]

    def _skip_layers(self) -> list[SkipRecurrentLayer]:
        return [layer for layer in self.layers if isinstance(layer, SkipRecurrentLayer)]


def _dynamics(config: NetworkConfig) -> Dynamics:
    return Dynamics(config.decay, config.threshold, config.reset, config.detach_reset)


def connection(config: NetworkConfig) -> AdaptiveSpan | FixedSpan:
    """A fresh recurrent connection of the configured kind."""
    if config.connection == "asrc":
        return AdaptiveSpan(config.kernel_length)
    return FixedSpan(1 if config.connection == "vanilla" else config.span)
