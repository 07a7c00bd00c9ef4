"""ASRC, the adaptive skip recurrent connection (paper eq. 10-13): a layer learns which span to tap.

    r[t] = sum_{k=1..K} p_k s[t-k],   p = softmax(w / tau)

w starts at 0, so all spans weigh the same; annealing tau sharpens the competition, and at test time p is the hard-max,
which makes the layer an SRC layer of span 1 + argmax w.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asrc_train.network.connections.connection import unequal_kernels
from asrc_train.settings.config import NetworkConfig

SETTINGS: tuple[str, ...] = ("kernel_length",)


class AdaptiveSpan(nn.Module):
    """The skip logits w (K,)."""

    each_step = False
    missing: str | None = None

    def __init__(self, kernel_length: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(kernel_length))

    @property
    def span(self) -> int:
        """1 + argmax w, the lowest of equals."""
        return int(self.logits.argmax()) + 1

    def taps(self, temperature: float | None) -> Tensor | int:
        """Mixture weights (K,) at a temperature, or the hard-max span without one."""
        return self.span if temperature is None else torch.softmax(self.logits / temperature, 0)


def build(config: NetworkConfig, steps: int | None) -> AdaptiveSpan:
    """Fresh logits over the configured kernel length."""
    return AdaptiveSpan(config.kernel_length)


def longest_span(config: NetworkConfig) -> int:
    """K."""
    return config.kernel_length


def most_taps(config: NetworkConfig) -> int:
    """One, at test time."""
    return 1


def why_not(config: NetworkConfig) -> str | None:
    """Layers share logits of one length only."""
    return unequal_kernels(config)


def title(config: NetworkConfig) -> str:
    """`ASRC, K = 16`."""
    return f"ASRC, K = {config.kernel_length}"


def short_title(config: NetworkConfig) -> str:
    """`ASRC 16`."""
    return f"ASRC {config.kernel_length}"
