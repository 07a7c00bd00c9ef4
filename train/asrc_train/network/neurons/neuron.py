"""What a neuron model is to a layer: a state, a step, and what the integer contract would have to hold for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from asrc_core.errors import InvalidSetting
from asrc_train.kernels.layer import Dynamics
from asrc_train.network import neurons
from asrc_train.settings.config import NetworkConfig

State = Any
"""What a neuron keeps from one step to the next: tensors (B, N), or a tuple of them."""
Constants = Mapping[str, Any]
Step = Callable[[State, Tensor], tuple[Tensor, State]]
"""From the state and the whole current of a step, (B, N), to the spikes (B, N) and the next state."""


class Neuron(Protocol):
    """The neurons of one layer, an `nn.Module` whose parameters are what they learn."""

    @property
    def kind(self) -> str | None:
        """The contract's kind of neuron that computes the same on integers, or None if there is none."""

    def constants(self) -> Constants:
        """The floats of that kind (`Kind.constants`) without the bias, as learned so far: one for all, or (N,)."""

    @property
    def missing(self) -> str | None:
        """What the integer contract does instead, and which neuron comes closest; None if it has a kind for them."""

    def dynamics(self) -> Dynamics | None:
        """The constants with which the kernels' equations are these neurons', or None if they are others."""

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state before a sample's first step, for a current (B, N) like this one, and the step function."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """What the neurons learn."""


def new_neurons(config: NetworkConfig, width: int, steps: int | None) -> Neuron:
    """Fresh neurons of the configured kind for a layer of ``width``; ``steps`` of a sample, where they are known.

    Raises UnknownName, and InvalidSetting for settings that these neurons cannot obey.
    """
    made: Neuron = neurons.module(config.neuron).build(config, width, steps)
    return made


def inverse_sigmoid(share: float) -> float:
    """The w with sigmoid(w) = share."""
    return math.log(share / (1 - share))


def require_open_decay(config: NetworkConfig) -> None:
    """Raise InvalidSetting if a sigmoid cannot start at the configured decay."""
    if not 0 < config.decay < 1:
        why = f"it learns its decay within a sigmoid, which cannot start at {config.decay:g}; choose between 0 and 1"
        raise InvalidSetting(f"neuron '{config.neuron}'", why)


def require_left_alone(config: NetworkConfig, *fields: str) -> None:
    """Raise InvalidSetting if a setting that these neurons do not have is not the default one."""
    for field in fields:
        default = NetworkConfig.model_fields[field].default
        if getattr(config, field) != default:
            why = f"it has a {field} of its own, which is not '{getattr(config, field)}'; leave {field} away"
            raise InvalidSetting(f"neuron '{config.neuron}'", why)
