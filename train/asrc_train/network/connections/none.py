"""No recurrent connection: what a layer remembers is in its neurons' states, which all steps at once can compute.

State-space neurons have this one and no other; neurons that are reset have one of the others.
"""

from __future__ import annotations

from typing import NoReturn

from torch import nn

from asrc_train.settings.config import NetworkConfig

SETTINGS: tuple[str, ...] = ()


class Unconnected(nn.Module):
    """What is asked of a connection where there is none."""

    each_step = False
    missing: str | None = None

    def taps(self, temperature: float | None) -> NoReturn:
        """There are none."""
        raise AssertionError("a layer without a recurrent connection has no taps")


def build(config: NetworkConfig, steps: int | None) -> Unconnected:
    """Nothing that learns."""
    return Unconnected()


def longest_span(config: NetworkConfig) -> int:
    """None."""
    return 0


def most_taps(config: NetworkConfig) -> int:
    """None."""
    return 0


def why_not(config: NetworkConfig) -> str | None:
    """Spans to share."""
    return "shared_span: layers without a recurrent connection have no spans to share" if config.shared_span else None


def title(config: NetworkConfig) -> str:
    """What the layers consist of instead."""
    return f"{config.neuron}, not recurrent"


def short_title(config: NetworkConfig) -> str:
    """The same, shorter."""
    return config.neuron
