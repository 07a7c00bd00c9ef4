"""Filling cores: ways of cutting layers into shares and of laying the shares on cores within all budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, permutations

from asrc_export.chip.placement.budget import Demand, destinations, largest_share, most_that_fit
from asrc_export.chip.shape import LayerShape

ROUNDS = 12
"""Fillings tried until the cores that layers send to are as many as were reckoned with."""
WINDOW = 32
"""Cores that are looked at for a share, which bounds the time that large networks take."""
MAX_ORDERS = 60
MAX_PERMUTED = 8
"""Layers of networks so small that further orders of filling cost nothing to try."""


@dataclass
class Filled:
    """A core being filled: (layer, neurons) of each share, and how much of each budget they take."""

    limits: dict[str, int]
    shares: list[tuple[int, int]] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    delay_bits: int = 0

    def holds(self, layer: int) -> bool:
        """Whether a share of the layer is here."""
        return any(i == layer for i, _ in self.shares)

    def fits(self, demand: Demand, neurons: int, sent_to: int) -> bool:
        """Whether ``neurons`` of a layer still fit."""
        used = self._with(demand, neurons, sent_to)
        return all(used[name] <= limit for name, limit in self.limits.items() if name in used)

    def room(self, demand: Demand, highest: int, sent_to: int) -> int:
        """The most neurons of a layer, up to ``highest``, that still fit."""
        return most_that_fit(highest, lambda neurons: self.fits(demand, neurons, sent_to))

    def add(self, layer: int, demand: Demand, neurons: int, sent_to: int) -> None:
        """Put ``neurons`` of a layer here."""
        self.used = self._with(demand, neurons, sent_to)
        self.delay_bits = max(self.delay_bits, demand.layer.delay_bits)
        self.shares.append((layer, neurons))

    def _with(self, demand: Demand, neurons: int, sent_to: int) -> dict[str, int]:
        extra = demand.of(neurons, sent_to)
        used = {name: self.used.get(name, 0) + amount for name, amount in extra.items()}
        # A core's delay bits are those of the share that needs most, for all its neurons.
        used["delay_slots"] = used["neurons"] << max(self.delay_bits, demand.layer.delay_bits)
        return used


@dataclass(frozen=True)
class Job:
    """One layer to be cut: its place in the network, the cores reckoned for it and for its spikes, and the largest
    share that a core can take.
    """

    layer: int
    demand: Demand
    cores: int
    sent_to: int
    largest: int


Cut = Callable[[Job, list[Filled], dict[str, int]], None]
"""Lays one layer on the cores filled so far, and on new ones."""


def even(job: Job, cores: list[Filled], limits: dict[str, int]) -> None:
    """Equal shares, each on the first core with room for it: balanced cores."""
    total = job.demand.layer.neurons
    pieces = min(total, max(job.cores, -(-total // job.largest)))
    for k in range(pieces):
        share = total // pieces + (k < total % pieces)
        _onto_first(job, share, cores, limits)


def whole(job: Job, cores: list[Filled], limits: dict[str, int]) -> None:
    """Cores filled to the brim by one layer, and the rest of it on the first core with room for it."""
    full, rest = divmod(job.demand.layer.neurons, job.largest)
    for _ in range(full):
        cores.append(Filled(limits))
        cores[-1].add(job.layer, job.demand, job.largest, job.sent_to)
    if rest:
        _onto_first(job, rest, cores, limits)


def tight(job: Job, cores: list[Filled], limits: dict[str, int]) -> None:
    """Every core filled to the brim before the next one is opened."""
    rest = job.demand.layer.neurons
    while rest:
        room = 0
        if cores and not cores[-1].holds(job.layer):
            room = cores[-1].room(job.demand, min(rest, job.largest), job.sent_to)
        if room == 0:
            cores.append(Filled(limits))
            room = min(rest, job.largest)
        cores[-1].add(job.layer, job.demand, room, job.sent_to)
        rest -= room


CUTS: tuple[Cut, ...] = (even, whole, tight)


def ways(layers: Sequence[LayerShape]) -> Iterator[tuple[Cut, tuple[int, ...]]]:
    """Ways of filling, the most orderly first: a cut, and the order in which layers are taken."""
    natural = tuple(range(len(layers)))
    by_size = tuple(sorted(natural, key=lambda i: -layers[i].neurons * layers[i].sources))
    for order in dict.fromkeys((natural, by_size, by_size[::-1], natural[::-1])):
        for cut in CUTS:
            yield cut, order
    if len(layers) <= MAX_PERMUTED:
        for order in islice(permutations(natural), 1, MAX_ORDERS):
            yield tight, order


def fill(
    wanted: Sequence[Demand],
    limits: dict[str, int],
    cut: Cut,
    order: Sequence[int],
    reckoned: Sequence[int],
    most: Sequence[int],
    enough: int,
) -> list[Filled] | None:
    """Fill cores until layers take no more of them than the spikes sent there were reckoned with.

    ``reckoned``: cores of each layer to begin with; ``most``: the largest share of each allowed. None if the numbers
    do not come to rest, or take more than ``enough`` cores.
    """
    layers = [demand.layer for demand in wanted]
    for _ in range(ROUNDS):
        sent_to = destinations(layers, reckoned)
        cores: list[Filled] = []
        for i in order:
            largest = min(most[i], largest_share(wanted[i], sent_to[i], limits))
            if largest < 1:
                return None
            cut(Job(i, wanted[i], reckoned[i], sent_to[i], largest), cores, limits)
            if len(cores) > enough:
                return None
        counted = [sum(core.holds(i) for core in cores) for i in range(len(layers))]
        if all(now <= then for now, then in zip(counted, reckoned, strict=True)):
            return cores
        reckoned = [max(now, then) for now, then in zip(counted, reckoned, strict=True)]
    return None


def _onto_first(job: Job, share: int, cores: list[Filled], limits: dict[str, int]) -> None:
    """Put a share on the first of the latest cores that has none of the layer and room for it, or on a new one."""
    for core in cores[-WINDOW:]:
        if not core.holds(job.layer) and core.fits(job.demand, share, job.sent_to):
            break
    else:
        core = Filled(limits)
        cores.append(core)
    core.add(job.layer, job.demand, share, job.sent_to)
