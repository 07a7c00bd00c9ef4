"""CLIF: a second potential counts recent spikes and deepens the reset (Huang et al., ICML 2024, arXiv 2402.04663).

    u[t] = alpha v[t-1] + I[t]
    s[t] = 1 if u[t] >= theta else 0
    m[t] = m[t-1] sigmoid((1 - alpha) u[t]) + s[t]             the complementary potential
    v[t] = u[t] - s[t] (theta + sigmoid(m[t]))

Nothing is learned. alpha = 1 - 1 / tau in the original, whose tau is 2; theta is 1 there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asrc_train.gradients.surrogate import fire
from asrc_train.network.neurons.neuron import Constants, State, Step, require_left_alone
from asrc_train.settings.config import NetworkConfig


class CLIF(nn.Module):
    """Neurons with a membrane and a complementary potential."""

    kind: str | None = "clif"
    missing: str | None = None

    def __init__(self, decay: float, threshold: float, detach_reset: bool) -> None:
        super().__init__()
        self.decay, self.threshold, self.detach_reset = decay, threshold, detach_reset

    def constants(self) -> Constants:
        """Alpha and theta, as the contract's kind takes them."""
        return {"threshold": self.threshold, "decay_factor": self.decay}

    def dynamics(self) -> None:
        """The kernels do not know these neurons."""
        return

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state is (v, m)."""
        silent = torch.zeros_like(like)
        return (silent, silent), self._step

    def _step(self, state: tuple[Tensor, Tensor], current: Tensor) -> tuple[Tensor, State]:
        v, m = state
        u = self.decay * v + current
        s = fire(u - self.threshold)
        m = m * torch.sigmoid((1 - self.decay) * u) + s
        resetting = s.detach() if self.detach_reset else s
        return s, (u - resetting * (self.threshold + torch.sigmoid(m)), m)


def build(config: NetworkConfig, neurons: int, steps: int | None) -> CLIF:
    """Fresh neurons. Raises InvalidSetting for another reset than theirs."""
    require_left_alone(config, "reset", "fires")
    return CLIF(config.decay, config.threshold, config.detach_reset)
