"""Rules about cores and chips: a layer fits some number of cores, a network some system."""

from __future__ import annotations

import math
from collections.abc import Iterator

from asrc_core.counts import plural
from asrc_core.errors import RulesBroken
from asrc_export.chip.placement import place
from asrc_export.chip.placement.bound import Broken, fewest_cores
from asrc_export.chip.placement.budget import most_that_fit
from asrc_export.chip.rules.finding import Finding, sentence
from asrc_export.chip.shape import NetworkShape, resized
from asrc_export.chip.targets import Target


def single_neuron(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A core must hold at least one neuron with all its input axons, synapses and output axons."""
    for i, least in enumerate(fewest_cores(shape.layers, target)):
        if least.broken:
            yield Finding(
                sentence(single_neuron),
                shape.layers[i].name,
                " and ".join(f"{each.used:,} {_budget(each)}" for each in least.broken),
                " and ".join(f"{each.limit:,}" for each in least.broken),
                _narrower(shape, target, i),
                blocks=True,
            )


def cores_of_a_system(shape: NetworkShape, target: Target) -> Iterator[Finding]:
    """A system has a limited number of chips."""
    chips = target.limits.chips
    if chips is None or any(least.broken for least in fewest_cores(shape.layers, target)):
        return
    try:
        placed = place(shape.layers, target)
    except RulesBroken as error:
        yield Finding(sentence(cores_of_a_system), "network", "no placement", str(chips.count), str(error), blocks=True)
        return
    if placed.chips > chips.count:
        yield Finding(
            sentence(cores_of_a_system),
            "network",
            f"{plural(placed.chips, 'chip')} ({plural(len(placed.cores), 'core')})",
            f"{plural(chips.count, 'chip')}",
            f"about {math.sqrt(chips.count / placed.chips):.0%} of each width fits",
            blocks=True,
        )


def _narrower(shape: NetworkShape, target: Target, i: int) -> str:
    """The width of layer ``i``, or else of the one before it, at which layer ``i`` fits."""
    if width := _largest_width(shape, target, i):
        return f"largest width that fits: {width:,}"
    if i and (width := _largest_width(shape, target, i - 1)):
        return f"largest width of {shape.layers[i - 1].name} that fits: {width:,}"
    return "no width fits; use fewer input channels or another target"


def _largest_width(shape: NetworkShape, target: Target, i: int) -> int:
    """The most neurons that layer ``i`` can have for all layers to fit some number of cores; 0 if there is none."""
    name = shape.layers[i].name
    reached = [
        i,
        *(j for j, other in enumerate(shape.layers) if any(each.source == name for each in other.connections)),
    ]

    def fits(width: int) -> bool:
        least = fewest_cores(resized(shape.layers, i, width), target)
        return not any(least[j].broken for j in reached)

    return most_that_fit(shape.layers[i].neurons, fits)


def _budget(broken: Broken) -> str:
    return broken.budget.replace("_", " ")
