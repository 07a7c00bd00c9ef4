"""SRC, the skip recurrent connection (paper eq. 9): r[t] = s[t - span], the span a setting."""

from __future__ import annotations

from torch import nn

from asrc_train.settings.config import NetworkConfig


class FixedSpan(nn.Module):
    """r[t] = s[t - span]; learns nothing."""

    each_step = False

    def __init__(self, span: int) -> None:
        super().__init__()
        self.span = span

    def taps(self, temperature: float | None) -> int:
        """The span; a temperature changes nothing."""
        return self.span


def build(config: NetworkConfig, steps: int | None) -> FixedSpan:
    """The configured span."""
    return FixedSpan(config.span)
