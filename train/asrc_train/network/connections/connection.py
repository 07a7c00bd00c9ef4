"""What a recurrent connection is to a layer: which of its past spikes come back, and what it learns to choose them.

All that is known of a connection stands in its file: besides `build`, what can be said of it before there is one
(`ConnectionFile`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from torch import Tensor, nn

from asrc_train.network import connections
from asrc_train.settings.config import NetworkConfig


class Connection(Protocol):
    """The choice of past spikes r[t] in U r[t], an `nn.Module` whose parameters are its skip logits."""

    @property
    def each_step(self) -> bool:
        """Whether every step makes its own choice."""

    @property
    def missing(self) -> str | None:
        """What the integer contract does instead, and which connection comes closest; None if it holds this one."""

    def taps(self, temperature: float | None) -> Tensor | int:
        """Mixture weights at a temperature, the hard choice without one.

        A span: r[t] = s[t-span]. (K,): r[t] = sum_k taps[k-1] s[t-k]. (T, K), if ``each_step``: a row for each step.
        """

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """The skip logits; none where the span is fixed."""


class ConnectionFile(Protocol):
    """What a connection's file says of a layer of some settings."""

    SETTINGS: tuple[str, ...]
    """Which of `parts.OF_CONNECTIONS` it reads; the others mean nothing to it, and nobody may give them by name."""

    def build(self, config: NetworkConfig, steps: int | None) -> Connection:
        """A fresh connection for one layer; ``steps`` of a sample, where they are known. Raises InvalidSetting."""

    def longest_span(self, config: NetworkConfig) -> int:
        """The longest span that training can give the layer."""

    def most_taps(self, config: NetworkConfig) -> int:
        """At how many spans at once the layer may come to tap its past."""

    def why_not(self, config: NetworkConfig) -> str | None:
        """Which settings of a network it cannot obey, and why; None if it obeys all of them."""

    def title(self, config: NetworkConfig) -> str:
        """What figures call it, with the setting that matters."""

    def short_title(self, config: NetworkConfig) -> str:
        """The same in one or two words, for tables."""


def file_of(config: NetworkConfig) -> ConnectionFile:
    """The file of the configured connection. Raises UnknownName."""
    return cast(ConnectionFile, connections.module(config.connection))


def unequal_kernels(config: NetworkConfig) -> str | None:
    """`why_not` for what layers can share only if their kernels are of one length."""
    lengths = {own.kernel_length for own in config.each_layer()}
    return (
        "shared_span: the layers have kernels of different lengths" if config.shared_span and len(lengths) > 1 else None
    )


def new_connection(config: NetworkConfig, steps: int | None) -> Connection:
    """A fresh connection of the configured kind for one layer; ``steps`` of a sample, where they are known.

    Raises UnknownName, and InvalidSetting for settings that such a connection cannot obey.
    """
    return file_of(config).build(config, steps)


def learns_spans(config: NetworkConfig) -> bool:
    """Whether any layer's connection has skip logits, and so a mixture that a temperature sharpens.

    A network without hidden layers, as one with delays may be, has none.
    """
    return any(True for layer in config.each_layer() for _ in new_connection(layer, 1).parameters())


def longest_span(taps: Tensor | int) -> int:
    """The longest of the spans that taps give any weight."""
    if isinstance(taps, int):
        return taps
    return int(taps.nonzero()[:, -1].max()) + 1


def settled(taps: Tensor | int) -> Tensor | int:
    """The span itself in place of a mixture that has come down to it: its weight is 1, and all the others together are
    less than half of that number's last bit.

    A layer then costs what one of a fixed span costs. The gradient of its skip logits is 0; the softmax would have
    passed on less than such a rounding of the one that reaches the mixture.
    """
    if isinstance(taps, int) or taps.dim() != 1:
        return taps
    weights = taps.detach()
    return int(weights.argmax()) + 1 if weights.max() == 1 == weights.abs().sum() else taps


def weight_of_lags(taps: Tensor | int) -> list[float]:
    """How much each lag from 1 to K weighs, on average over the steps; empty for a span."""
    if isinstance(taps, int):
        return []
    averaged: list[float] = (taps.mean(0) if taps.dim() == 2 else taps).tolist()
    return averaged
