"""Accuracy against cost over trained networks: which of them no other one beats in both."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrc_core.counts import plural
from asrc_core.errors import InvalidSetting, UnknownName
from asrc_export.samples.dataset_samples import calibration_for
from asrc_export.what_if.measure import Setting, measure
from asrc_export.what_if.outcome import Costs, Outcome
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.figure import COLOURS, INK, MARKERS, legend, log_axis, panels
from asrc_train.trained.freeze import freeze_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOURCE_WIDTH = 90
"""Characters of a line of sources below the figure."""
LOG_FROM = 8
"""Costs whose greatest is at least this many times the least are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Cost:
    """What a network costs in one respect: its axis, and its number; None where it is not known."""

    axis: str
    of: Callable[[Costs], float | None]


COSTS: Mapping[str, Cost] = {
    "energy": Cost("energy of a sample (nJ), modelled", lambda costs: costs.energy.high_nj if costs.energy else None),
    "latency": Cost("time of a sample (µs), modelled", lambda costs: costs.latency.high_us if costs.latency else None),
    "storage": Cost("storage (KB)", lambda costs: costs.storage / 8000),
    "neurons": Cost("neurons", lambda costs: float(costs.neurons)),
    "cores": Cost("cores", lambda costs: float(costs.cores)),
}


@dataclass(frozen=True)
class Point:
    """A trained network at one width of weights: what it costs, and how many samples it answers rightly."""

    name: str
    bits: int
    cost: float
    accuracy: float
    outcome: Outcome


def points(
    checkpoints: Sequence[Path],
    setting: Setting,
    bits: Sequence[int],
    cost: str,
    *,
    data: str | None = None,
    progress: Callable[[float, str], None] = lambda done, note: None,
) -> tuple[list[Point], list[Outcome]]:
    """Each checkpoint, deployed at each width and run on its test split; and those the target does not take.

    ``data``: a data set in place of the one that each was trained on. Raises UnknownName (cost), InvalidSetting,
    UnreadableFile, InvalidData.
    """
    if cost not in COSTS:
        raise UnknownName("cost", cost, COSTS)
    found: list[Point] = []
    refused: list[Outcome] = []
    for done, path in enumerate(checkpoints):
        progress(done, path.name)
        frozen = freeze_file(path)
        name = data or frozen.provenance["data"]
        if not name:
            raise InvalidSetting(f"'{path}'", "it does not say what it was trained on; name data by `data`")
        own = Setting(setting.target, setting.run, calibration_for(frozen, name), setting.mapping, setting.limit)
        for width in bits:
            outcome = measure(frozen, own, model=path.name, bits=width, changes=()).outcomes[0]
            price = None if outcome.costs is None else COSTS[cost].of(outcome.costs)
            if price is None or outcome.accuracy is None:
                why = outcome.problem or f"nothing published gives its {cost}"
                named = f"{path.stem}, {plural(width, 'bit')}"
                refused.append(outcome.model_copy(update={"name": named, "problem": why}))
                continue
            found.append(Point(path.stem, width, price, outcome.accuracy, outcome))
    progress(len(checkpoints), "")
    return found, refused


def front(found: Sequence[Point]) -> list[Point]:
    """The points that no other one beats: none costs as little and is as accurate, and better in one of the two.

    In order of cost; of equal points all are kept.
    """
    return sorted(
        (each for each in found if not any(_beats(other, each) for other in found)),
        key=lambda each: (each.cost, each.accuracy, each.name),
    )


def _beats(one: Point, other: Point) -> bool:
    no_worse = one.cost <= other.cost and one.accuracy >= other.accuracy
    return no_worse and (one.cost < other.cost or one.accuracy > other.accuracy)


