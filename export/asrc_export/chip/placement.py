"""Placement: which neurons sit on which neuro-core of which chip, within every budget and on few cores.

Layers are cut into shares, runs of neurons of one layer on one core; a core may hold shares of several layers. Nothing
here looks at a weight: a share's cost is arithmetic over sizes (`budget`), so large networks take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from asrc_core.contract.connection import require_reach
from asrc_core.contract.numbers import Mapping
from asrc_core.errors import RulesBroken, SpanTooLong
from asrc_export.chip.bound import fewest_cores, lower_bound
from asrc_export.chip.budget import demands, destinations, limits_of, outgoing
from asrc_export.chip.filling import CUTS, Cut, Filled, fill, ways
from asrc_export.chip.shape import LayerShape, common_mapping, mapped
from asrc_export.chip.target import Target
from asrc_export.chip.traffic import Route, Seat, route, seats

WASTEFUL = 3
"""A way of filling that takes so many times the lower bound of cores is given up."""
LARGE = 512
"""Cores of a network so large that only the orderly ways of filling are tried."""
REPAIRS = 4
"""Fillings with smaller shares, tried when a core has too many axons to other chips."""


@dataclass(frozen=True)
class Share:
    """Neurons ``first`` to ``first + neurons - 1`` of a layer, on one core."""

    layer: str
    first: int
    neurons: int


@dataclass(frozen=True)
class Core:
    """One core in use: its seat, what it holds, and how much of each budget that takes."""

    seat: Seat
    shares: tuple[Share, ...]
    used: dict[str, int]


@dataclass(frozen=True)
class Placement:
    """A network on cores, every budget kept. ``lower_bound``: no placement at all takes fewer cores.

    ``mapping``: where past spikes are kept, None where connections differ in that.
    """

    target: str
    mapping: Mapping | None
    cores: tuple[Core, ...]
    limits: dict[str, int]
    lower_bound: int
    routes: tuple[Route, ...]

    @property
    def chips(self) -> int:
        """Chips in use."""
        return len({core.seat.chip for core in self.cores})

    def cores_of(self, layer: str) -> list[Core]:
        """The cores that hold neurons of a layer."""
        return [core for core in self.cores if any(share.layer == layer for share in core.shares)]


def place(layers: Sequence[LayerShape], target: Target, mapping: Mapping | None = None) -> Placement:
    """Place layers (the readout among them) on a target's cores, past spikes kept as ``mapping`` says if it is given.

    Several ways of cutting the layers are filled into cores, and the placement with the fewest cores, then chips,
    then traffic is kept. The same input gives the same placement. Raises RulesBroken naming the layers that fit no
    number of cores, or saying that no way was found.
    """
    return _place(tuple(layers) if mapping is None else mapped(layers, mapping), target)


@lru_cache(maxsize=16)  # rules, report and check ask for the same placements in turn
def _place(layers: tuple[LayerShape, ...], target: Target) -> Placement:
    _require_some_fit(layers, target)
    bound = lower_bound(layers, target)
    best: Placement | None = None
    for tried, (cut, order) in enumerate(ways(layers)):
        if tried >= len(CUTS) and (bound > LARGE or (best is not None and len(best.cores) <= bound)):
            break
        repairs = REPAIRS if best is None and tried < len(CUTS) else 0
        for made in _placed(layers, target, cut, order, bound, repairs):
            if best is None or _merit(made) < _merit(best):
                best = made
    if best is None:
        raise RulesBroken(
            target.name, ["no placement was found that keeps every core's budgets; narrower or fewer layers may"]
        )
    return best


def place_if_possible(layers: Sequence[LayerShape], target: Target, mapping: Mapping | None = None) -> Placement | None:
    """The placement of `place`, or None if there is none."""
    try:
        return place(layers, target, mapping)
    except RulesBroken:
        return None


def compared(layers: Sequence[LayerShape], target: Target) -> dict[Mapping, Placement | str]:
    """The placement with all past spikes kept in one way, and in the other, or the sentence why there is none."""
    found: dict[Mapping, Placement | str] = {}
    mappings: tuple[Mapping, ...] = ("delay-line", "synaptic-delay")
    for mapping in mappings:
        try:
            for layer in layers:
                _require_mappable(layer, target, mapping)
            found[mapping] = place(layers, target, mapping)
        except (RulesBroken, SpanTooLong) as error:
            found[mapping] = str(error)
    return found


def _require_mappable(layer: LayerShape, target: Target, mapping: Mapping) -> None:
    """Raise SpanTooLong or RulesBroken if the layer's connections cannot keep past spikes in that way."""
    for each in layer.connections:
        if each.lag:
            require_reach(layer.name, each.lag, mapping, before=not each.recurrent)
        if each.taps > 1 and mapping != "delay-line":
            raise RulesBroken(target.name, [f"{layer.name}: its {each.taps} spans are taps of a delay line"])
        if mapping == "delay-line" and each.delay_for_each:
            raise RulesBroken(target.name, [f"{layer.name}: the delays of its synapses are no taps of a delay line"])
        if mapping == "delay-line" and each.lag and each.graded and each.taps == 1:
            why = f"{layer.name}: '{each.source}' sends numbers, and a delay line holds spikes"
            raise RulesBroken(target.name, [why])


