"""Modelled energy and time: counted events times cited constants. Never measured, and never a joule without a source.

Where sources give several values for an event, the range runs from the least to the greatest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from asrc_core.contract.connection import INPUT
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.ranges import BIT
from asrc_core.contract.result import LayerCounts
from asrc_export.chip.placement import Placement
from asrc_export.chip.shape import of_network
from asrc_export.chip.target import FloatOperations, Quantity, Target
from asrc_export.chip.traffic import Route

BASIS = "modelled"


@dataclass(frozen=True)
class Events:
    """What happens in one layer (or in all of them) while one sample is run, on average.

    Without a placement a spike is one message, and no hops are known.
    """

    feedforward_operations: float = 0.0
    """Additions of a weight because a spike of the layer before arrived."""
    recurrent_operations: float = 0.0
    graded_operations: float = 0.0
    """Multiply-accumulates of graded messages: of inputs, taps and neurons that send more than 0 or 1."""
    neuron_updates: float = 0.0
    spikes: float = 0.0
    messages: float = 0.0
    """A spike is one message to each core that it goes to."""
    messages_to_other_chips: float = 0.0
    hops_east_west: float = 0.0
    hops_north_south: float = 0.0

    def __add__(self, other: Events) -> Events:
        return Events(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Events)))


@dataclass(frozen=True)
class Estimate:
    """Energy of one sample in nanojoules, as a range, with what it rests on and what it is made of."""

    name: str
    low_nj: float
    high_nj: float
    covers: str
    sources: tuple[str, ...]
    breakdown: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    basis: str = BASIS


@dataclass(frozen=True)
class Latency:
    """Time of a step in nanoseconds, as a range, and what a sample takes at that pace, in microseconds."""

    low_ns_per_step: float
    high_ns_per_step: float
    low_us_per_sample: float
    high_us_per_sample: float
    busiest_core: tuple[int, int]
    """Chip and index of the core that all others wait for."""
    covers: str
    sources: tuple[str, ...]
    basis: str = BASIS


def events(
    network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, placement: Placement | None = None
) -> list[Events]:
    """Events of each layer for one sample, the readout last: the engine's counts, and where its spikes go.

    A layer's spikes go to the cores at the other end of each of its connections, but for those that its lag lets arrive
    after the sample. Engines count what comes from before a layer together, and what comes back: where these are
    several connections, they share the count by how much their sources sent (`_operations`).
    """
    routes = {} if placement is None else {(each.sender, each.receiver): each for each in placement.routes}
    operations = [_operations(network, i, counts) for i in range(len(network.layers))]
    found = []
    for i, (layer, count) in enumerate(zip(network.layers, counts, strict=True)):
        own = Events(
            neuron_updates=count.neuron_updates / samples,
            spikes=count.spikes / samples,
            messages=0 if routes else count.spikes / samples,
        )
        for j, (each, performed) in enumerate(zip(layer.connections, operations[i], strict=True)):
            message = each.message(network.sent(each.source))
            if message.low < BIT.low or message.high > BIT.high:
                own += Events(graded_operations=performed / samples)
            elif network.is_recurrent(i, j):
                own += Events(recurrent_operations=performed / samples)
            else:
                own += Events(feedforward_operations=performed / samples)
        if routes:
            for k, other in enumerate(network.layers):
                for each, performed in zip(other.connections, operations[k], strict=True):
                    if each.source == layer.name:
                        own += _carried(routes[layer.name, other.name], performed / other.neurons / samples)
        found.append(own)
    return found


def _operations(network: IntegerNetwork, i: int, counts: Sequence[LayerCounts]) -> list[float]:
    """Operations of each connection of a layer, whose sums are those counted.

    A spike of another layer is an operation for each neuron that it reaches. What these do not account for came from
    the input; where nothing does, all of them have lost the same share of spikes to the end of the sample.
    """
    layer, count = network.layers[i], counts[i]
    back = [network.is_recurrent(i, j) for j in range(len(layer.connections))]
    found = [0.0] * len(back)
    for counted, comes_back in ((count.feedforward_operations, False), (count.recurrent_operations, True)):
        places = [j for j, each in enumerate(back) if each == comes_back]
        sent = {
            j: float(counts[network.place(layer.connections[j].source)].spikes * layer.neurons)
            for j in places
            if layer.connections[j].source != INPUT
        }
        fed = [j for j in places if j not in sent]
        from_layers = min(counted, sum(sent.values())) if fed else counted
        for j in fed:
            found[j] = (counted - from_layers) / len(fed)
        whole = sum(sent.values())
        for j, expected in sent.items():
            found[j] = from_layers if len(sent) == 1 else from_layers * expected / whole if whole else 0.0
    return found


def on_chip(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    target: Target,
    placement: Placement | None = None,
) -> Estimate | None:
    """The deployed network's events priced with a target's table; None if the target has none.

    E = e_syn * synaptic operations + e_update * neuron updates + e_spike * messages + e_hop * hops. The table has two
    prices for an update, "active" and "inactive", which no public source defines: the range has all updates at one or
    the other. Graded operations (the first layer's, and those of taps), which the table does not price, are left out.
    """
    prices = target.energy
    if prices is None:
        return None
    total = sum(events(network, counts, samples, placement), Events())
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
        f"{', '.join(covers)}; not {', '.join(left_out)}, static power or input and output",
        _sources(used),
        parts,
    )


def latency(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    steps: int,
    target: Target,
    placement: Placement,
) -> Latency | None:
    """Time of a step on the critical path: the busiest core, then the barrier; None if the target has no times.

    t = t_syn * synaptic operations + t_update * neurons of the core with the most of both in an average step, plus the
    barrier of all tiles in use; the high end adds a message along the longest way. A sample takes T + L steps, L being
    those by which the readout works behind the first layer: a spike takes a step on its way to the next.
    """
    times = target.timing
    if times is None:
        return None
    per_step = {
        name: (each.feedforward_operations + each.recurrent_operations) / steps
        for name, each in zip(network.names, events(network, counts, samples), strict=True)
    }
    sizes = {layer.name: layer.neurons for layer in network.layers}
    loads = []
    for core in placement.cores:
        operations = sum(per_step[share.layer] * share.neurons / sizes[share.layer] for share in core.shares)
        neurons = sum(share.neurons for share in core.shares)
        low = operations * times.synaptic_operation.lowest + neurons * times.neuron_update_inactive.lowest
        high = operations * times.synaptic_operation.highest + neurons * times.neuron_update_active.highest
        loads.append((low, high, core.seat))
    _, busiest, seat = max(loads, key=lambda load: load[1])
    far = max(
        (
            each.farthest_hops[0] * times.hop_east_west.highest + each.farthest_hops[1] * times.hop_north_south.highest
            for each in placement.routes
        ),
        default=0.0,
    )
    one_tile = len({(core.seat.chip, core.seat.row, core.seat.column) for core in placement.cores}) == 1
    barrier = times.barrier_one_tile if one_tile else times.barrier_whole_chip
    low = max(load[0] for load in loads) + times.barrier_one_tile.lowest
    high = busiest + times.spike_within_tile.highest + far + barrier.highest
    whole = (steps + of_network(network).layers[-1].start) / 1000
    used = [getattr(times, name) for name in type(times).model_fields]
    return Latency(
        low,
        high,
        low * whole,
        high * whole,
        (seat.chip, seat.index),
        "the busiest core's synaptic operations and neuron updates in an average step, and the barrier; not products "
        "of graded messages, messages between chips, input and output, or steps busier than the average",
        _sources(used),
    )


def float_spiking(
    network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, prices: FloatOperations
) -> Estimate:
    """The float spiking network, event-driven: an addition for each synaptic operation, a multiply-accumulate for each
    graded one and for each neuron update (the decay).
    """
    total = sum(events(network, counts, samples), Events())
    additions = total.feedforward_operations + total.recurrent_operations
    return _in_float(
        "float32 spiking network, event-driven, 45 nm",
        additions * prices.float32_add.value
        + (total.graded_operations + total.neuron_updates) * _multiply_accumulate(prices),
        additions + total.graded_operations,
        prices,
    )


def float_dense(network: IntegerNetwork, steps: int, prices: FloatOperations) -> Estimate:
    """A float recurrent network of the same widths that computes every synapse at every step."""
    operations = network.synapses * steps
    return _in_float(
        "float32 dense RNN of the same widths, 45 nm", operations * _multiply_accumulate(prices), operations, prices
    )


def float_gru(network: IntegerNetwork, steps: int, prices: FloatOperations) -> Estimate:
    """A float GRU of the same widths: three gates of I + N inputs, then r * h, z * h and (1 - z) * n for each neuron.

    The sigmoids and the tanh are not priced.
    """
    gates = 3 * sum(layer.synapses for layer in network.hidden)
    products = 3 * sum(layer.neurons for layer in network.hidden)
    synapses = (gates + network.readout.synapses) * steps
    energy = (synapses + products * steps) * _multiply_accumulate(prices)
    return _in_float("float32 GRU of the same widths, 45 nm", energy, synapses, prices)


def _carried(route: Route, spikes: float) -> Events:
    """What so many spikes cost on a route."""
    return Events(
        messages=spikes * route.messages,
        messages_to_other_chips=spikes * route.messages_to_other_chips,
        hops_east_west=spikes * route.hops_east_west,
        hops_north_south=spikes * route.hops_north_south,
    )


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
        _sources([prices.float32_multiply, prices.float32_add, prices.sram_read_32_bits]),
        {"arithmetic": (arithmetic / 1000, arithmetic / 1000), "reading weights": (0.0, reading / 1000)},
    )


def _sources(prices: Iterable[Quantity]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for price in prices for source in price.sources))
