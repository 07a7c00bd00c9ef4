"""CUBA-LIF: LIF on a current that lasts (current-based synapses), its time constants in milliseconds.

    c[t] = beta c[t-1] + I[t]                 beta  = exp(-dt / tau_synapse)
    u[t] = alpha v[t-1] + gain c[t]           alpha = exp(-dt / tau_membrane)
    s[t] = 1 if u[t] >= theta else 0
    v[t] = u[t] - theta s[t]   (soft reset)   or   u[t] (1 - s[t])   (hard reset)

gain = (1 - alpha) (tau_synapse / dt) (1 - beta) is what a current that decays within a step adds to the membrane on the
whole. The integer contract's `cuba-lif` computes the same with gain c in place of c, so gain folds into the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asrc_train.gradients.surrogate import fire
from asrc_train.kernels.delays.dynamics import Cuba
from asrc_train.kernels.layer import Dynamics
from asrc_train.network.neurons.lif import at_threshold
from asrc_train.network.neurons.neuron import Constants, State, Step, require_left_alone
from asrc_train.settings.config import NetworkConfig

INDIRECT = "have a current that lasts"
"""Why a current is not simply added to the membrane of its step."""


class CubaLIF(nn.Module):
    """Neurons that learn nothing of their own."""

    kind: str | None = "cuba-lif"
    missing: str | None = None

    def __init__(self, cuba: Cuba, dynamics: Dynamics) -> None:
        super().__init__()
        self.cuba, self._dynamics = cuba, dynamics

    def constants(self) -> Constants:
        """What the contract's kind takes, with theta / gain for a current that is not multiplied by gain."""
        return {
            "threshold": float(self._dynamics.threshold) / self.cuba.gain,
            "decay_factor": self.cuba.alpha,
            "current_decay_factor": self.cuba.beta,
            "reset": self._dynamics.reset,
        }

    def dynamics(self) -> None:
        """The kernels of skip-recurrent layers do not know these neurons."""
        return

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state is (c, v)."""
        alpha, beta, gain, dynamics = self.cuba.alpha, self.cuba.beta, self.cuba.gain, self._dynamics

        def step(state: tuple[Tensor, Tensor], current: Tensor) -> tuple[Tensor, State]:
            c = beta * state[0] + current
            u = alpha * state[1] + gain * c
            s = fire(u - dynamics.threshold)
            resetting = s.detach() if dynamics.detach_reset else s
            return s, (c, u - dynamics.threshold * resetting if dynamics.reset == "soft" else u * (1 - resetting))

        silent = torch.zeros_like(like)
        return (silent, silent), step


def cuba(config: NetworkConfig) -> Cuba:
    """The configured time constants, in steps."""
    return Cuba(config.tau_membrane / config.dt, config.tau_synapse / config.dt)


def build(config: NetworkConfig, neurons: int, steps: int | None) -> CubaLIF:
    """Fresh neurons. Raises InvalidSetting for a decay, in whose place they have time constants."""
    require_left_alone(config, "decay")
    dynamics = Dynamics(1.0, config.threshold, config.reset, config.detach_reset)
    return CubaLIF(cuba(config), at_threshold(dynamics, config.fires))
