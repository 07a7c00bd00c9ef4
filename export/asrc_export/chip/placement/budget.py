"""What neurons of a layer ask of a neuro-core, and what the core has.

A core that computes n neurons of a layer stores, for each of the layer's S sources (the neurons or channels that each
of its connections comes from), an input axon and a row of n synapses. Each of its neurons needs, for each connection
that leads away from it, an output axon for every core at the other end. Everything is arithmetic over these counts and
over how many weights of a source are not 0 (`chip.synapses`), nothing looks at a synapse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from asrc_core.contract.synapses.connection import INPUT
from asrc_export.chip.shape import LayerShape
from asrc_export.chip.synapses import Stored
from asrc_export.chip.targets import Target

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


@dataclass(frozen=True)
class Demand:
    """What shares of one layer ask of a core, on a target."""

    layer: LayerShape
    target: Target
    _known: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def stored(self) -> tuple[Stored, ...]:
        """How each connection's synapses are stored."""
        return tuple(Stored(each, self.layer.neurons, self.target) for each in self.layer.connections)

    def row_bits(self, neurons: int) -> int:
        """Synaptic memory of the widest input axon of a share of ``neurons``."""
        return max(each.rows(neurons)[1] for each in self.stored) * self.target.synapses.dense.word.count

    def synaptic_bits(self, neurons: int) -> int:
        """Synaptic memory of a share of ``neurons``: a row for each source."""
        return sum(each.rows(neurons)[0] for each in self.stored) * self.target.synapses.dense.word.count

    def state_bits(self, neurons: int) -> int:
        """Core memory of the states of ``neurons``, in whole entries of the target's size."""
        entry = self.target.limits.core_memory_per_neuron
        return 0 if entry is None else neurons * entry.count * -(-self.layer.neuron_bits // entry.count)

    def of(self, neurons: int, destinations: int) -> dict[str, int]:
        """Use of each budget by a share of ``neurons`` that send to ``destinations`` cores."""
        key = neurons, destinations
        if key not in self._known:
            self._known[key] = self._of(neurons, destinations)
        return self._known[key]

    def _of(self, neurons: int, destinations: int) -> dict[str, int]:
        target, layer = self.target, self.layer
        synaptic, output = self.synaptic_bits(neurons), neurons * destinations
        tables = target.axon_tables
        routing = 0 if tables is None else layer.sources * tables.input.count + output * tables.output.count
        return {
            "neurons": neurons,
            "synaptic_memory": synaptic,
            "core_memory": synaptic + routing + self.state_bits(neurons),
            "input_axons": layer.sources,
            "output_axons": output,
            "delay_slots": neurons << layer.delay_bits,
            "neuron_groups": min(neurons, layer.groups),
            "synapse_formats": len(layer.connections),
        }

    def broken(self, neurons: int, destinations: int, limits: dict[str, int]) -> list[tuple[str, int, int]]:
        """Budgets that such a share breaks on a core of its own: name, use, limit."""
        used = self.of(neurons, destinations)
        over = [(name, used[name], limit) for name, limit in limits.items() if used.get(name, 0) > limit]
        row = self.target.limits.synaptic_memory_per_axon
        if row is not None and self.row_bits(neurons) > row.count:
            over.append(("synaptic_memory_per_axon", self.row_bits(neurons), row.count))
        return over


def demands(layers: Sequence[LayerShape], target: Target) -> list[Demand]:
    """One for each layer, in order."""
    return [Demand(layer, target) for layer in layers]


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


def outgoing(layers: Sequence[LayerShape]) -> list[list[int]]:
    """For each layer, the places of the layers at the other end of its connections, one for each connection."""
    found: dict[str, list[int]] = {layer.name: [] for layer in layers}
    for i, layer in enumerate(layers):
        for each in layer.connections:
            if each.source != INPUT:
                found[each.source].append(i)
    return list(found.values())


def destinations(layers: Sequence[LayerShape], cores: Sequence[int]) -> list[int]:
    """For each layer, the cores that one of its spikes goes to, once for each connection."""
    return [sum(cores[i] for i in receivers) for receivers in outgoing(layers)]
