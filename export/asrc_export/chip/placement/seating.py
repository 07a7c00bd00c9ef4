"""Seating: which place on which chip each filled core takes, and what its spikes then travel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asrc_export.chip.placement.budget import demands, destinations, limits_of, outgoing
from asrc_export.chip.placement.filling import Filled
from asrc_export.chip.placement.placed import Core, Placement, Share
from asrc_export.chip.placement.traffic import Route, Seat, route, seats
from asrc_export.chip.shape import LayerShape, common_mapping
from asrc_export.chip.targets import Target


def seated(layers: Sequence[LayerShape], target: Target, filled: list[Filled], aligned: bool, bound: int) -> Placement:
    """Give the filled cores their seats, in the order of the layers, and measure what they use."""
    wanted, limits = demands(layers, target), limits_of(target)
    ordered = sorted(filled, key=_lowest)
    places = seats(_indices(ordered, target.limits.cores_per_chip.count, aligned), target)
    homes: list[list[tuple[Seat, int]]] = [[] for _ in layers]
    for seat, each in zip(places, ordered, strict=True):
        for i, neurons in each.shares:
            homes[i].append((seat, neurons))
    sent_to = destinations(layers, [len(home) for home in homes])
    on_chip = [_by_chip([home for i in receivers for home in homes[i]]) for receivers in outgoing(layers)]
    firsts = [0] * len(layers)
    cores = []
    for seat, each in zip(places, ordered, strict=True):
        final, shares, leaving = Filled(limits), [], 0
        for i, neurons in sorted(each.shares):
            final.add(i, wanted[i], neurons, sent_to[i])
            shares.append(Share(layers[i].name, firsts[i], neurons))
            firsts[i] += neurons
            leaving += neurons * (sent_to[i] - on_chip[i].get(seat.chip, 0))
        used = {**final.used, "output_axons_to_other_chips": leaving}
        cores.append(Core(seat, tuple(shares), {name: used[name] for name in limits}))
    return Placement(target.name, common_mapping(layers), tuple(cores), limits, bound, tuple(_routes(layers, homes)))


def _by_chip(receivers: list[tuple[Seat, int]]) -> dict[int, int]:
    """How many of the receiving cores are on each chip."""
    counted: dict[int, int] = {}
    for seat, _ in receivers:
        counted[seat.chip] = counted.get(seat.chip, 0) + 1
    return counted


def _routes(layers: Sequence[LayerShape], homes: list[list[tuple[Seat, int]]]) -> Iterator[Route]:
    for i, receivers in enumerate(outgoing(layers)):
        sending, weights = [seat for seat, _ in homes[i]], [neurons for _, neurons in homes[i]]
        for other in sorted(set(receivers)):
            yield route(layers[i].name, layers[other].name, weights, sending, [seat for seat, _ in homes[other]])


def _lowest(core: Filled) -> int:
    return min(i for i, _ in core.shares)


def _indices(cores: Sequence[Filled], per_chip: int, aligned: bool) -> list[int]:
    """A running index for each core; ``aligned`` starts a new chip for a layer that the rest of one cannot hold."""
    lengths: dict[int, int] = {}
    for core in cores:
        lengths[_lowest(core)] = lengths.get(_lowest(core), 0) + 1
    made: list[int] = []
    following, before = 0, -1
    for core in cores:
        layer = _lowest(core)
        left = -following % per_chip
        if aligned and layer != before and left < lengths[layer] <= per_chip:
            following += left
        before = layer
        made.append(following)
        following += 1
    return made
