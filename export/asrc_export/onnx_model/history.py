"""What a source sent in the last steps, as a state of the model's `Scan`: bits of a word, or numbers one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import LINE_BITS, MAX_MESSAGE
from asrc_core.contract.ranges import Range
from asrc_core.contract.synapses.connection import Connection
from asrc_export.onnx_model.nodes import Nodes, Port


@dataclass(frozen=True)
class Words:
    """The last ``depth`` spikes of each of ``width`` neurons, bit 0 the latest: (B, I)."""

    width: int
    depth: int

    @property
    def dtype(self) -> DTypeLike:
        """A word that holds them."""
        return np.uint32 if self.depth <= LINE_BITS else np.uint64

    def port(self, name: str) -> Port:
        """The state."""
        return Port(name, self.dtype, (self.width,))

    def push(self, g: Nodes, held: str, sent: str) -> str:
        """The words after one more step."""
        older = g("BitShift", held, g.integers(1, self.dtype), direction="LEFT")
        return g("BitwiseOr", older, g.cast(sent, self.dtype))

    def back(self, g: Nodes, held: str, position: int) -> str:
        """What was pushed ``position`` pushes ago, 1 the last: messages (B, I)."""
        return self._bits(g, held, g.integers(1 << (position - 1), self.dtype))

    def all_back(self, g: Nodes, held: str, positions: Sequence[int]) -> str:
        """The same for several positions, side by side: (B, positions x I)."""
        bits = np.array([[1 << (position - 1)] for position in positions], np.uint64)
        spread = g("Unsqueeze", held, g.integers([1], np.int64))
        return g("Flatten", self._bits(g, spread, g.integers(bits, self.dtype)), axis=1)

    def _bits(self, g: Nodes, held: str, bit: str) -> str:
        return g.cast(g.cast(g("BitwiseAnd", held, bit), np.bool_), np.uint8)


@dataclass(frozen=True)
class Ring:
    """The last ``depth`` messages of each of ``width`` neurons, the latest first: (B, depth, I)."""

    width: int
    depth: int
    dtype: DTypeLike

    def port(self, name: str) -> Port:
        """The state."""
        return Port(name, self.dtype, (self.depth, self.width))

    def push(self, g: Nodes, held: str, sent: str) -> str:
        """The messages after one more step."""
        latest = g("Unsqueeze", sent, g.integers([1], np.int64))
        if self.depth == 1:
            return latest
        ends = (g.integers([end], np.int64) for end in (0, self.depth - 1, 1))  # from, to, axis
        return g("Concat", latest, g("Slice", held, *ends), axis=1)

    def back(self, g: Nodes, held: str, position: int) -> str:
        """What was pushed ``position`` pushes ago, 1 the last: messages (B, I)."""
        return g("Gather", held, g.integers(position - 1, np.int64), axis=1)

    def all_back(self, g: Nodes, held: str, positions: Sequence[int]) -> str:
        """The same for several positions, side by side: (B, positions x I)."""
        chosen = g("Gather", held, g.integers([each - 1 for each in positions], np.int64), axis=1)
        return g("Flatten", chosen, axis=1)


History: TypeAlias = Words | Ring


def histories(network: IntegerNetwork) -> dict[str, History]:
    """For each source that is connected with a lag, what has to be kept of it."""
    depths: dict[str, int] = {}
    widths: dict[str, int] = {}
    for layer in network.layers:
        for each in layer.connections:
            widths[each.source] = each.inputs
            depths[each.source] = max(depths.get(each.source, 0), _depth(each))
    return {
        source: Words(widths[source], depth)
        if network.sent(source).is_bit
        else Ring(widths[source], depth, message_type(network.sent(source)))
        for source, depth in depths.items()
        if depth
    }


def is_immediate(connection: Connection) -> bool:
    """Whether all of it has a lag of 0."""
    return connection.lags == (0,)


def is_stacked(connection: Connection) -> bool:
    """Whether synapses differ in what they weigh, so that messages of all lags stand side by side."""
    return connection.delays is not None and not is_immediate(connection)


def row_count(connection: Connection) -> int:
    """How many messages enter a connection's product: one for each input, or for each lag that occurs and input."""
    return connection.inputs * (len(connection.lags) if is_stacked(connection) else 1)


def _depth(connection: Connection) -> int:
    """How many messages are kept for a connection; what is weighed in the same step is pushed first."""
    if is_immediate(connection):
        return 0
    return connection.longest_lag + (1 if connection.lags[0] == 0 else 0)


def message_type(sent: Range) -> DTypeLike:
    """The type in which messages enter a product.

    Not up to 255: older x86 kernels add pairs of 8-bit products in 16 bits, and two of 255 * -128 would saturate there.
    """
    return np.uint8 if sent.low >= 0 and sent.high <= MAX_MESSAGE else np.int32
