"""Placement: which neurons sit on which neuro-core of which chip, within every budget and on few cores.

Layers are cut into shares, runs of neurons of one layer on one core; a core may hold shares of several layers. Nothing
here looks at a weight: a share's cost is arithmetic over sizes (`budget`), so large networks take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from asrc_export.arithmetic import Mapping
from asrc_export.budget import Demand, demands, fewest_cores, largest_share, limits_of
from asrc_export.shape import LayerShape
from asrc_export.target import Target
from asrc_export.traffic import Route, Seat, route, seats
from asrc_train.errors import RulesBroken

ROUNDS = 40
"""Fillings tried until the cores a layer sends to are as many as were reckoned with."""


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
    """A network on cores, every budget kept. ``lower_bound``: no placement at all takes fewer cores."""

    target: str
    mapping: Mapping
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


def place(layers: Sequence[LayerShape], target: Target, mapping: Mapping) -> Placement:
    """Place layers (the readout among them) on a target's cores.

    Three ways of cutting the layers are filled into cores and the one with the fewest cores, then the least traffic,
    is kept. The same input gives the same placement. Raises RulesBroken naming the layers that fit no number of
    cores, or for which no way was found.
    """
    shapes = tuple(layers)
    least = fewest_cores(shapes, target, mapping)
    hopeless = [
        f"{layer.name}: no number of cores holds it, a single neuron of its {layer.neurons} needs "
        + " and ".join(f"{used:,} of {limit:,} {name.replace('_', ' ')}" for name, used, limit in why)
        for layer, (_, why) in zip(shapes, least, strict=True)
        if why
    ]
    if hopeless:
        raise RulesBroken(target.name, hopeless)
    bound = lower_bound(shapes, target, mapping)
    best: Placement | None = None
    for cut in (_even, _whole, _tight):
        for aligned in (False, True):
            made = _settled(shapes, target, mapping, cut, aligned, [cores for cores, _ in least], bound)
            if made is not None and (best is None or _merit(made) < _merit(best)):
                best = made
    if best is None:
        raise RulesBroken(target.name, ["no placement was found that keeps every budget of output axons"])
    return best


def lower_bound(layers: tuple[LayerShape, ...], target: Target, mapping: Mapping) -> int:
    """Cores that any placement needs: of each budget, the least that the network asks for over what a core has.

    The least is taken as if rows were stored without gaps, and as if each layer were on as few cores as it alone could
    be; so the bound may be below what is possible, never above.
    """
    limits = limits_of(target)
    least = [cores for cores, _ in fewest_cores(layers, target, mapping)]
    asked = dict.fromkeys(limits, 0)
    for i, demand in enumerate(demands(layers, target, mapping)):
        for name, amount in _least_use(demand, least[i], _destinations(layers, least)[i]).items():
            if name in asked:
                asked[name] += amount
    return max(*least, *(-(-amount // limits[name]) for name, amount in asked.items()))


def compared(layers: Sequence[LayerShape], target: Target) -> dict[Mapping, Placement | str]:
    """The placement under each mapping, or the sentence that says why there is none."""
    found: dict[Mapping, Placement | str] = {}
    mappings: tuple[Mapping, ...] = ("delay-line", "synaptic-delay")
    for mapping in mappings:
        try:
            found[mapping] = place(layers, target, mapping)
        except RulesBroken as error:
            found[mapping] = str(error)
    return found


def as_data(placement: Placement) -> dict[str, Any]:
    """The placement as plain data, for JSON."""
    return {
        "target": placement.target,
        "mapping": placement.mapping,
        "cores_used": len(placement.cores),
        "lower_bound": placement.lower_bound,
        "chips": placement.chips,
        "limits": dict(placement.limits),
        "cores": [
            {
                "chip": core.seat.chip,
                "core": core.seat.index,
                "tile_row": core.seat.row,
                "tile_column": core.seat.column,
                "shares": [asdict(share) for share in core.shares],
                "used": dict(core.used),
            }
            for core in placement.cores
        ],
        "routes": [{**asdict(each), "farthest_hops": list(each.farthest_hops)} for each in placement.routes],
    }


def _least_use(demand: Demand, cores: int, destinations: int) -> dict[str, int]:
    """The least of each budget that a layer asks for over all its cores."""
    layer, encoding = demand.layer, demand.target.synapses.dense
    each = layer.weight_bits + encoding.overhead.count
    synaptic = layer.neurons * (layer.inputs * each + (layer.sources - layer.inputs) * (each + demand.delay_bits))
    used = demand.of(layer.neurons, destinations)
    routing = used["core_memory"] - used["synaptic_memory"]
    return {
        **used,
        "synaptic_memory": synaptic,
        "core_memory": synaptic + routing,
        "input_axons": cores * used["input_axons"],
        "neuron_groups": cores * used["neuron_groups"],
        "synapse_formats": cores * used["synapse_formats"],
        "output_axons_to_other_chips": 0,
    }


def _destinations(layers: Sequence[LayerShape], cores: Sequence[int]) -> list[int]:
    """For each layer, the cores that one of its spikes goes to: the next layer's, and its own if recurrent."""
    following = [*cores[1:], 0]
    return [after + (own if layer.span else 0) for layer, own, after in zip(layers, cores, following, strict=True)]


