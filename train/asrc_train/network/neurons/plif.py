"""PLIF: LIF with a learned decay (Fang et al., "Incorporating Learnable Membrane Time Constant ...", ICCV 2021).

    alpha = sigmoid(w),   one w for each layer, starting where sigmoid(w) is the configured decay

and the equations of `lif`. The original's membrane also scales its input by 1 - alpha; as in the ASRC paper's code, W,
b and U do that here. The integer contract has a decay for each layer, so export loses nothing but its rounding.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from asrc_core.contract.numbers import Fires
from asrc_train.kernels.layer import Dynamics
from asrc_train.network.neurons import lif
from asrc_train.network.neurons.neuron import Constants, State, Step, inverse_sigmoid, require_open_decay
from asrc_train.settings.config import NetworkConfig


class PLIF(nn.Module):
    """LIF neurons that learn their layer's decay."""

    kind: str | None = "lif"
    missing: str | None = None

    def __init__(self, start: Dynamics, fires: Fires = "at") -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(inverse_sigmoid(float(start.decay))))
        self._rest, self._fires = start, fires

    def dynamics(self) -> Dynamics:
        """The constants, with the decay as learned so far."""
        return lif.at_threshold(replace(self._rest, decay=torch.sigmoid(self.w)), self._fires)

    def constants(self) -> Constants:
        """The same, as the contract's kind takes them."""
        return lif.of_kind(replace(self._rest, decay=torch.sigmoid(self.w)), self._fires)

    def begin(self, like: Tensor) -> tuple[State, Step]:
        """The state is v."""
        return torch.zeros_like(like), lif.stepping(self.dynamics())


def build(config: NetworkConfig, neurons: int, steps: int | None) -> PLIF:
    """Fresh neurons. Raises InvalidSetting for a decay of 0 or 1."""
    require_open_decay(config)
    return PLIF(lif.configured(config), config.fires)
