"""GLIF: learned gates between two kinds each of leak, of input and of reset (Yao et al., NeurIPS 2022).

    u[t] = (1 - a (1 - tau)) u[t-1] (1 - g s[t-1]) - (1 - a) leak        exponential or linear leak, hard reset
         + (1 - b (1 - c[t])) I[t]                                       input as it is, or times c[t]
         - (1 - g) drop s[t-1]                                           soft reset
    s[t] = 1 if u[t] >= theta else 0

The gates a, b, g and tau, leak, drop and theta are learned for each neuron, the conductance c for each step and neuron,
all within a sigmoid. They start as in the authors' code: gates within 0.025 of 0.5, at random; theta and drop at 0.5;
leak at 0.25 / T; c at 0.5; but tau at the configured decay. (There u > theta fires; here, as everywhere, u >= theta.)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train.gradients.surrogate import fire
from asrc_train.network.neurons.neuron import (
    Constants,
    State,
    Step,
    inverse_sigmoid,
    require_left_alone,
    require_open_decay,
)
from asrc_train.settings.config import NetworkConfig

THRESHOLD = CONDUCTANCE = 0.5

INDIRECT = "multiply a current by a conductance"
"""Why a current is not simply added to the membrane of its step."""


class GLIF(nn.Module):
    """Neurons that learn all of their constants, one of each for every neuron; the names are those above."""

    def __init__(self, neurons: int, steps: int, decay: float, detach_reset: bool, *, steady: bool = False) -> None:
        super().__init__()

        def starting_at(share: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.full(shape, inverse_sigmoid(share)))

        self.gates = nn.Parameter(0.2 * (torch.rand(3, neurons) - 0.5))  # a, b, g
        self.tau = starting_at(decay, neurons)
        self.leak = starting_at(THRESHOLD / (2 * steps), neurons)
        self.drop = starting_at(THRESHOLD, neurons)
        self.theta = starting_at(THRESHOLD, neurons)
        self.conductance = starting_at(CONDUCTANCE, 1 if steady else steps, neurons)
        self._steady = steady
        self.detach_reset = detach_reset

    @property
    def kind(self) -> str | None:
        """GLIF, whose conductance is one for all steps."""
        return "glif" if self._steady else None

    @property
    def missing(self) -> str | None:
        """A conductance for each step."""
        if self._steady:
            return None
        return (
            "holds one conductance for each neuron, where GLIF learns one for each step and neuron; what comes closest "
            "learns one for all steps: train with `neuron='glif-steady'`"
        )

    def constants(self) -> Constants:
        """What the gates make of the constants, as the contract's kind takes them. Only of steady neurons."""
        together = {name: value for name, value in self._together().items() if name != "hard"}
        return {**together, "hearing": together["hearing"][0]}

    def dynamics(self) -> None:
        """The kernels do not know these neurons."""
        return

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state is (u, s, the number of the step)."""
        p = self._together()
        hearing = p["hearing"].unbind()
        silent = torch.zeros_like(like)

        def step(state: tuple[Tensor, Tensor, int], current: Tensor) -> tuple[Tensor, State]:
            u, s, t = state
            if t == len(hearing) and not self._steady:
                why = f"it has more than the {plural(t, 'step')} for which conductances were learned"
                raise InvalidData("input x", why, "give fewer")
            resetting = s.detach() if self.detach_reset else s
            kept = p["kept"] * u * (1 - p["hard"] * resetting)
            u = kept - p["leak"] + hearing[0 if self._steady else t] * current - p["drop"] * resetting
            s = fire(u - p["threshold"])
            return s, (u, s, t + 1)

        return (silent, silent, 0), step

    def _together(self) -> dict[str, Tensor]:
        """What the equations multiply and subtract, (N,); ``hearing`` for each step, (T, N)."""
        a, b, hard = torch.sigmoid(self.gates)
        kept = 1 - a * (1 - torch.sigmoid(self.tau))
        return {
            "kept": kept,
            "hard": hard,
            "kept_fired": kept * (1 - hard),
            "leak": (1 - a) * torch.sigmoid(self.leak),
            "hearing": 1 - b * (1 - torch.sigmoid(self.conductance)),
            "drop": (1 - hard) * torch.sigmoid(self.drop),
            "threshold": torch.sigmoid(self.theta),
        }


def build(config: NetworkConfig, neurons: int, steps: int | None, *, steady: bool = False) -> GLIF:
    """Fresh neurons. Raises InvalidSetting for a threshold or a reset, which they learn, and for unknown steps."""
    require_left_alone(config, "threshold", "reset", "fires")
    require_open_decay(config)
    if steps is None:
        learns = "its leak starts at a share of the steps" if steady else "it learns a conductance for each step"
        raise InvalidSetting(f"neuron '{config.neuron}'", f"{learns}; say how many a sample has")
    return GLIF(neurons, steps, config.decay, config.detach_reset, steady=steady)
