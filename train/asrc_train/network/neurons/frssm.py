"""State-space neurons that rest for 3 steps after each spike: `SpikingFRssm`, as read here.

After Zhang, "Revisiting Reset Mechanisms in Spiking Neural Networks for Sequential Modeling", arXiv:2504.17751, 2025,
of which no equation could be read: a reconstruction from its abstract. The equations are those of `ssm`.
"""

from __future__ import annotations

from asrc_train.network.state_space.neurons import StateSpaceNeurons, configured
from asrc_train.settings.config import NetworkConfig

STATE_SPACE = True


def build(config: NetworkConfig, neurons: int, steps: int | None) -> StateSpaceNeurons:
    """Fresh neurons."""
    return configured(config, neurons, steps, modes=4, period=3)
