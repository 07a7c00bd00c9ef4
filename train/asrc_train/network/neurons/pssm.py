"""State-space neurons behind a learned window of 4 steps, as the sliding PSN has it: `SpikingPssm`, as read here.

After Zhang, arXiv:2504.17751, 2025, of which no equation could be read: a reconstruction from its abstract; the window
is that of Fang et al., "Parallel spiking neurons with high efficiency and ability to learn long-term dependencies",
2023.
The equations are those of `ssm`.
"""

from __future__ import annotations

from asrc_train.network.state_space.neurons import StateSpaceNeurons, configured
from asrc_train.settings.config import NetworkConfig

STATE_SPACE = True


def build(config: NetworkConfig, neurons: int, steps: int | None) -> StateSpaceNeurons:
    """Fresh neurons."""
    return configured(config, neurons, steps, modes=4, window=4)
