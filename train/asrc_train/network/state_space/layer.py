"""A layer of state-space neurons: a feed-forward connection, batch normalisation before the state, no recurrence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from asrc_core.errors import InvalidSetting
from asrc_train.kernels.state_space.layer import Resonators
from asrc_train.kernels.state_space.run import normalized_spikes, state_space_spikes
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
        of = self.neuron.resonators()
        if self.training and self.normalization is not None and not self.dropout:
            spikes = self._normalized_in_the_kernel(x, of)
            if spikes is not None:
                return spikes
        return state_space_spikes(self.current(x), of, self.where)

    def current(self, x: Tensor) -> Tensor:
        """What the states are fed, (T, B, N): normalised, and silenced by dropout while training."""
        if not self.training:
            weight, bias = self.feedforward.weight, self.feedforward.bias
            if self.normalization is None:
                return nn.functional.linear(x, weight, bias)
            return nn.functional.linear(x, *self.normalization.folded(weight, bias))
        u = self._projected(x)
        if self.normalization is not None:
            u = self.normalization(u)
        return u * nn.functional.dropout(torch.ones_like(u[0]), self.dropout) if self.dropout else u

    def _projected(self, x: Tensor) -> Tensor:
        """W x + b while training."""
        weight: Tensor = self.feedforward.weight
        if self.rounding_noise is not None:
            weight = noisy(weight, self.rounding_noise)
        return nn.functional.linear(x, weight, self.feedforward.bias)

    def _normalized_in_the_kernel(self, x: Tensor, of: Resonators) -> Tensor | None:
        """Spikes, the batch normalised on the way, where a kernel does that."""
        norm = self.normalization
        assert norm is not None
        projected = self._projected(x)
        found = normalized_spikes(projected, of, norm.gamma, norm.beta, EPSILON, self.where)
        if found is None:
            return None
        norm.seen(found[1], found[2], x.shape[0] * x.shape[1])
        return found[0]
