"""The vanilla recurrent network (paper eq. 4): r[t] = s[t - 1]."""

from __future__ import annotations

from asrc_train.network.connections.src import FixedSpan, most_taps, why_not
from asrc_train.settings.config import NetworkConfig

__all__ = ["build", "longest_span", "most_taps", "short_title", "title", "why_not"]

SETTINGS: tuple[str, ...] = ()


def build(config: NetworkConfig, steps: int | None) -> FixedSpan:
    """A span of 1."""
    return FixedSpan(1)


def longest_span(config: NetworkConfig) -> int:
    """1."""
    return 1


def title(config: NetworkConfig) -> str:
    """`vanilla`."""
    return "vanilla"


def short_title(config: NetworkConfig) -> str:
    """`vanilla`."""
    return "vanilla"