def pareto(found: Sequence[Point], refused: Sequence[Outcome], cost: str) -> Analysis:
    """The points with their costs, and the figure: accuracy over cost, and the front as a line.

    Energy and time go with the target whose prices they are and with the sources of these, in the rows and in the
    axis. Raises InvalidSetting where the target takes none of the networks.
    """
    if not found:
        why = "; ".join(f"{each.name}: {each.problem}" for each in refused)
        raise InvalidSetting("checkpoints", f"none of them has such a cost there: {why}")
    best = front(found)
    rows = [_row(each, each in best) for each in found] + [_measured(each) for each in refused]
    told = sorted(found, key=lambda each: (each.cost, each.name))
    summary = [
        {
            "network": each.name,
            "bits": each.bits,
            "accuracy": f"{each.accuracy:.1%}",
            _axis(found, cost): f"{each.cost:,.4g}",
            "on the front": "yes" if each in best else "",
        }
        for each in told
    ]
    return Analysis(
        rows, lambda: _figure(found, best, cost), summary, tuple(f"{each.name}: {each.problem}" for each in refused)
    )


def _row(point: Point, on_front: bool) -> dict[str, Any]:
    return {**_measured(point.outcome), "name": point.name, "on_front": on_front}


def _measured(outcome: Outcome) -> dict[str, Any]:
    """What is known of a network, None where nothing is."""
    costs = outcome.costs
    energy, time = (costs.energy, costs.latency) if costs else (None, None)
    return {
        "name": outcome.name,
        "bits": outcome.bits,
        "accuracy": outcome.accuracy,
        "neurons": costs and costs.neurons,
        "cores": costs and costs.cores,
        "storage_bits": costs and costs.storage,
        "energy_low_nj": energy and energy.low_nj,
        "energy_high_nj": energy and energy.high_nj,
        "energy_as_on": energy and energy.target,
        "energy_sources": energy and "; ".join(energy.sources),
        "latency_low_us": time and time.low_us,
        "latency_high_us": time and time.high_us,
        "latency_as_on": time and time.target,
        "latency_sources": time and "; ".join(time.sources),
        "on_front": False,
        "problem": outcome.problem,
    }


def _axis(found: Sequence[Point], cost: str) -> str:
    costs = found[0].outcome.costs
    assert costs is not None, "a point has costs"
    rests = {"energy": costs.energy, "latency": costs.latency}.get(cost)
    return COSTS[cost].axis + (f" as on {rests.target}" if rests else "")


def _figure(found: Sequence[Point], best: Sequence[Point], cost: str) -> Figure:
    figure, axes = panels(1, width=4.6, height=3.2)
    (axis,) = axes[0]
    widths = sorted({each.bits for each in found}, reverse=True)
    for i, width in enumerate(widths):
        own = [each for each in found if each.bits == width]
        axis.plot(
            [each.cost for each in own],
            [100 * each.accuracy for each in own],
            MARKERS[i % len(MARKERS)],
            color=COLOURS[i % len(COLOURS)],
            label=f"{plural(width, 'bit')}",
        )
    axis.step(
        [each.cost for each in best],
        [100 * each.accuracy for each in best],
        where="post",
        color=INK,
        linewidth=0.8,
        zorder=1,
        label="no other is better in both",
    )
    for each in best:
        axis.annotate(
            each.name, (each.cost, 100 * each.accuracy), (4, -8), textcoords="offset points", fontsize=6, color=INK
        )
    costs = [each.cost for each in found]
    if min(costs) > 0 and max(costs) >= LOG_FROM * min(costs):
        axis.set_xscale("log")
        log_axis(axis.xaxis, plain=True)
    sources = _sources(found, cost)
    axis.set(xlabel=_axis(found, cost), ylabel="test accuracy (%)")
    if sources:
        figure.supxlabel(sources, fontsize=6)
    legend(figure, axis)
    return figure


def _sources(found: Sequence[Point], cost: str) -> str:
    """The citations of a modelled cost, a line each, as no joule stands without one."""
    costs = found[0].outcome.costs
    assert costs is not None, "a point has costs"
    rests = {"energy": costs.energy, "latency": costs.latency}.get(cost)
    return "" if rests is None else "\n".join(textwrap.fill(each, SOURCE_WIDTH) for each in rests.sources)
