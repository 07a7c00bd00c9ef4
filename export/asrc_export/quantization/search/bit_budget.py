"""Weight bits for each layer under a total: few where it costs little, many where it costs much.

How much it costs is measured. For each layer, and the readout, and each width that the target stores, the network is
run on calibration samples with that part at that width and all others at the widest; the loss is the mean
Kullback-Leibler divergence of its answers from the float network's. Losses of the parts are taken to add up, the
choice with the least sum within the budget is found exactly, and it has to be no worse than one width for all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import MAX_WEIGHT_BITS, MIN_WEIGHT_BITS, Mapping
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidSetting
from asrc_export import float_network
from asrc_export.chip.cost import storage
from asrc_export.chip.shape import LayerShape, fan_out, of_network
from asrc_export.chip.targets import Target
from asrc_export.engines import select
from asrc_export.quantization import quantize
from asrc_export.quantization.integers import parts_of
from asrc_export.quantization.search import layer_search, readout_search, search
from asrc_export.quantization.search.activity import SAMPLES, Activity, observe
from asrc_export.quantization.search.layer_search import LayerChoice
from asrc_export.quantization.search.readout_search import ReadoutChoice
from asrc_export.quantization.search.search import Progress
from asrc_train.trained.frozen import Floats, FrozenNetwork

UNITS = {"bits": 1, "B": 8, "KB": 8 * 1000, "KiB": 8 * 1024, "MB": 8 * 1000**2, "MiB": 8 * 1024**2}
MAX_BUDGET = 2**50
ROUGH = 16
"""Samples by which the integers of each width are chosen: losses are compared here, the final search takes more."""


class Option(NamedTuple):
    """A part at a width: the bits of storage that its weights take, and what it loses, in nats a sample."""

    width: int
    storage: int
    loss: float


@dataclass(frozen=True)
class Allocation:
    """The width chosen for each layer, then the readout, and all that could have been."""

    names: tuple[str, ...]
    chosen: tuple[Option, ...]
    options: tuple[tuple[Option, ...], ...]

    @property
    def bits(self) -> tuple[int, ...]:
        """The widths alone, as `quantize` takes them."""
        return tuple(option.width for option in self.chosen)

    @property
    def storage(self) -> int:
        """Bits of weight storage, all parts together."""
        return sum(option.storage for option in self.chosen)


def parse(text: str) -> int:
    """Bits in a budget such as 40KB (1,000 bytes), 40KiB (1,024), 5000B or 320000bits. Raises InvalidSetting."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]+)", text.strip())
    if found is None or found[2] not in UNITS:
        raise InvalidSetting(
            "`budget`", f"'{text}' is no size; give a number and one of {', '.join(UNITS)}, as in 40KB"
        )
    bits = int(float(found[1]) * UNITS[found[2]])
    if not 1 <= bits <= MAX_BUDGET:
        raise InvalidSetting("`budget`", f"'{text}' is not between 1 bit and {MAX_BUDGET:,} bits")
    return bits


def choose(
    frozen: FrozenNetwork,
    target: Target,
    budget: int,
    x: NDArray[np.generic],
    *,
    mapping: Mapping = "delay-line",
    progress: Progress = lambda done, note: None,
) -> Allocation:
    """The widths with the least loss whose weights take at most ``budget`` bits of storage.

    Losses of the parts are taken to add up; the choice that this leads to is measured beside the widest single width
    for all that the budget allows, and the better is taken.

    x: calibration samples (B, T, channels). ``progress`` is told how many of the layers and the readout are done.
    Raises InvalidData (samples that do not fit, or too few), InvalidSetting (a budget that nothing meets, naming the
    smallest that can be), and what `quantize` raises.
    """
    allowed = sorted(width for width in target.formats.weight_bits if MIN_WEIGHT_BITS <= width <= MAX_WEIGHT_BITS)
    if not allowed:
        raise InvalidSetting(
            "`bits`", f"target '{target.name}' stores no weights of {MIN_WEIGHT_BITS} to {MAX_WEIGHT_BITS} bits"
        )
    names = (*(layer.name for layer in frozen.layers), "readout")
    sizes = _sizes(frozen, target, allowed, mapping)
    _require_reachable(budget, sizes)
    activity = observe(frozen, x[:ROUGH])
    losses, measured = _losses(frozen, target, allowed, activity, x[:SAMPLES], mapping, progress)
    options = tuple(
        tuple(starmap(Option, zip(allowed, stored, each, strict=True)))
        for stored, each in zip(sizes, losses, strict=True)
    )
    # That losses add up is an assumption, and on long samples a poor one: what it leads to has to be no worse, all
    # together, than one width for all.
    added = allocate(options, budget)
    even = [of_all for of_all in zip(*options, strict=True) if sum(option.storage for option in of_all) <= budget]
    chosen = min((added, *even[-1:]), key=lambda each: measured([allowed.index(option.width) for option in each]))
    return Allocation(names, chosen, options)


