"""How a target's cores store synapses."""

from __future__ import annotations

from asrc_export.chip.targets.quantity import Bits, Strict, Synapses, UnitBits


class Encoding(Strict):
    """How the synapses of one input axon are stored on a core: blocks of synapses, each rounded up to memory words."""

    overhead: Bits
    """Bits of a synapse on top of its weight and its delay."""
    block_prefix: Bits
    block_synapses: Synapses | None = None
    """Synapses of a full block; one block for the whole axon if left out."""
    word: UnitBits

    def row_words(self, synapses: int, synapse_bits: int) -> int:
        """Memory words that one axon's synapses take, each of ``synapse_bits`` (weight and delay)."""
        each, prefix, word = synapse_bits + self.overhead.count, self.block_prefix.count, self.word.count
        if self.block_synapses is None:
            return -(-(synapses * each + prefix) // word)
        full, rest = divmod(synapses, self.block_synapses.count)
        words = full * -(-(self.block_synapses.count * each + prefix) // word)
        return words + (-(-(rest * each + prefix) // word) if rest else 0)


class SynapseMemory(Strict):
    """What a synapse costs by encoding. ``dense``: every weight is stored, a zero too. `chip.synapses` chooses."""

    dense: Encoding
    sparse: Encoding | None = None
    """Only non-zero weights are stored, each with its neuron's index."""
