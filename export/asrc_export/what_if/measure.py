"""Measuring changed networks: quantized anew, run on the test split, placed and priced as every other network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from asrc_core import __version__
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Mapping
from asrc_core.contract.result import LayerCounts
from asrc_core.errors import AsrcError
from asrc_export.chip import placement, targets
from asrc_export.chip.cost import energy, latency, storage
from asrc_export.chip.shape import of_network
from asrc_export.chip.targets import Target
from asrc_export.engines.select import Run
from asrc_export.quantization import checks
from asrc_export.quantization.quantize import quantize
from asrc_export.quantization.scale_choice import trained_at
from asrc_export.quantization.search import on_samples
from asrc_export.report.cost.energy import BASELINE
from asrc_export.what_if.change import HALVES, NOTHING, Change
from asrc_export.what_if.outcome import Costs, Duration, Outcome, Price, WhatIf
from asrc_export.what_if.smaller import counts_of_narrower, with_spans, with_widths
from asrc_train.data.dataset import Dataset
from asrc_train.trained.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Setting:
    """Where networks are to run, and on what they are tried: steps of ``dataset`` are in the network's order."""

    target: Target
    run: Run
    dataset: Dataset | None = None
    mapping: Mapping = "delay-line"
    limit: int | None = None
    """Only the first so many test samples."""


def measure(
    frozen: FrozenNetwork,
    setting: Setting,
    *,
    model: str,
    bits: int = 8,
    changes: Sequence[Change] = HALVES,
    progress: Callable[[float, str], None] = lambda done, note: None,
) -> WhatIf:
    """The network as it is and after each of the changes.

    Fewer bits and shorter spans are quantized anew and run; narrower layers would have to be trained, so that only what
    they cost is said, as if each neuron that is left fired as often as it does now. What a target does not take is
    told in its row. Raises NonFiniteWeights, InvalidSetting, InvalidData.
    """
    checks.require_finite(frozen)
    found: list[Outcome] = []
    base: tuple[LayerCounts, ...] | None = None
    for i, change in enumerate((NOTHING, *changes)):
        progress(i, change.name)
        outcome, counts = _outcome(frozen, setting, change, bits, base)
        base = base if i else counts
        found.append(outcome)
    progress(len(found), "")
    return WhatIf(
        format="asrc-what-if",
        version=1,
        asrc=__version__,
        model=model,
        target=setting.target.name,
        mapping=setting.mapping,
        steps=frozen.steps,
        data=None if setting.dataset is None else setting.dataset.name,
        samples=0 if setting.dataset is None else len(setting.dataset.test_y[: setting.limit]),
        outcomes=tuple(found),
    )


def _outcome(
    frozen: FrozenNetwork, setting: Setting, change: Change, bits: int, base: tuple[LayerCounts, ...] | None
) -> tuple[Outcome, tuple[LayerCounts, ...] | None]:
    """One row, and the events of the run that it rests on."""
    changed = with_widths(with_spans(frozen, change), change)
    width = change.of("bits", bits)
    trained = [layer.neurons for layer in changed.layers] == [layer.neurons for layer in frozen.layers]
    row = Outcome(
        name=change.name,
        bits=width,
        spans=tuple(max(each.span for each in layer.connections) for layer in changed.layers),
        widths=tuple(layer.neurons for layer in changed.layers),
        trained=trained,
        accuracy=None,
        costs=None,
        problem=None,
    )
    try:
        network = deployed(changed, setting, width, searched=trained)
        if not trained:
            counts = None if base is None else counts_of_narrower(frozen, change, base)
            return row.model_copy(update={"costs": costs(network, counts, setting)}), counts
        accuracy, ran = _run(network, setting)
        return row.model_copy(update={"accuracy": accuracy, "costs": costs(network, ran, setting)}), ran
    except AsrcError as error:
        return row.model_copy(update={"problem": " ".join(str(error).split())}), None


def deployed(frozen: FrozenNetwork, setting: Setting, bits: int, *, searched: bool = True) -> IntegerNetwork:
    """The integers that an export would give: at scales trained at, or searched on training samples if there are any.

    Raises what `quantize` raises.
    """
    checks.require_spans(frozen, setting.mapping)
    plan = None
    known_scales = trained_at(frozen, setting.target, bits) is not None
    if searched and setting.dataset is not None and not known_scales:
        plan = on_samples.searched(frozen, setting.target, bits, setting.dataset.train_x).plan
    network = quantize(frozen, setting.target, bits=bits, mapping=setting.mapping, plan=plan).network
    return replace(network, provenance={**network.provenance, **targets.embedded(setting.target)})


def _run(network: IntegerNetwork, setting: Setting) -> tuple[float | None, tuple[LayerCounts, ...] | None]:
    """Accuracy on the test split, and the events of all its samples."""
    if setting.dataset is None:
        return None, None
    x, y = setting.dataset.test_x[: setting.limit], setting.dataset.test_y[: setting.limit]
    result = setting.run(network, x)
    return float((result.predictions == y).mean()), result.counts


def costs(network: IntegerNetwork, counts: Sequence[LayerCounts] | None, setting: Setting) -> Costs:
    """What the network takes of the target, for one sample on average of the events counted, if any were.

    Energy and time are those of the target itself or, where it has published none, of the chip whose are. Raises
    RulesBroken if it fits no number of cores.
    """
    chip, shape = setting.target, of_network(network)
    placed = placement.place(shape.layers, chip)
    samples = 0 if setting.dataset is None else len(setting.dataset.test_y[: setting.limit])
    known = counts if samples else None
    return Costs(
        neurons=shape.neurons,
        cores=len(placed.cores),
        chips=placed.chips,
        storage=sum(each.total for each in storage.of_shape(shape, chip)),
        energy=None if known is None else _price(network, known, samples, chip),
        latency=None if known is None else _duration(network, known, samples, chip),
    )


def _price(network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, chip: Target) -> Price | None:
    priced_as = chip if chip.energy is not None else targets.load(BASELINE)
    seats = placement.place_if_possible(of_network(network).layers, priced_as)
    found = energy.on_chip(network, counts, samples, priced_as, seats)
    if found is None:
        return None
    return Price(
        target=priced_as.name,
        covers=found.covers,
        sources=found.sources,
        basis="modelled",
        low_nj=found.low_nj,
        high_nj=found.high_nj,
    )


def _duration(network: IntegerNetwork, counts: Sequence[LayerCounts], samples: int, chip: Target) -> Duration | None:
    timed_as = chip if chip.timing is not None else targets.load(BASELINE)
    seats = placement.place_if_possible(of_network(network).layers, timed_as)
    found = None if seats is None else latency.latency(network, counts, samples, network.steps, timed_as, seats)
    if found is None:
        return None
    return Duration(
        target=timed_as.name,
        covers=found.covers,
        sources=found.sources,
        basis="modelled",
        low_us=found.low_us_per_sample,
        high_us=found.high_us_per_sample,
    )
