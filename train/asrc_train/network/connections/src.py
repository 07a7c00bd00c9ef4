"""SRC, the skip recurrent connection (paper eq. 9): r[t] = s[t - span], the span a setting."""

from __future__ import annotations

from torch import nn

from asrc_train.settings.config import NetworkConfig

SETTINGS: tuple[str, ...] = ("span",)


class FixedSpan(nn.Module):
    """r[t] = s[t - span]; learns nothing."""

    each_step = False
    missing: str | None = None

    def __init__(self, span: int) -> None:
        super().__init__()
        self.span = span

    def taps(self, temperature: float | None) -> int:
        """The span; a temperature changes nothing."""
        return self.span


def build(config: NetworkConfig, steps: int | None) -> FixedSpan:
    """The configured span."""
    return FixedSpan(config.span)


def longest_span(config: NetworkConfig) -> int:
    """The configured span."""
    return config.span


def most_taps(config: NetworkConfig) -> int:
    """One."""
    return 1


def why_not(config: NetworkConfig) -> str | None:
    """It has nothing to share."""
    if config.shared_span:
        return f"shared_span: nothing is learned for {config.connection} that layers could share"
    return None


def title(config: NetworkConfig) -> str:
    """`SRC, span 8`."""
    return f"SRC, span {config.span}"


def short_title(config: NetworkConfig) -> str:
    """`SRC 8`."""
    return f"SRC {config.span}"
