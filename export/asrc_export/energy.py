"""Modelled energy: counted events times cited constants. Never measured, and never a joule without a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asrc_export.network import IntegerNetwork
from asrc_export.result import LayerCounts
from asrc_export.target import FloatOperations, Quantity, Target

BASIS = "modelled"


@dataclass(frozen=True)
class Estimate:
    """Energy of one sample in nanojoules, as a range, with what it rests on."""

    name: str
    low_nj: float
    high_nj: float
    covers: str
    sources: tuple[str, ...]
    basis: str = BASIS


def on_chip(network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, target: Target) -> Estimate | None:
    """The deployed network's events priced with a target's table; None if the target has none.

    E = e_syn * synaptic operations + e_update * neuron updates + e_spike * spikes. The table has two prices for an
    update, "active" and "inactive", which no public source defines: the range has all updates at one or the other.
    The first layer's graded operations, which the table does not price, are left out.
    """
    prices = target.energy
    if prices is None:
        return None
    graded = network.input.maximum > 1 or network.input.minimum < 0
    operations = sum(count.feedforward_operations + count.recurrent_operations for count in counts)
    if graded:
        operations -= counts[0].feedforward_operations
    updates = sum(count.neuron_updates for count in counts)
    spikes = sum(count.spikes for count in counts)
    fixed = operations * prices.synaptic_operation.value + spikes * prices.spike_within_tile.value
    ends = (prices.neuron_update_inactive, prices.neuron_update_active)
    low, high = sorted((fixed + updates * price.value) / samples / 1000 for price in ends)
    return Estimate(
        f"deployed, priced as on {target.name}",
        low,
        high,
        "synaptic operations, neuron updates, spikes within a tile; not the first layer's graded products, "
        "traffic between tiles, static power or input and output",
        _sources(prices.synaptic_operation, *ends, prices.spike_within_tile),
    )


def float_spiking(
    network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, prices: FloatOperations
) -> Estimate:
    """The float spiking network, event-driven: an addition for each synaptic operation, a multiply-accumulate for each
    graded one and for each neuron update (the decay). Arithmetic only, no memory access.
    """
    accumulate = prices.float32_add.value
    multiply = prices.float32_multiply.value + accumulate
    graded = counts[0].feedforward_operations
    additions = sum(count.feedforward_operations + count.recurrent_operations for count in counts) - graded
    updates = sum(count.neuron_updates for count in counts)
    each = (additions * accumulate + (graded + updates) * multiply) / samples / 1000
    return Estimate(
        "float32 spiking network, event-driven, 45 nm",
        each,
        each,
        "arithmetic only, no memory access",
        _sources(prices.float32_multiply, prices.float32_add),
    )


def float_dense(network: IntegerNetwork, steps: int, prices: FloatOperations) -> Estimate:
    """A float recurrent network of the same widths that computes every synapse at every step."""
    multiply = prices.float32_multiply.value + prices.float32_add.value
    each = network.synapses * steps * multiply / 1000
    return Estimate(
        "float32 dense RNN of the same widths, 45 nm",
        each,
        each,
        "arithmetic only, no memory access",
        _sources(prices.float32_multiply, prices.float32_add),
    )


def _sources(*prices: Quantity) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{price.source}, {price.certainty}" for price in prices))
