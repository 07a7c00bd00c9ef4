"""The vanilla recurrent network (paper eq. 4): r[t] = s[t - 1]."""

from __future__ import annotations

from asrc_train.network.connections.src import FixedSpan
from asrc_train.settings.config import NetworkConfig


def build(config: NetworkConfig, steps: int | None) -> FixedSpan:
    """A span of 1."""
    return FixedSpan(1)
