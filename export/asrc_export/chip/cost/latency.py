"""Modelled time of a step and of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import LayerCounts
from asrc_export.chip.cost.arrivals import Operations
from asrc_export.chip.cost.events import events
from asrc_export.chip.cost.modelled import MODELLED, has_such_neurons, sources_of
from asrc_export.chip.placement import Placement
from asrc_export.chip.shape import of_network
from asrc_export.chip.targets import Target


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
    basis: str = MODELLED


def latency(
    network: IntegerNetwork,
    counts: Sequence[LayerCounts],
    samples: int,
    steps: int,
    target: Target,
    placement: Placement,
    exact: Operations | None = None,
) -> Latency | None:
    """Time of a step on the critical path: the busiest core, then the barrier; None if the target has no times,
    or no such neurons.

    t = t_syn * synaptic operations + t_update * neurons of the core with the most of both in an average step, plus the
    barrier of all tiles in use; the high end adds a message along the longest way. A sample takes T + L steps, L being
    those by which the readout works behind the first layer: a spike takes a step on its way to the next.
    """
    times = target.timing
    if times is None or not has_such_neurons(network, target):
        return None
    happened = events(network, counts, samples, target=target, exact=exact)
    per_step = {
        name: (each.feedforward_operations + each.recurrent_operations) / steps
        for name, each in zip(network.names, happened, strict=True)
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
        sources_of(used),
    )
