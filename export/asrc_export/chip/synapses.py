"""In which of a target's encodings a connection's synapses are stored, and how many words of memory they take.

Dense, every weight is stored; sparse, those that are not 0, each with its neuron's index. A connection is stored in
the one that takes fewer words on one core: masks pay where most weights are absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from asrc_export.chip.shape import ConnectionShape
from asrc_export.chip.targets import Encoding, Target


@dataclass(frozen=True)
class Stored:
    """The synapses of a connection to ``neurons`` on a target."""

    connection: ConnectionShape
    neurons: int
    target: Target

    @property
    def synapse_bits(self) -> int:
        """Weight and delay of one."""
        return self.connection.weight_bits + self.connection.delay_bits

    @cached_property
    def sparse(self) -> Encoding | None:
        """The sparse encoding where it takes fewer words of one core that computes all neurons, else None."""
        encoding = self.target.synapses.sparse
        if encoding is None or self.connection.fan_out is None:
            return None
        return encoding if self._sparse_rows(encoding, self.neurons)[0] < self._dense_rows(self.neurons)[0] else None

    @property
    def synapses(self) -> int:
        """How many are stored."""
        if self.sparse is None or self.connection.fan_out is None:
            return self.connection.inputs * self.neurons
        return sum(count * sources for count, sources in self.connection.fan_out)

    @property
    def bits(self) -> int:
        """Of all that are stored, overhead included; prefixes and the rounding to words left out."""
        encoding = self.sparse or self.target.synapses.dense
        return self.synapses * (self.synapse_bits + encoding.overhead.count)

    def rows(self, neurons: int) -> tuple[int, int]:
        """Words of a core that computes so many of the neurons, and of its widest row.

        Which neurons these are is not looked at: a row is taken to lead to as many of them as it leads to in all. A
        share so small that every weight takes fewer words so stores every weight.
        """
        dense = self._dense_rows(neurons)
        return dense if self.sparse is None else min(dense, self._sparse_rows(self.sparse, neurons))

    def least_words(self) -> int:
        """No more than any cut of the neurons takes in all, where it may be sparse.

        A share of n of N neurons has at least n / N of the synapses of each row that `rows` counts.
        """
        each = self.connection.inputs * self.neurons * (self.synapse_bits + self.target.synapses.dense.overhead.count)
        return -(-min(each, self.bits) // self.target.synapses.dense.word.count)

    def _dense_rows(self, neurons: int) -> tuple[int, int]:
        row = self.target.synapses.dense.row_words(neurons, self.synapse_bits)
        return self.connection.inputs * row, row

    def _sparse_rows(self, encoding: Encoding, neurons: int) -> tuple[int, int]:
        fan_out = self.connection.fan_out or ()
        rows = [(encoding.row_words(min(n, neurons), self.synapse_bits), sources) for n, sources in fan_out]
        return sum(words * sources for words, sources in rows), max((words for words, _ in rows), default=0)