def _require_some_fit(layers: Sequence[LayerShape], target: Target) -> None:
    hopeless = [
        f"{layer.name}: no number of cores holds it, a single one of its {layer.neurons:,} neurons needs "
        + " and ".join(f"{b.used:,} of {b.limit:,} {b.budget.replace('_', ' ')}" for b in least.broken)
        for layer, least in zip(layers, fewest_cores(layers, target), strict=True)
        if least.broken
    ]
    if hopeless:
        raise RulesBroken(target.name, hopeless)


def _placed(
    layers: Sequence[LayerShape], target: Target, cut: Cut, order: Sequence[int], bound: int, repairs: int
) -> list[Placement]:
    """One way of filling, seated with layers cut by chip borders and without; those that keep every budget.

    If none does, some core has too many axons to other chips: its layers' shares are made smaller, ``repairs`` times.
    """
    limits, wanted = limits_of(target), demands(layers, target)
    reckoned = [each.cores for each in fewest_cores(layers, target)]
    most = [layer.neurons for layer in layers]
    at = {layer.name: i for i, layer in enumerate(layers)}
    for _ in range(repairs + 1):
        filled = fill(wanted, limits, cut, order, reckoned, most, enough=WASTEFUL * bound + 64)
        if filled is None:
            return []
        several = len(filled) > target.limits.cores_per_chip.count
        seated = [_seated(layers, target, filled, aligned, bound) for aligned in (False, True)[: 1 + several]]
        kept = [made for made in seated if not _over(made)]
        if kept:
            return kept
        for core in _over(seated[-1]):
            reach = core.used["output_axons_to_other_chips"] / limits["output_axons_to_other_chips"]
            for share in core.shares:
                most[at[share.layer]] = min(most[at[share.layer]], max(1, int(share.neurons / max(reach, 1.01))))
    return []


def _over(placement: Placement) -> list[Core]:
    limits = placement.limits.items()
    return [core for core in placement.cores if any(core.used[name] > limit for name, limit in limits)]


def _seated(layers: Sequence[LayerShape], target: Target, filled: list[Filled], aligned: bool, bound: int) -> Placement:
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


def _merit(placement: Placement) -> tuple[float, ...]:
    """Less is better: cores, then chips, then messages between chips, then messages and hops."""
    routes = placement.routes
    return (
        len(placement.cores),
        placement.chips,
        sum(each.messages_to_other_chips for each in routes),
        sum(each.messages + each.hops_east_west + each.hops_north_south for each in routes),
    )
