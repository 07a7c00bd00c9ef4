"""LIF: the leaky integrate-and-fire neuron of the paper (eq. 1-3), with fixed constants.

    u[t] = alpha v[t-1] + I[t]                       I = W x + b + U r
    s[t] = 1 if u[t] >= theta else 0                 (or u[t] > theta, if the layer ``fires`` above)
    v[t] = u[t] - theta s[t]   (soft reset)   or   u[t] (1 - s[t])   (hard reset)

alpha, theta, the kind of reset and whether theta itself fires are settings of the network or of a layer.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from asrc_core.contract.numbers import Fires
from asrc_train.gradients.surrogate import fire
from asrc_train.kernels.layer import Dynamics, fired_at
from asrc_train.network.neurons.neuron import Constants, State, Step
from asrc_train.settings.config import NetworkConfig


class LIF(nn.Module):
    """Neurons that learn nothing of their own."""

    kind: str | None = "lif"
    missing: str | None = None

    def __init__(self, dynamics: Dynamics, fires: Fires = "at") -> None:
        super().__init__()
        self._dynamics, self._fires = dynamics, fires

    def dynamics(self) -> Dynamics:
        """The constants, of a theta that is fired at."""
        return at_threshold(self._dynamics, self._fires)

    def constants(self) -> Constants:
        """The same, as the contract's kind takes them."""
        return of_kind(self._dynamics, self._fires)

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state is v."""
        return torch.zeros_like(like), stepping(self.dynamics())


def stepping(dynamics: Dynamics) -> Step:
    """The equations above, for constants that may be learned."""

    def step(v: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        u = dynamics.decay * v + current
        s = fire(u - dynamics.threshold)
        resetting = s.detach() if dynamics.detach_reset else s
        return s, u - dynamics.threshold * resetting if dynamics.reset == "soft" else u * (1 - resetting)

    return step


def of_kind(dynamics: Dynamics, fires: Fires) -> Constants:
    """The constants of the contract's `lif`, firing at theta unless told otherwise."""
    constants = {"threshold": dynamics.threshold, "decay_factor": dynamics.decay, "reset": dynamics.reset}
    return constants if fires == "at" else {**constants, "fires": fires}


def at_threshold(dynamics: Dynamics, fires: Fires) -> Dynamics:
    """The constants with which firing at theta is what firing so is."""
    return replace(dynamics, threshold=fired_at(float(dynamics.threshold), fires))


def configured(config: NetworkConfig) -> Dynamics:
    """The configured constants of a layer."""
    return Dynamics(config.decay, config.threshold, config.reset, config.detach_reset)


def build(config: NetworkConfig, neurons: int, steps: int | None) -> LIF:
    """Fresh neurons."""
    return LIF(configured(config), config.fires)
