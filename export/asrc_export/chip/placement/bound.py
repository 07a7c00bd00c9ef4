"""How few cores a network could possibly take: what any placement is measured against.

Every argument here holds for all placements, so a bound may be below what is possible and is never above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asrc_export.chip.placement.budget import Demand, demands, largest_share, limits_of, outgoing
from asrc_export.chip.shape import LayerShape
from asrc_export.chip.targets import Target

EXACT_SHARES, EXACT_NEURONS = 8, 2048
"""Up to here the bound on synaptic memory is exact, beyond it a little looser and quick."""


@dataclass(frozen=True)
class Broken:
    """A budget that a single neuron exceeds on a core of its own."""

    budget: str
    used: int
    limit: int


@dataclass(frozen=True)
class Least:
    """The fewest cores that one layer alone can be spread over; if it fits no number of cores, what stands in the way.

    ``sent_to``: the fewest cores that each of its neurons sends to.
    """

    cores: int
    sent_to: int
    broken: tuple[Broken, ...] = ()


def fewest_cores(layers: Sequence[LayerShape], target: Target) -> list[Least]:
    """The least of each layer.

    Worked from the last layer to the first, since a neuron needs an output axon for each core that it sends to: with n
    neurons a core there are at least ceil(N / n) cores of the layer itself. A layer before it has at least one.
    """
    limits = limits_of(target)
    found: list[Least] = []
    receivers = outgoing(layers)
    for i, demand in reversed(list(enumerate(demands(layers, target)))):
        layer, own = demand.layer, receivers[i].count(i)
        after = sum(found[len(layers) - 1 - other].cores if other > i else 1 for other in receivers[i] if other != i)
        most = largest_share(demand, after, limits)
        sent_to = {n: after + own * -(-layer.neurons // n) for n in range(most, 0, -1)}
        share = next((n for n, cores in sent_to.items() if not demand.broken(n, cores, limits)), 0)
        if share:
            cores = -(-layer.neurons // share)
            found.append(Least(cores, after + own * cores))
        else:
            over = demand.broken(1, after + own * layer.neurons, limits)
            found.append(Least(1, after + own, tuple(Broken(*each) for each in over)))
    return found[::-1]


def lower_bound(layers: Sequence[LayerShape], target: Target) -> int:
    """Cores that any placement needs: the first number that no budget and no packing of whole layers forbids."""
    wanted = demands(layers, target)
    least = fewest_cores(layers, target)
    limits = limits_of(target)
    everywhere = sum(layer.neurons for layer in layers)  # as many shares as there are neurons: the loosest bound
    asked = _asked(wanted, least, everywhere)
    cores = max(*(each.cores for each in least), *(-(-asked[name] // limit) for name, limit in limits.items()))
    while not _conceivable(cores, wanted, least, limits):
        cores += 1
    return cores


def _conceivable(cores: int, wanted: list[Demand], least: list[Least], limits: dict[str, int]) -> bool:
    asked = _asked(wanted, least, cores)
    if any(asked[name] > cores * limit for name, limit in limits.items()):
        return False
    several = [demand for demand in wanted if len(demand.layer.connections) > 1]
    slots = [limits[name] // each for name, each in (("synapse_formats", 2), ("neuron_groups", 1)) if name in limits]
    if not several or not slots:
        return True
    # Each piece of a layer takes a slot, so few layers can be in pieces, and those that are whole must pack as such.
    pieces = cores * min(slots) - len(several)
    uses = [demand.of(demand.layer.neurons, 0) for demand in several]
    for name in ("synaptic_memory", "neurons", "delay_slots"):
        for together in range(1, 5):
            large = sum(use[name] * (together + 1) > limits.get(name, use[name] * 9) for use in uses)
            if large - pieces > together * cores:
                return False
    return pieces >= 0


def _asked(wanted: list[Demand], least: list[Least], shares: int) -> dict[str, int]:
    """The least of each budget that the network asks for over all cores, no layer being on more than ``shares``."""
    asked: dict[str, int] = {}
    for demand, few in zip(wanted, least, strict=True):
        layer = demand.layer
        words = _least_words(demand, shares)
        synaptic = words * demand.target.synapses.dense.word.count
        whole = demand.of(layer.neurons, few.sent_to)
        tables = demand.target.axon_tables
        again = 0 if tables is None else (few.cores - 1) * layer.sources * tables.input.count
        use = {
            **whole,
            "synaptic_memory": synaptic,
            "core_memory": synaptic + whole["core_memory"] - whole["synaptic_memory"] + again,
            **{name: few.cores * whole[name] for name in ("input_axons", "synapse_formats")},
            # Fewest where all cores but one have a single neuron, and a group for it.
            "neuron_groups": min(layer.neurons - few.cores + 1, layer.groups) + few.cores - 1,
            "output_axons_to_other_chips": 0,
        }
        asked = {name: asked.get(name, 0) + amount for name, amount in use.items()}
    return asked


def _least_words(demand: Demand, shares: int) -> int:
    """The fewest words of synaptic memory that a layer takes when it is cut into at most ``shares`` pieces.

    A full block may waste more of its last word than a partial one, so cutting can gain a little: exactly how much
    for few pieces, and at most the best partial block's gain for each of many.
    """
    encoding, neurons = demand.target.synapses.dense, demand.layer.neurons
    if any(each.sparse for each in demand.stored):
        return sum(each.least_words() for each in demand.stored)
    word = encoding.word.count
    whole = demand.synaptic_bits(neurons) // word
    if encoding.block_synapses is None:
        return whole  # every further piece adds a prefix and a rounding
    block = encoding.block_synapses.count
    partial = [demand.synaptic_bits(part) // word for part in range(min(block, neurons + 1))]
    full = demand.synaptic_bits(block) // word
    if shares <= EXACT_SHARES and neurons <= EXACT_NEURONS:
        return _least_exactly(partial, full, block, neurons, shares)
    gain = max(full * part - block * words for part, words in enumerate(partial))
    return max(_packed(demand, block), -(-(full * neurons - gain * shares) // block))


def _packed(demand: Demand, block: int) -> int:
    """Words if no word were wasted but by the rounding of whole rows: as few blocks as there can be."""
    layer, encoding = demand.layer, demand.target.synapses.dense
    prefixes = encoding.block_prefix.count * -(-layer.neurons // block)
    rows = ((each.inputs, each.weight_bits + each.delay_bits) for each in layer.connections)
    return sum(
        count * -(-(layer.neurons * (bits + encoding.overhead.count) + prefixes) // encoding.word.count)
        for count, bits in rows
    )


def _least_exactly(partial: list[int], full: int, block: int, neurons: int, shares: int) -> int:
    """The least of: full blocks, and at most one partial block in each share."""
    reached = np.full(neurons + 1, 2**62)  # fewest words by neurons that sit in partial blocks
    reached[0] = 0
    for _ in range(min(shares, neurons)):
        longer = reached.copy()
        for part, words in enumerate(partial[1:], 1):
            np.minimum(longer[part:], reached[:-part] + words, out=longer[part:])
        reached = longer
    rest = np.arange(neurons % block, neurons + 1, block)
    return int((reached[rest] + (neurons - rest) // block * full).min())
