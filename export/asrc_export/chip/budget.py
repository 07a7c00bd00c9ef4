"""What neurons of a layer ask of a neuro-core, and what the core has.

A core that computes n neurons of a layer stores, for each of the layer's S sources (the neurons or channels before it,
and its own neurons if it is recurrent), an input axon and a row of n synapses. Each of its neurons needs an output
axon for every core that it sends to. Everything is arithmetic over these counts, nothing looks at a synapse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from asrc_core.contract.numbers import Mapping
from asrc_export.chip.shape import LayerShape
from asrc_export.chip.target import Target, delay_bits

UNITS = {
    "neurons": "neurons",
    "synaptic_memory": "bits",
    "core_memory": "bits",
    "input_axons": "axons",
    "output_axons": "axons",
    "output_axons_to_other_chips": "axons",
    "delay_slots": "entries",
    "neuron_groups": "entries",
    "synapse_formats": "entries",
}
"""Every budget of a core that a target may limit."""


def limits_of(target: Target) -> dict[str, int]:
    """The budgets of one core; a budget without a public figure is left out."""
    given = target.limits
    quantities = {
        "neurons": given.neurons_per_core,
        "synaptic_memory": given.synaptic_memory_per_core,
        "core_memory": given.core_memory,
        "input_axons": given.input_axons_per_core,
        "output_axons": given.output_axons_per_core,
        "output_axons_to_other_chips": given.output_axons_to_other_chips,
        "delay_slots": given.delay_slots_per_core,
        "neuron_groups": given.neuron_groups_per_core,
        "synapse_formats": given.synapse_formats_per_core,
    }
    return {name: quantity.count for name, quantity in quantities.items() if quantity is not None}


def stored_delay_bits(layer: LayerShape, mapping: Mapping) -> int:
    """Delay bits of the layer's recurrent synapses: a span of lambda steps is a delay of lambda - 1."""
    return delay_bits(layer.span - 1) if mapping == "synaptic-delay" and layer.span else 0


@dataclass(frozen=True)
class Demand:
    """What shares of one layer ask of a core, on a target, under a mapping."""

    layer: LayerShape
    target: Target
    delay_bits: int
    _known: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict, compare=False, repr=False)

    def row_bits(self, neurons: int) -> int:
        """Synaptic memory of the widest input axon of a share of ``neurons``."""
        encoding = self.target.synapses.dense
        return encoding.row_words(neurons, self.layer.weight_bits + self.delay_bits) * encoding.word.count

    def synaptic_bits(self, neurons: int) -> int:
        """Synaptic memory of a share of ``neurons``: a row for each source."""
        encoding, layer = self.target.synapses.dense, self.layer
        words = layer.inputs * encoding.row_words(neurons, layer.weight_bits)
        if layer.span:
            words += layer.neurons * encoding.row_words(neurons, layer.weight_bits + self.delay_bits)
        return words * encoding.word.count

    def of(self, neurons: int, destinations: int) -> dict[str, int]:
        """Use of each budget by a share of ``neurons`` that send to ``destinations`` cores."""
        key = neurons, destinations
        if key not in self._known:
            self._known[key] = self._of(neurons, destinations)
        return self._known[key]

    def _of(self, neurons: int, destinations: int) -> dict[str, int]:
        target, layer = self.target, self.layer
        synaptic, output = self.synaptic_bits(neurons), neurons * destinations
        per_neuron, tables = target.limits.core_memory_per_neuron, target.axon_tables
        routing = 0 if tables is None else layer.sources * tables.input.count + output * tables.output.count
        return {
            "neurons": neurons,
            "synaptic_memory": synaptic,
            "core_memory": synaptic + routing + (0 if per_neuron is None else neurons * per_neuron.count),
            "input_axons": layer.sources,
            "output_axons": output,
            "delay_slots": neurons << self.delay_bits,
            "neuron_groups": 1,
            "synapse_formats": 2 if layer.span else 1,
        }

    def broken(self, neurons: int, destinations: int, limits: dict[str, int]) -> list[tuple[str, int, int]]:
        """Budgets that such a share breaks on a core of its own: name, use, limit."""
        used = self.of(neurons, destinations)
        over = [(name, used[name], limit) for name, limit in limits.items() if used.get(name, 0) > limit]
        row = self.target.limits.synaptic_memory_per_axon
        if row is not None and self.row_bits(neurons) > row.count:
            over.append(("synaptic_memory_per_axon", self.row_bits(neurons), row.count))
        return over


def demands(layers: Sequence[LayerShape], target: Target, mapping: Mapping) -> list[Demand]:
    """One for each layer, in order."""
    return [Demand(layer, target, stored_delay_bits(layer, mapping)) for layer in layers]


def largest_share(demand: Demand, destinations: int, limits: dict[str, int]) -> int:
    """The most neurons of the layer that one core can take, 0 if it cannot take a single one."""
    return most_that_fit(demand.layer.neurons, lambda neurons: not demand.broken(neurons, destinations, limits))


def most_that_fit(highest: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``highest`` that fits, where all below it fit, too; 0 is taken to fit."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def destinations(layers: Sequence[LayerShape], cores: Sequence[int]) -> list[int]:
    """For each layer, the cores that one of its spikes goes to: the next layer's, and its own if recurrent."""
    following = [*cores[1:], 0]
    return [after + (own if layer.span else 0) for layer, own, after in zip(layers, cores, following, strict=True)]
