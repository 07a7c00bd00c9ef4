"""Placing a network within every budget of the cores, and on few of them.

Layers are cut into shares, runs of neurons of one layer on one core; a core may hold shares of several layers. Nothing
here looks at a weight: a share's cost is arithmetic over sizes (`budget`), so large networks take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from asrc_core.contract.numbers import Mapping
from asrc_core.counts import plural
from asrc_core.errors import RulesBroken
from asrc_export.chip.placement.bound import fewest_cores, lower_bound
from asrc_export.chip.placement.budget import demands, limits_of
from asrc_export.chip.placement.filling import CUTS, Cut, fill, ways
from asrc_export.chip.placement.placed import Core, Placement
from asrc_export.chip.placement.seating import seated
from asrc_export.chip.shape import LayerShape, mapped
from asrc_export.chip.targets import Target

WASTEFUL = 3
"""A way of filling that takes so many times the lower bound of cores is given up."""
LARGE = 512
"""Cores of a network so large that only the orderly ways of filling are tried."""
REPAIRS = 4
"""Fillings with smaller shares, tried when a core has too many axons to other chips."""


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


def _require_some_fit(layers: Sequence[LayerShape], target: Target) -> None:
    hopeless = [
        f"{layer.name}: no number of cores holds it, a single one of its {plural(layer.neurons, 'neuron')} needs "
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
        tried = [seated(layers, target, filled, aligned, bound) for aligned in (False, True)[: 1 + several]]
        kept = [made for made in tried if not _over(made)]
        if kept:
            return kept
        for core in _over(tried[-1]):
            reach = core.used["output_axons_to_other_chips"] / limits["output_axons_to_other_chips"]
            for share in core.shares:
                most[at[share.layer]] = min(most[at[share.layer]], max(1, int(share.neurons / max(reach, 1.01))))
    return []


def _over(placement: Placement) -> list[Core]:
    limits = placement.limits.items()
    return [core for core in placement.cores if any(core.used[name] > limit for name, limit in limits)]


def _merit(placement: Placement) -> tuple[float, ...]:
    """Less is better: cores, then chips, then messages between chips, then messages and hops."""
    routes = placement.routes
    return (
        len(placement.cores),
        placement.chips,
        sum(each.messages_to_other_chips for each in routes),
        sum(each.messages + each.hops_east_west + each.hops_north_south for each in routes),
    )
