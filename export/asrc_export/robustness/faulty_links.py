"""Links that lose or delay messages, as a hook of the contract's interpreter."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.operations.operations import Value
from asrc_core.contract.wiring import Wired
from asrc_export.robustness.subject import Links


class Link:
    """One connection's messages under way, step by step."""

    def __init__(self, links: Links, stream: tuple[int, ...]) -> None:
        self._loss, self._jitter = np.float32(links.loss), links.jitter
        self._rng = np.random.default_rng((links.seed, *stream))
        self._due: deque[NDArray[Any]] = deque()
        """What arrives in this step and the next ones."""

    def through(self, sent: NDArray[Any]) -> NDArray[Any]:
        """What arrives (B, I) in the step in which ``sent`` (B, I) is sent."""
        kept = sent
        if self._loss:
            kept = sent * (self._rng.random(sent.shape, np.float32) >= self._loss)
        if not self._jitter:
            return kept
        late = self._rng.integers(0, self._jitter + 1, sent.shape, np.uint8)
        while len(self._due) <= self._jitter:
            self._due.append(np.zeros_like(sent))
        for delay, due in enumerate(self._due):
            due += kept * (late == delay)
        return self._due.popleft()


class FaultyLinks:
    """The hook `on_message`: a link for each connection from a layer; what the input sends arrives as ever.

    ``batch`` numbers the random streams together with the connection's source and its place among those that lead away
    from it.
    """

    def __init__(self, network: Wired, links: Links, batch: int) -> None:
        self._links = {
            at: Link(links, (batch, source, path))
            for source in range(len(network.layers))
            for path, at in enumerate(leading_away(network, source))
        }

    def __call__(self, layer: int, connection: int, t: int, x: Value) -> Value:
        """What arrives."""
        link = self._links.get((layer, connection))
        return x if link is None else link.through(x)


def leading_away(network: Wired, source: int) -> list[tuple[int, int]]:
    """The connections from a layer, by the layer it leads to and its place there: those onward, then those back."""
    found = [
        (i, j)
        for i, layer in enumerate(network.layers)
        for j, each in enumerate(layer.connections)
        if network.place(each.source) == source
    ]
    return sorted(found, key=lambda at: (at[0] <= source, at))
