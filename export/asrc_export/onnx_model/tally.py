"""Counting events per sample: all of a step's, of all layers, by one product of bits with small weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from asrc_core.contract.numbers import Ints
from asrc_export.onnx_model.nodes import Nodes

_DIGIT_BITS = 7
"""A weight enters the product as digits of so many bits, which signed bytes hold."""


@dataclass
class Tally:
    """Sums over events, each 0 or 1 and counted so many times, and how outputs are made of them."""

    events: list[tuple[str, Ints]] = field(default_factory=list)
    shares: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """For each output: its column, the sum that counts for it, and how many times."""

    def count(self, output: str, column: int, events: str, times: Ints, each: int = 1) -> None:
        """Let the sum over ``events`` (B, W) uint8, weighted by ``times`` (W,), count ``each`` in a column."""
        known = (i for i, (name, before) in enumerate(self.events) if name == events and np.array_equal(before, times))
        place = next(known, len(self.events))
        if place == len(self.events):
            self.events.append((events, times))
        self.shares.setdefault(output, []).append((column, place, each))

    @property
    def sums(self) -> int:
        """K, how many numbers are counted."""
        return sum(_digits(times).shape[1] for _, times in self.events)

    def counted(self, g: Nodes) -> str:
        """The numbers of one step, (B, K) int64."""
        weights, row, column = np.zeros((sum(len(times) for _, times in self.events), self.sums), np.int8), 0, 0
        for _, times in self.events:
            rows, columns = _digits(times).shape
            weights[row : row + rows, column : column + columns] = _digits(times)
            row, column = row + rows, column + columns
        names = [name for name, _ in self.events]
        events = names[0] if len(names) == 1 else g("Concat", *names, axis=1)
        return g.cast(g("MatMulInteger", events, g.integers(weights, np.int8)), np.int64)

    def weights(self, output: str, columns: int) -> Ints:
        """(K, columns): the numbers times these are the output."""
        digits = [_digits(times).shape[1] for _, times in self.events]
        made = np.zeros((sum(digits), columns), np.int64)
        for column, place, each in self.shares.get(output, []):
            for digit in range(digits[place]):
                made[sum(digits[:place]) + digit, column] += each << (_DIGIT_BITS * digit)
        return made


def _digits(times: Ints) -> Ints:
    """The weights' digits, (W, D), the lowest first; at least one."""
    count = max(1, -(-int(times.max()).bit_length() // _DIGIT_BITS))
    digits: Ints = (times[:, np.newaxis] >> (_DIGIT_BITS * np.arange(count))) & (2**_DIGIT_BITS - 1)
    return digits
