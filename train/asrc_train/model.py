"""The network: skip-recurrent layers one on top of the other, and a readout summed over time."""

from __future__ import annotations

from torch import Tensor, nn

from asrc_train.config import NetworkConfig
from asrc_train.connection import AdaptiveSpan, FixedSpan
from asrc_train.recurrence import Dynamics, skip_recurrence


class SkipRecurrentLayer(nn.Module):
    """LIF neurons with a feed-forward and a skip-recurrent connection; the equations stand in `recurrence`.

    W and b start as PyTorch's Linear does, U orthogonal.
    """

    def __init__(self, inputs: int, neurons: int, connection: AdaptiveSpan | FixedSpan, dynamics: Dynamics) -> None:
        super().__init__()
        self.feedforward = nn.Linear(inputs, neurons)
        self.recurrent = nn.Linear(neurons, neurons, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)
        self.connection = connection
        self.dynamics = dynamics

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Spikes (T, B, N) for input (T, B, I); hard-max span unless a temperature is given."""
        return skip_recurrence(
            x,
            self.feedforward.weight,
            self.feedforward.bias,
            self.recurrent.weight,
            self.connection.taps(temperature),
            self.dynamics,
        )


class SkipRecurrentNetwork(nn.Module):
    """logits = sum_t (W_o s[t] + b_o) over the spikes s of the last layer."""

    def __init__(self, channels: int, classes: int, config: NetworkConfig) -> None:
        super().__init__()
        dynamics = Dynamics(config.decay, config.threshold, config.reset, config.detach_reset)
        fan_ins = (channels, *config.hidden[:-1])
        self.layers = nn.ModuleList(
            SkipRecurrentLayer(inputs, neurons, connection(config), dynamics)
            for inputs, neurons in zip(fan_ins, config.hidden, strict=True)
        )
        self.readout = nn.Linear(config.hidden[-1], classes)

    def spikes(self, x: Tensor, temperature: float | None = None) -> list[Tensor]:
        """Spikes of every layer, (T, B, N) each, for real input (T, B, channels)."""
        outputs = []
        for layer in self.layers:
            x = layer(x, temperature)
            outputs.append(x)
        return outputs

    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Logits (B, classes); softmax mixture at a temperature, hard-max spans without one."""
        return self.decide(self.spikes(x, temperature)[-1])

    def decide(self, spikes: Tensor) -> Tensor:
        """Logits (B, classes) from the last layer's spikes. The sum over time moves inside the linear map."""
        logits: Tensor = nn.functional.linear(spikes.sum(0), self.readout.weight) + len(spikes) * self.readout.bias
        return logits

    @property
    def spans(self) -> list[int]:
        """Each layer's span as it would be frozen now."""
        return [each.span for each in self._connections()]

    def skip_logits(self) -> list[nn.Parameter]:
        """The parameters that choose spans; empty unless the connection is adaptive."""
        return [each.logits for each in self._connections() if isinstance(each, AdaptiveSpan)]

    def _connections(self) -> list[AdaptiveSpan | FixedSpan]:
        return [layer.connection for layer in self.layers if isinstance(layer, SkipRecurrentLayer)]


def connection(config: NetworkConfig) -> AdaptiveSpan | FixedSpan:
    """A fresh recurrent connection of the configured kind."""
    if config.connection == "asrc":
        return AdaptiveSpan(config.kernel_length)
    return FixedSpan(1 if config.connection == "vanilla" else config.span)
