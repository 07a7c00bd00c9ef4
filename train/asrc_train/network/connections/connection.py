"""What a recurrent connection is to a layer: which of its past spikes come back, and what it learns to choose them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from asrc_train.network import connections
from asrc_train.settings.config import NetworkConfig


class Connection(Protocol):
    """The choice of past spikes r[t] in U r[t], an `nn.Module` whose parameters are its skip logits."""

    @property
    def each_step(self) -> bool:
        """Whether every step makes its own choice."""

    def taps(self, temperature: float | None) -> Tensor | int:
        """Mixture weights at a temperature, the hard choice without one.

        A span: r[t] = s[t-span]. (K,): r[t] = sum_k taps[k-1] s[t-k]. (T, K), if ``each_step``: a row for each step.
        """

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """The skip logits; none where the span is fixed."""


def new_connection(config: NetworkConfig, steps: int | None) -> Connection:
    """A fresh connection of the configured kind for one layer; ``steps`` of a sample, where they are known.

    Raises UnknownName, and InvalidSetting for settings that such a connection cannot obey.
    """
    made: Connection = connections.module(config.connection).build(config, steps)
    return made


def longest_span(taps: Tensor | int) -> int:
    """The longest of the spans that taps give any weight."""
    if isinstance(taps, int):
        return taps
    return int(taps.nonzero()[:, -1].max()) + 1


def weight_of_lags(taps: Tensor | int) -> list[float]:
    """How much each lag from 1 to K weighs, on average over the steps; empty for a span."""
    if isinstance(taps, int):
        return []
    averaged: list[float] = (taps.mean(0) if taps.dim() == 2 else taps).tolist()
    return averaged
