"""The clocked network that is trained and deployed, and the adjoint of its continuous limit.

Forward, in steps of dt, for every layer in turn, with all states 0 before the first step:

    a[t] = sum_j w_j s_j[t - d_j]             what was sent so many steps ago; d >= 1 from the layer itself
    I[t] = beta I[t-1] + a[t]                 beta  = exp(-dt / tau_s)
    V[t] = alpha V[t-1] + gain I[t]           alpha = exp(-dt / tau_m),  gain = (1 - alpha) (tau_s / dt) (1 - beta)
    s[t] = 1 and V[t] := 0 if V[t] >= theta

which is the contract's kind `cuba-lif`, step by step; ``gain`` folds into the weights there. Leaky integrators are the
same without the last line.

Backward (EventProp: Wunderlich and Pehle, Sci. Rep. 2021; delays: Meszaros et al., Nat. Commun. 2025), with
P = dL/dV = -tau_m lambda_V and Q = dL/dI = -tau_s lambda_I, walked down from the last step:

    P[t] = alpha P[t+1] + dL/dV[t];   Q[t] = beta Q[t+1] + gain P[t]
    at a spike of n:  P_n <- P_n (1 + theta / slope) - tau_m move / slope + dL/dcount_n
    move = dL/dt_n + sum_m w_mn Q'_m[t + d_mn]     what it is worth to move the spike, and with it all its arrivals
    dL/dw_mn = sum_k Q_m[t_k + d_mn];  dL/dd_mn = w_mn sum_k Q'_m[t_k + d_mn]

On whole numbers, as a chip computes, ``whole`` gives both decays in 4,096ths, and each decay rounds toward zero:

    I[t] = trunc(I[t-1] (4096 - d_s) / 4096) + a[t];  V[t] = trunc(V[t-1] (4096 - d_m) / 4096) + I[t]

Weights and thresholds are whole then, and the gain is 1. Backward this rounding counts as if it were not there.

slope = I - theta where V crosses, with the mean current of the step. Q' is (Q[a+1] - Q[a-1]) / 2 ("central"), or
Q / tau_s - P / tau_m at the arrival step ("plain"). Times are in steps here. Arrivals after the last step are lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from asrc_core.contract.numbers import DECAY_ONE

DelayGradient = Literal["central", "plain"]
Gradient = Literal["eventprop", "surrogate"]


@dataclass(frozen=True)
class Cuba:
    """Constants of all neurons: time constants in steps, thresholds apart (each layer has its own).

    ``grazing``: a slope below this share of theta counts as so much, so that a spike that barely happened cannot drown
    all others.
    """

    tau_membrane: float
    tau_synapse: float
    grazing: float = 0.05
    delay_gradient: DelayGradient = "central"
    gradient: Gradient = "eventprop"
    detach_reset: bool = False
    """Surrogate gradients only."""
    whole: tuple[int, int] | None = None
    """Decays of membrane and current in 4,096ths, of networks whose states are whole numbers; their time constants are
    `time_constant` of these. Exact in double precision."""

    @property
    def alpha(self) -> float:
        """What a step leaves of the membrane."""
        return math.exp(-1 / self.tau_membrane) if self.whole is None else 1 - self.whole[0] / DECAY_ONE

    @property
    def beta(self) -> float:
        """What a step leaves of the current."""
        return math.exp(-1 / self.tau_synapse) if self.whole is None else 1 - self.whole[1] / DECAY_ONE

    @property
    def mean_current(self) -> float:
        """Mean over a step of a current that begins it at 1, in units of the membrane."""
        return self.tau_synapse * (1 - self.beta) if self.whole is None else 1 / (1 - self.alpha)

    @property
    def gain(self) -> float:
        """What a current of 1 adds to the membrane in a step."""
        return (1 - self.alpha) * self.mean_current if self.whole is None else 1.0


def time_constant(decay: int) -> float:
    """Steps in which a state falls to 1/e that loses so many 4,096ths of itself in each."""
    return -1 / math.log1p(-decay / DECAY_ONE)