@dataclass
class _Bin:
    """A core being filled."""

    limits: dict[str, int]
    shares: list[tuple[int, int]] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    neurons: int = 0
    delay_bits: int = 0

    def with_share(self, demand: Demand, neurons: int, destinations: int) -> dict[str, int]:
        """Use of each budget if a share were added."""
        extra = demand.of(neurons, destinations)
        used = {name: self.used.get(name, 0) + amount for name, amount in extra.items()}
        # The core's delay bits are those of the layer that needs most, for all its neurons.
        used["delay_slots"] = (self.neurons + neurons) << max(self.delay_bits, demand.delay_bits)
        return used

    def room(self, demand: Demand, most: int, destinations: int) -> int:
        """The most neurons of a layer, up to ``most``, that still fit."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            used = self.with_share(demand, middle, destinations)
            if all(used.get(name, 0) <= limit for name, limit in self.limits.items()):
                low = middle
            else:
                high = middle - 1
        return low

    def add(self, i: int, demand: Demand, neurons: int, destinations: int) -> None:
        """Put ``neurons`` of layer ``i`` here."""
        self.used = self.with_share(demand, neurons, destinations)
        self.neurons += neurons
        self.delay_bits = max(self.delay_bits, demand.delay_bits)
        self.shares.append((i, neurons))


@dataclass(frozen=True)
class _Job:
    """One layer to be cut: how many cores it is reckoned on, how many a spike goes to, the largest share alone."""

    index: int
    demand: Demand
    cores: int
    destinations: int
    largest: int


def _even(job: _Job, bins: list[_Bin], limits: dict[str, int]) -> None:
    """Equal shares, each on the first core with room for it: balanced cores."""
    total = job.demand.layer.neurons
    pieces = max(job.cores, -(-total // job.largest))
    taken: set[int] = set()
    for k in range(pieces):
        share = total // pieces + (k < total % pieces)
        if not share:
            continue
        for at, each in enumerate(bins):
            if at not in taken and each.room(job.demand, share, job.destinations) == share:
                break
        else:
            at = len(bins)
            bins.append(_Bin(limits))
        taken.add(at)
        bins[at].add(job.index, job.demand, share, job.destinations)


def _whole(job: _Job, bins: list[_Bin], limits: dict[str, int]) -> None:
    """Cores filled to the brim, the rest of the layer whole on the first core with room for it."""
    rest = job.demand.layer.neurons
    while rest >= job.largest:
        bins.append(_Bin(limits))
        bins[-1].add(job.index, job.demand, job.largest, job.destinations)
        rest -= job.largest
    if rest:
        open_bins = [each for each in bins if all(i != job.index for i, _ in each.shares)]
        into = next((each for each in open_bins if each.room(job.demand, rest, job.destinations) == rest), None)
        if into is None:
            into = _Bin(limits)
            bins.append(into)
        into.add(job.index, job.demand, rest, job.destinations)


def _tight(job: _Job, bins: list[_Bin], limits: dict[str, int]) -> None:
    """Every core filled to the brim before the next one is opened."""
    rest = job.demand.layer.neurons
    while rest:
        room = bins[-1].room(job.demand, min(rest, job.largest), job.destinations) if bins else 0
        if room == 0 or any(i == job.index for i, _ in bins[-1].shares):
            bins.append(_Bin(limits))
            room = min(rest, job.largest)
        bins[-1].add(job.index, job.demand, room, job.destinations)
        rest -= room


def _settled(
    layers: tuple[LayerShape, ...],
    target: Target,
    mapping: Mapping,
    cut: Any,
    aligned: bool,
    cores: Sequence[int],
    bound: int,
) -> Placement | None:
    """Fill until the cores that spikes go to are no more than reckoned with; None if that does not come to rest."""
    limits, wanted = limits_of(target), demands(layers, target, mapping)
    reckoned = list(cores)
    for _ in range(ROUNDS):
        destinations = _destinations(layers, reckoned)
        bins: list[_Bin] = []
        for i, demand in enumerate(wanted):
            largest = largest_share(demand, destinations[i], limits)
            if largest == 0:
                return None
            cut(_Job(i, demand, reckoned[i], destinations[i], largest), bins, limits)
        counted = [sum(any(i == at for at, _ in each.shares) for each in bins) for i in range(len(layers))]
        if all(now <= then for now, then in zip(counted, reckoned, strict=True)):
            made = _seated(layers, target, mapping, bins, wanted, counted, aligned, bound)
            return made if _kept(made) else None
        reckoned = [max(now, then) for now, then in zip(counted, reckoned, strict=True)]
    return None


def _seated(
    layers: tuple[LayerShape, ...],
    target: Target,
    mapping: Mapping,
    bins: list[_Bin],
    wanted: list[Demand],
    counted: list[int],
    aligned: bool,
    bound: int,
) -> Placement:
    """Give the filled cores their seats, in the order of the layers, and measure what they use."""
    ordered = sorted(bins, key=lambda each: min(i for i, _ in each.shares))
    places = seats(_indices(ordered, target.limits.cores_per_chip.count, aligned), target)
    homes: list[list[tuple[Seat, int]]] = [[] for _ in layers]
    for seat, each in zip(places, ordered, strict=True):
        for i, neurons in each.shares:
            homes[i].append((seat, neurons))
    following = [*homes[1:], []]
    destinations = _destinations(layers, counted)
    firsts = [0] * len(layers)
    cores = []
    for seat, each in zip(places, ordered, strict=True):
        final, shares, leaving = _Bin(each.limits), [], 0
        for i, neurons in each.shares:
            final.add(i, wanted[i], neurons, destinations[i])
            shares.append(Share(layers[i].name, firsts[i], neurons))
            firsts[i] += neurons
            receivers = [*(homes[i] if layers[i].span else []), *following[i]]
            leaving += neurons * sum(there.chip != seat.chip for there, _ in receivers)
        used = {**final.used, "output_axons_to_other_chips": leaving}
        cores.append(Core(seat, tuple(shares), {name: used[name] for name in each.limits}))
    return Placement(target.name, mapping, tuple(cores), limits_of(target), bound, tuple(_routes(layers, homes)))


def _routes(layers: Sequence[LayerShape], homes: list[list[tuple[Seat, int]]]) -> Iterator[Route]:
    for i, layer in enumerate(layers):
        sending, weights = [seat for seat, _ in homes[i]], [neurons for _, neurons in homes[i]]
        if layer.span:
            yield route(layer.name, layer.name, weights, sending, sending)
        if i + 1 < len(layers):
            yield route(layer.name, layers[i + 1].name, weights, sending, [seat for seat, _ in homes[i + 1]])


def _indices(bins: Sequence[_Bin], per_chip: int, aligned: bool) -> list[int]:
    """A running index for each core; ``aligned`` starts a new chip for a layer that the rest of one cannot hold."""
    made: list[int] = []
    following = 0
    for at, each in enumerate(bins):
        layer = min(i for i, _ in each.shares)
        starts = at == 0 or min(i for i, _ in bins[at - 1].shares) != layer
        if aligned and starts and following % per_chip:
            length = sum(min(i for i, _ in other.shares) == layer for other in bins)
            if length <= per_chip and following % per_chip + length > per_chip:
                following += per_chip - following % per_chip
        made.append(following)
        following += 1
    return made


def _kept(placement: Placement) -> bool:
    return all(core.used[name] <= limit for core in placement.cores for name, limit in placement.limits.items())


def _merit(placement: Placement) -> tuple[float, ...]:
    """Less is better: cores, then chips, then messages between chips, then messages and hops."""
    routes = placement.routes
    return (
        len(placement.cores),
        placement.chips,
        sum(each.messages_to_other_chips for each in routes),
        sum(each.messages + each.hops_east_west + each.hops_north_south for each in routes),
    )
