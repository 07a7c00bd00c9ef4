"""A span for each step (paper, appendix D.1): ASRC whose every time step makes its own choice.

    r[t] = sum_{k=1..K} p[t]_k s[t-k],   p[t] = softmax(w[t] / tau)

T x K skip logits, hence samples of a known number of steps. On a chip, the place at which a delay line is tapped would
have to move at every step, so such a network is not deployed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from asrc_core.errors import InvalidSetting
from asrc_train.network.connections.asrc import longest_span, most_taps, why_not
from asrc_train.settings.config import NetworkConfig

__all__ = ["SpanPerStep", "build", "longest_span", "most_taps", "short_title", "title", "why_not"]

SETTINGS: tuple[str, ...] = ("kernel_length",)


class SpanPerStep(nn.Module):
    """The skip logits w (T, K)."""

    each_step = True
    missing: str | None = (
        "taps a delay line at places that stay, where this connection moves them at every step; 'asrc' comes closest"
    )

    def __init__(self, steps: int, kernel_length: int) -> None:
        super().__init__()
        self.step_logits = nn.Parameter(torch.zeros(steps, kernel_length))

    def taps(self, temperature: float | None) -> Tensor:
        """Mixture weights (T, K) at a temperature; one-hot rows, the lowest of equals, without one."""
        if temperature is not None:
            return torch.softmax(self.step_logits / temperature, 1)
        chosen = self.step_logits.argmax(1)
        return functional.one_hot(chosen, self.step_logits.shape[1]).to(self.step_logits)


def build(config: NetworkConfig, steps: int | None) -> SpanPerStep:
    """Fresh logits over the configured kernel length. Raises InvalidSetting if the steps are not known."""
    if steps is None:
        raise InvalidSetting("connection 'per-step'", "it learns a span for each step; say how many a sample has")
    return SpanPerStep(steps, config.kernel_length)


def title(config: NetworkConfig) -> str:
    """`per-step, K = 16`."""
    return f"per-step, K = {config.kernel_length}"


def short_title(config: NetworkConfig) -> str:
    """`per-step`."""
    return "per-step"
