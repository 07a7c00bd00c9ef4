"""A metric over a swept setting: one line for each value of other settings, mean and band over the seeds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asrc_core.errors import InvalidSetting, UnknownName
from asrc_train.analysis import band
from asrc_train.analysis.analysis import Analysis
from asrc_train.analysis.figure import COLOURS, MARKERS, legend, panels
from asrc_train.sweep import keys
from asrc_train.sweep.result import SCORES, Result, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPANS = "spans"
METRICS = (*SCORES, SPANS)
WIDE = 8
"""Positive values whose greatest is at least this many times the least are drawn on a logarithmic axis."""


def swept(results: Sequence[Result], x: str, lines: Sequence[str] = (), metric: str = "test") -> Analysis:
    """``metric`` of the results over the setting ``x``, a line for each combination of the settings ``lines``.

    Metrics are the accuracies of a checkpoint (in percent), or `spans`: a line for each layer. Raises UnknownName
    (setting, metric), and InvalidSetting if the results differ in a setting that is neither of these nor the seed,
    which a mean would hide.
    """
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    told = [keys.require_known(key) for key in (*lines, x)]
    hidden = [key for key in keys.differing([each.config for each in results]) if key not in (*told, keys.SEED)]
    if hidden:
        raise InvalidSetting("`line`", f"the runs differ in {', '.join(hidden)} too; name it, or give fewer of them")
    rows = [each.row([*told, keys.SEED]) for each in results]
    return Analysis(rows, lambda: _figure(results, x, lines, metric), summary(results, told))


def _figure(results: Sequence[Result], x: str, lines: Sequence[str], metric: str) -> Figure:
    ticks = keys.places([keys.value(each.config, x) for each in results])
    values: dict[str, dict[float, list[float]]] = {}
    for each in results:
        settings = ", ".join(_told(key, keys.value(each.config, key)) for key in lines)
        at = ticks[keys.shown(keys.value(each.config, x))]
        for called, value in _measured(each, metric):
            values.setdefault(", ".join(filter(None, (settings, called))), {}).setdefault(at, []).append(value)
    figure, axes = panels(1, width=4.6, height=3)
    (axis,) = axes[0]
    for (called, found), colour, marker in zip(values.items(), itertools.cycle(COLOURS), itertools.cycle(MARKERS)):
        band.draw(axis, band.band(found), colour, called, marker=marker)
    _set_ticks(axis, ticks)
    unit = "span (steps)" if metric == SPANS else f"{metric.replace('_', ', ')} accuracy (%)"
    axis.set(xlabel=x, ylabel=unit)
    legend(figure, axis)
    return figure


def _measured(result: Result, metric: str) -> list[tuple[str, float]]:
    if metric == SPANS:
        return [(f"layer {layer}", float(span)) for layer, span in enumerate(result.spans)]
    return [("", 100 * result.scores[metric])]


def _told(key: str, setting: Any) -> str:
    word = keys.shown(setting)
    return word if isinstance(setting, str) else f"{key.rpartition('.')[2].replace('_', ' ')} {word}"


def _set_ticks(axis: Axes, ticks: dict[str, float]) -> None:
    least, greatest = min(ticks.values()), max(ticks.values())
    if least > 0 and greatest >= WIDE * least:
        axis.set_xscale("log", base=2)
    axis.set_xticks(list(ticks.values()), list(ticks), minor=False)
    axis.minorticks_off()
