"""k-ASRC (paper, appendix D.2): a layer learns k spans and how much each of them weighs; all share U.

    r[t] = sum_{i=1..K} p_i s[t-i],   p = sum_{j=1..k} c_j softmax(w_j / tau),   c = softmax(m)

At test time each softmax over lags is its hard-max, so that a layer taps at most k spans at once. With one kernel it
is ASRC, with k = K there is nothing to choose but c: kernel j is lag j. Several kernels start at random (from a normal
distribution): equal ones would get equal gradients and stay equal for ever.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from asrc_core.counts import plural
from asrc_train.network.connections.asrc import longest_span
from asrc_train.network.connections.connection import unequal_kernels
from asrc_train.settings.config import NetworkConfig

__all__ = ["SeveralSpans", "build", "longest_span", "most_taps", "short_title", "title", "why_not"]

SETTINGS: tuple[str, ...] = ("kernels", "kernel_length")


class SeveralSpans(nn.Module):
    """The skip logits w (k, K), which are not there if k = K, and m (k,)."""

    each_step = False
    missing: str | None = None

    def __init__(self, kernels: int, kernel_length: int) -> None:
        super().__init__()
        self.weight_logits = nn.Parameter(torch.zeros(kernels))
        if kernels == kernel_length:
            self.register_parameter("span_logits", None)
            return
        start = torch.zeros(1, kernel_length) if kernels == 1 else torch.randn(kernels, kernel_length)
        self.span_logits = nn.Parameter(start)

    def taps(self, temperature: float | None) -> Tensor | int:
        """Mixture weights (K,); the span itself if, without a temperature, all kernels choose the same one."""
        weights = torch.softmax(self.weight_logits, 0)
        if self.span_logits is None:
            return weights
        if temperature is not None:
            return weights @ torch.softmax(self.span_logits / temperature, 1)
        chosen = self.span_logits.argmax(1)
        if int(chosen.min()) == int(chosen.max()):
            return int(chosen[0]) + 1
        return weights @ functional.one_hot(chosen, self.span_logits.shape[1]).to(weights)


def build(config: NetworkConfig, steps: int | None) -> SeveralSpans:
    """Fresh logits for the configured number of kernels and their length."""
    return SeveralSpans(config.kernels, config.kernel_length)


def most_taps(config: NetworkConfig) -> int:
    """As many as it has kernels, k."""
    return config.kernels


def why_not(config: NetworkConfig) -> str | None:
    """Each kernel chooses another span, and layers share logits of one length only."""
    shortest = min(own.kernel_length for own in config.each_layer())
    if config.kernels > shortest:
        return f"kernels: {config.kernels} cannot choose among {plural(shortest, 'span')} (kernel_length)"
    return unequal_kernels(config)


def title(config: NetworkConfig) -> str:
    """`k-ASRC, K = 16`."""
    return f"k-ASRC, K = {config.kernel_length}"


def short_title(config: NetworkConfig) -> str:
    """`k-asrc`."""
    return "k-asrc"