def allocate(options: Sequence[Sequence[Option]], budget: int) -> tuple[Option, ...]:
    """One option of each part with the least sum of losses within the budget; of equals the one with most bits.

    Exact: of all choices for the first parts, those are dropped to which another is better and no larger. Raises
    InvalidSetting if nothing fits.
    """
    kept: list[tuple[int, float, tuple[Option, ...]]] = [(0, 0.0, ())]
    for part in options:
        longer = sorted(
            (size + option.storage, loss + option.loss, (*chosen, option))
            for size, loss, chosen in kept
            for option in part
            if size + option.storage <= budget
        )
        kept = []
        for each in longer:
            if not kept or (each[1] <= kept[-1][1] and each[:2] != kept[-1][:2]):
                kept.append(each)
    if not kept:
        least = sum(min(option.storage for option in part) for part in options)
        raise InvalidSetting(
            "`budget`", f"{plural(budget, 'bit')} {agreeing(budget, 'is', 'are')} too few, {least:,} are the least"
        )
    return kept[-1][2]


def _sizes(frozen: FrozenNetwork, target: Target, allowed: Sequence[int], mapping: Mapping) -> list[list[int]]:
    """Bits of storage that each layer's weights, then the readout's, take at each allowed width.

    As `storage` counts a network's, but by the float weights: one that is 0 stays so at any width, and where the target
    leaves such out it takes nothing. What only rounding makes 0 is counted, so that the budget is kept whatever the
    search rounds to. Raises what `quantize` raises.
    """
    shape = of_network(quantize.quantize(frozen, target, bits=allowed[0], mapping=mapping).network)
    weights = [[each.weight for each in part.connections] for part in parts_of(frozen)]
    if frozen.decides is None:
        weights.append([frozen.readout_weight])
    return [
        [storage.weight_bits(_at(layer, of_each, width), target) for width in allowed]
        for layer, of_each in zip(shape.layers, weights, strict=True)
    ]


def _at(layer: LayerShape, weights: Sequence[Floats], width: int) -> LayerShape:
    """The layer with weights of so many bits, as many as the floats have."""
    pairs = zip(layer.connections, weights, strict=True)
    connections = (replace(each, weight_bits=width, fan_out=fan_out(floats)) for each, floats in pairs)
    return replace(layer, connections=tuple(connections))


def _require_reachable(budget: int, sizes: Sequence[Sequence[int]]) -> None:
    least = sum(map(min, sizes))
    if budget < least:
        raise InvalidSetting(
            "`budget`",
            f"{_bytes(budget)} are too few: at the widths that the target stores, all weights take at least "
            f"{_bytes(least)}; give that much, or train a smaller network",
        )


def _bytes(bits: int) -> str:
    return f"{bits / 8000:,.3f} KB ({plural(bits, 'bit')})"


def _losses(
    frozen: FrozenNetwork,
    target: Target,
    allowed: Sequence[int],
    activity: Activity,
    x: NDArray[np.generic],
    mapping: Mapping,
    progress: Progress,
) -> tuple[list[list[float]], Callable[[Sequence[int]], float]]:
    """Of each layer and the readout, the loss at each allowed width, never less than at a wider one; and what measures
    the loss of any choice, given which of the allowed widths each part has.
    """
    parts, widest = len(frozen.layers) + 1, len(allowed) - 1
    layers: list[list[LayerChoice]] = []
    for i, layer in enumerate(frozen.layers):
        layers.append([])
        for k, width in enumerate(allowed):
            progress(i + k / len(allowed), f"{layer.name} at {plural(width, 'bit')}")
            layers[i].append(layer_search.choose(frozen, i, target, width, activity.layers[i]))
    readouts = [readout_search.choose(frozen, target, width, activity) for width in allowed]
    run, expected = select.engine().run, float_network.logits(frozen, x).astype(np.float64)

    def loss(picked: Sequence[int]) -> float:
        network = _network(frozen, target, allowed, picked, layers, readouts, mapping)
        return divergence(expected, run(network, x).logits / network.readout.scale)

    progress(parts - 1, "measuring")
    base = loss([widest] * parts)
    found = []
    for part in range(parts):
        own = [loss([k if j == part else widest for j in range(parts)]) for k in range(widest)] + [base]
        found.append(np.maximum.accumulate(own[::-1])[::-1].tolist())
    progress(parts, "")
    return found, loss


def _network(
    frozen: FrozenNetwork,
    target: Target,
    allowed: Sequence[int],
    picked: Sequence[int],
    layers: Sequence[Sequence[LayerChoice]],
    readouts: Sequence[ReadoutChoice],
    mapping: Mapping,
) -> IntegerNetwork:
    bits = tuple(allowed[k] for k in picked)
    own = [choices[k] for choices, k in zip(layers, picked, strict=False)]
    plan = search.together(frozen, target, bits, own, readouts[picked[-1]])
    return quantize.quantize(frozen, target, bits=bits, mapping=mapping, plan=plan).network


def divergence(expected: Floats, logits: Floats) -> float:
    """Mean over the samples of KL(softmax(expected) || softmax(logits)), in nats; both (B, C)."""
    mine, theirs = (_log_softmax(each) for each in (expected, logits))
    return float((np.exp(mine) * (mine - theirs)).sum(axis=1).mean())


def _log_softmax(logits: Floats) -> Floats:
    shifted: Floats = logits - logits.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs
