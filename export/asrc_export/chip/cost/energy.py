"""Modelled energy: counted events times cited constants.

Where sources give several values for an event, the range runs from the least to the greatest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.operations.numpy import NumpyOperations
from asrc_core.contract.operations.operations import Value
from asrc_core.contract.result import LayerCounts
from asrc_export.chip.cost.arrivals import Operations
from asrc_export.chip.cost.events import Events, events
from asrc_export.chip.cost.modelled import MODELLED, has_such_neurons, sources_of
from asrc_export.chip.placement import Placement
from asrc_export.chip.targets import FloatOperations, Quantity, Target


@dataclass(frozen=True)
class Estimate:
    """Energy of one sample in nanojoules, as a range, with what it rests on and what it is made of."""

    name: str
    low_nj: float
    high_nj: float
    covers: str
    sources: tuple[str, ...]
    breakdown: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    basis: str = MODELLED


def on_chip(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    target: Target,
    placement: Placement | None = None,
    exact: Operations | None = None,
) -> Estimate | None:
    """The deployed network's events priced with a target's table; None if the target has none, or no such neurons.

    E = e_syn * synaptic operations + e_update * neuron updates + e_spike * messages + e_hop * hops. The table has two
    prices for an update, "active" and "inactive", which no public source defines: the range has all updates at one or
    the other. Where synapses are stored sparsely, operations are those of stored weights (`events`). Graded operations
    (the first layer's, and those of taps), which the table does not price, are left out.
    """
    prices = target.energy
    if prices is None or not has_such_neurons(network, target):
        return None
    total = sum(events(network, counts, samples, placement, target, exact), Events())
    inactive, active = prices.neuron_update_inactive, prices.neuron_update_active
    parts = {
        "synaptic operations, feed-forward": _priced(total.feedforward_operations, prices.synaptic_operation),
        "synaptic operations, recurrent": _priced(total.recurrent_operations, prices.synaptic_operation),
        "neuron updates": _priced(total.neuron_updates, inactive, active),
        "spike messages": _priced(total.messages, prices.spike_within_tile),
    }
    used = [prices.synaptic_operation, inactive, active, prices.spike_within_tile]
    covers = ["synaptic operations, neuron updates, spike messages"]
    left_out = ["products of graded messages"] if total.graded_operations else []
    hops = (prices.hop_east_west, prices.hop_north_south)
    if placement is not None and target.mesh is not None and hops[0] is not None and hops[1] is not None:
        parts["hops, east-west"] = _priced(total.hops_east_west, hops[0])
        parts["hops, north-south"] = _priced(total.hops_north_south, hops[1])
        used += [hops[0], hops[1]]
        covers.append("hops between tiles as placed")
        left_out += ["messages between chips"] if total.messages_to_other_chips else []
    else:
        left_out.append("traffic between tiles")
    return Estimate(
        f"deployed, priced as on {target.name}",
        sum(low for low, _ in parts.values()),
        sum(high for _, high in parts.values()),
        f"{', '.join(covers)}; not {', '.join([*left_out, 'static power'])} or input and output",
        sources_of(used),
        parts,
    )


def float_spiking(
    network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, prices: FloatOperations
) -> Estimate:
    """The float spiking network, event-driven: an addition for each synaptic operation, a multiply-accumulate for each
    graded one and for each product of a neuron update (of LIF one, the decay).
    """
    happened = events(network, counts, samples)
    total = sum(happened, Events())
    additions = total.feedforward_operations + total.recurrent_operations
    products = sum(
        each.neuron_updates * products_of_update(layer) for layer, each in zip(network.layers, happened, strict=True)
    )
    return _in_float(
        "float32 spiking network, event-driven, 45 nm",
        additions * prices.float32_add.value + (total.graded_operations + products) * _multiply_accumulate(prices),
        additions + total.graded_operations,
        prices,
    )


def float_dense(network: IntegerNetwork, steps: int, prices: FloatOperations) -> Estimate:
    """A float network of the same widths, each layer recurrent, that computes every synapse at every step."""
    operations = sum(map(_synapses_of_recurrent, network.hidden), network.readout.synapses) * steps
    return _in_float(
        "float32 dense RNN of the same widths, 45 nm", operations * _multiply_accumulate(prices), operations, prices
    )


def float_gru(network: IntegerNetwork, steps: int, prices: FloatOperations) -> Estimate:
    """A float GRU of the same widths: three gates of I + N inputs, then r * h, z * h and (1 - z) * n for each neuron.

    The sigmoids and the tanh are not priced.
    """
    gates = 3 * sum(map(_synapses_of_recurrent, network.hidden))
    products = 3 * sum(layer.neurons for layer in network.hidden)
    synapses = (gates + network.readout.synapses) * steps
    energy = (synapses + products * steps) * _multiply_accumulate(prices)
    return _in_float("float32 GRU of the same widths, 45 nm", energy, synapses, prices)


def _synapses_of_recurrent(layer: Layer) -> int:
    """Of a layer of as many neurons with a recurrent connection, whether or not it has one."""
    has = any(each.source == layer.name for each in layer.connections)
    return layer.synapses + (0 if has else layer.neurons**2)


class _Products(NumpyOperations):
    """Counts the products that a step makes."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def mul(self, a: Value, b: Value) -> Value:
        """The product, counted for each neuron."""
        product = super().mul(a, b)
        self.made += int(np.size(product))
        return product


def products_of_update(layer: Layer) -> float:
    """How many products one step of one neuron takes, on average over the layer."""
    counting, nothing = _Products(), np.zeros((1, layer.neurons), np.int64)
    layer.neuron.of_kind.step(counting, layer.neuron.parameters, dict.fromkeys(layer.neuron.states, nothing), nothing)
    return counting.made / layer.neurons


def _priced(count: float, *prices: Quantity) -> tuple[float, float]:
    """Nanojoules of ``count`` events, at the least and at the greatest of all values given."""
    low, high = min(price.lowest for price in prices), max(price.highest for price in prices)
    return count * low / 1000, count * high / 1000


def _multiply_accumulate(prices: FloatOperations) -> float:
    return prices.float32_multiply.value + prices.float32_add.value


def _in_float(name: str, arithmetic: float, weights_read: float, prices: FloatOperations) -> Estimate:
    """Arithmetic alone (in pJ), up to arithmetic and a read of each weight used from a small memory."""
    reading = weights_read * prices.sram_read_32_bits.value
    return Estimate(
        name,
        arithmetic / 1000,
        (arithmetic + reading) / 1000,
        "arithmetic alone (low), with each weight read from an 8 KB memory (high); no control, no larger memory",
        sources_of([prices.float32_multiply, prices.float32_add, prices.sram_read_32_bits]),
        {"arithmetic": (arithmetic / 1000, arithmetic / 1000), "reading weights": (0.0, reading / 1000)},
    )
