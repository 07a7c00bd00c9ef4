"""The recurrent connections of the paper: which past spikes a layer hears, and how it learns to choose."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FixedSpan(nn.Module):
    """r[t] = s[t - span]: the skip recurrent connection (SRC, eq. 9); span 1 is the vanilla RSNN (eq. 4)."""

    def __init__(self, span: int) -> None:
        super().__init__()
        self.span = span

    def taps(self, temperature: float | None) -> Tensor | int:
        """The span; a temperature changes nothing."""
        return self.span


class AdaptiveSpan(nn.Module):
    """r[t] = sum_{k=1..K} p_k s[t-k], p = softmax(w / tau): ASRC (eq. 10-13).

    w starts at 0, so all spans weigh the same; annealing tau sharpens the competition, and at test
    time p is the hard-max, which makes the layer an SRC layer of span 1 + argmax w.
    """

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
