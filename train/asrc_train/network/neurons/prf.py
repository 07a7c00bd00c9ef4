"""Parallel resonate-and-fire: one complex mode, read as its real part.

After Huang et al., "PRF: parallel resonate and fire neuron for long sequence learning", arXiv:2410.03530, 2024. There
dt multiplies the current, here sqrt(2 (1 - |a|^2)) does; batch normalisation's gain can make the one of the other. The
equations are those of `ssm` with K = 1, without C and D.
"""

from __future__ import annotations

from asrc_train.network.state_space.neurons import StateSpaceNeurons, configured
from asrc_train.settings.config import NetworkConfig

STATE_SPACE = True


def build(config: NetworkConfig, neurons: int, steps: int | None) -> StateSpaceNeurons:
    """Fresh neurons."""
    return configured(config, neurons, steps, modes=1, plain=True)
