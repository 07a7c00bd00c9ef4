"""A layer of state-space neurons: a feed-forward connection, batch normalisation before the state, no recurrence."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import Unpack

from asrc_core.errors import InvalidSetting
from asrc_train.kernels.state_space.layer import Driven, Normalization, Statistics
from asrc_train.kernels.state_space.run import driven_spikes, state_space_spikes, takes_weights
from asrc_train.network.compiler.compiling import as_it_is
from asrc_train.network.connections.connection import new_connection
from asrc_train.network.neurons.neuron import new_neurons
from asrc_train.network.normalization import EPSILON, BatchNormalization
from asrc_train.network.parts import StateSpaceSettings, require_call, require_whole, require_width
from asrc_train.network.rounding_noise import noisy
from asrc_train.network.sparsity import keep_absent, sparsify
from asrc_train.network.state_space.neurons import StateSpaceNeurons
from asrc_train.settings.config import NetworkConfig, network_config


class StateSpaceLayer(nn.Module):
    """s = neurons(W x + b), all steps at once; the equations stand in `neurons`.

    W and b start as PyTorch's Linear does; a share of W may be absent (`sparsity`). Batch normalisation comes after W,
    and folds into it when frozen; dropout multiplies a neuron's current by 0 or 1 / (1 - p) over a whole sample. In
    training, W may carry noise (`rounding_noise`). ``neuron`` is ssm, prf, frssm or pssm; ``settings`` are those of
    `NetworkConfig`; ``steps`` of a sample scale the neurons' time constants. Raises InvalidSetting.
    """

    in_kernels = True
    in_stack = False
    span = 0
    where = ""
    """What errors call it, with a comma, in a network."""

    def __init__(
        self,
        inputs: int,
        size: int,
        neuron: str = "ssm",
        *,
        steps: int | None = None,
        **settings: Unpack[StateSpaceSettings],
    ) -> None:
        require_width("inputs", inputs)
        require_width("size", size)
        if steps is not None:
            require_whole("steps", steps)
        named = {"neuron": neuron, "connection": "none", "hidden": (size,)}
        self._make(inputs, size, network_config({**named, **settings}, type(self).__name__), steps)

    @classmethod
    def of(cls, inputs: int, size: int, config: NetworkConfig, steps: int | None) -> StateSpaceLayer:
        """The layer that a network's settings describe."""
        made = cls.__new__(cls)
        made._make(inputs, size, config, steps)
        return made

    def _make(self, inputs: int, size: int, config: NetworkConfig, steps: int | None) -> None:
        super().__init__()
        self.config, self.named = config, True
        neurons = new_neurons(config, size, steps)
        if not isinstance(neurons, StateSpaceNeurons):
            raise InvalidSetting("neuron", f"'{config.neuron}' is no state-space neuron; take ssm, prf, frssm or pssm")
        self.feedforward = nn.Linear(inputs, size)
        if config.sparsity:
            sparsify(self.feedforward, config.sparsity)
        self.neuron = neurons
        self.connection = new_connection(config, steps)
        self.dropout, self.rounding_noise = config.dropout, config.rounding_noise
        self.normalization = BatchNormalization(size) if config.batch_norm else None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a copy, or of one that was stored: its absent weights get no gradient either."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        if "mask" in dict(self.feedforward.named_buffers()):
            keep_absent(self.feedforward)

    def __repr__(self) -> str:
        size, inputs = self.feedforward.weight.shape
        of = self.neuron
        return (
            f"{type(self).__name__}({inputs} -> {size}, {self.config.neuron}, modes {of.modes}, period {of.period}, "
            f"window {1 if of.window is None else of.window.shape[1]})"
        )

    @as_it_is
    def forward(self, x: Tensor, temperature: float | None = None) -> Tensor:
        """Spikes (T, B, N) for input (T, B, I), causal, each sample from a state of 0; a temperature changes nothing.

        Raises InvalidData and InvalidSetting for what does not fit.
        """
        require_call(x, temperature, self.feedforward.in_features)
        layer = self.driven(x.shape[1])
        if not takes_weights(x, layer.neurons):
            return state_space_spikes(self.current(x, layer), layer.neurons, self.where)
        spikes, statistics = driven_spikes(x, [layer])
        self.seen(statistics[0], x.shape[0] * x.shape[1])
        return spikes

    def driven(self, batch: int) -> Driven:
        """The layer as the kernels take it: while training with noise on W, normalisation, and dropout's gain."""
        weight, bias, of, norm = *self._weights(), self.neuron.resonators(), self.normalization
        if not self.training:
            return Driven(weight, bias, of, where=self.where)
        given = None if norm is None else Normalization(norm.gamma, norm.beta, EPSILON)
        gain = nn.functional.dropout(weight.new_ones(batch, len(bias)), self.dropout) if self.dropout else None
        return Driven(weight, bias, of, given, gain, self.where)

    def seen(self, statistics: Statistics | None, count: int) -> None:
        """Move the running averages by a batch's statistics over ``count`` values of each neuron."""
        if self.normalization is not None and statistics is not None:
            self.normalization.seen(*statistics, count)

    def current(self, x: Tensor, layer: Driven | None = None) -> Tensor:
        """What the states are fed, (T, B, N): normalised, and silenced by dropout while training."""
        layer = layer or self.driven(x.shape[1])
        u = nn.functional.linear(x, layer.weight, layer.bias)
        if layer.normalization is not None and self.normalization is not None:
            u = self.normalization(u)
        return u if layer.gain is None else u * layer.gain

    def _weights(self) -> tuple[Tensor, Tensor]:
        """W and b as they are in use: with noise while training, normalisation folded in afterwards."""
        weight, bias = self.feedforward.weight, self.feedforward.bias
        if self.training:
            return (weight if self.rounding_noise is None else noisy(weight, self.rounding_noise)), bias
        return (weight, bias) if self.normalization is None else self.normalization.folded(weight, bias)
