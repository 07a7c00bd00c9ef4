"""TC-LIF: a dendrite that does not leak feeds a soma, which holds it back (Zhang et al., AAAI 2024, arXiv 2308.13250).

    d[t] = D[t-1] + beta_1 S[t-1] + I[t]       dendrite;   beta_1 = -sigmoid(c_1), in (-1, 0)
    u[t] = S[t-1] + beta_2 d[t]                soma;       beta_2 =  sigmoid(c_2), in (0, 1)
    s[t] = 1 if u[t] >= theta else 0
    D[t] = d[t] - gamma s[t]
    S[t] = u[t] - theta s[t]

c_1 and c_2 are learned, one of each for a layer, and start at 0; gamma is 0.5, as in the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asrc_train.gradients.surrogate import fire
from asrc_train.network.neurons.neuron import Constants, State, Step, require_left_alone
from asrc_train.settings.config import NetworkConfig

GAMMA = 0.5

INDIRECT = "have a dendrite"
"""Why a current is not simply added to the membrane of its step."""


class TCLIF(nn.Module):
    """Neurons of two compartments, which learn how strongly these act on each other."""

    kind: str | None = "tc-lif"
    missing: str | None = None

    def __init__(self, threshold: float, detach_reset: bool) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.zeros(2))
        self.threshold, self.detach_reset = threshold, detach_reset

    def constants(self) -> Constants:
        """-beta_1, beta_2, gamma and theta, as the contract's kind takes them."""
        inward, onward = torch.sigmoid(self.c).unbind()
        return {"threshold": self.threshold, "inward": inward, "onward": onward, "drop": GAMMA}

    def dynamics(self) -> None:
        """The kernels do not know these neurons."""
        return

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state is (dendrite, soma)."""
        inward, onward = torch.sigmoid(self.c).unbind()
        silent = torch.zeros_like(like)

        def step(state: tuple[Tensor, Tensor], current: Tensor) -> tuple[Tensor, State]:
            dendrite, soma = state
            dendrite = dendrite - inward * soma + current
            soma = soma + onward * dendrite
            s = fire(soma - self.threshold)
            resetting = s.detach() if self.detach_reset else s
            return s, (dendrite - GAMMA * resetting, soma - self.threshold * resetting)

        return (silent, silent), step


def build(config: NetworkConfig, neurons: int, steps: int | None) -> TCLIF:
    """Fresh neurons. Raises InvalidSetting for a decay, which they do not have, or another reset than theirs."""
    require_left_alone(config, "decay", "reset", "fires")
    return TCLIF(config.threshold, config.detach_reset)
