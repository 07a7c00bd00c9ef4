"""State-space neurons of 4 modes, of which a threshold makes spikes.

`modes`, `window` and `period` make others of them. The equations stand in `network.state_space.neurons`.
"""

from __future__ import annotations

from asrc_train.network.state_space.neurons import StateSpaceNeurons, configured
from asrc_train.settings.config import NetworkConfig

STATE_SPACE = True


def build(config: NetworkConfig, neurons: int, steps: int | None) -> StateSpaceNeurons:
    """Fresh neurons."""
    return configured(config, neurons, steps, modes=4)
