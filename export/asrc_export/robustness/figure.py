"""Accuracy over levels: a panel for each perturbation, a colour for each variant, float dashed and deployed solid."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from asrc_export.robustness.report import PerturbationCurves, RobustnessReport
from asrc_train.analysis import figure
from asrc_train.analysis.figure import COLOURS, INK, MARKERS, PAPER, RULE, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES: dict[str, Any] = {"deployed": "-", "float": (0, (4, 2))}
COLUMNS = 3


def svg(report: RobustnessReport) -> str:
    """The figure as an SVG document."""
    return figure.svg(lambda: _figure(report))


def on_page(report: RobustnessReport) -> dict[str, str]:
    """An <svg> element for each perturbation, by its name: narrow enough for a phone, in the colours of the page that
    it stands on, light or dark.
    """
    return {each.name: _in_page_colours(figure.svg(partial(_figure, report, (each,)))) for each in report.perturbations}


def _in_page_colours(drawn: str) -> str:
    drawn = drawn[drawn.index("<svg") :]
    for colour, of_page in ((INK, "currentColor"), (RULE, "var(--rule)"), (PAPER, "none")):
        drawn = drawn.replace(colour, of_page)
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", re.sub(r"<style>@media.*?</style>", "", drawn))


def _figure(report: RobustnessReport, only: Sequence[PerturbationCurves] = ()) -> Figure:
    from matplotlib.lines import Line2D

    measured = only or report.perturbations
    columns = min(COLUMNS, len(measured))
    variants = dict.fromkeys(curve.variant for each in measured for curve in each.curves)
    looks: dict[str, dict[str, Any]] = {
        name: {"color": colour, "marker": marker}
        for name, colour, marker in zip(variants, itertools.cycle(COLOURS), itertools.cycle(MARKERS))
    }
    drawing, axes = panels(columns, -(-len(measured) // columns), width=3.4, sharey=True)
    for panel, each in zip(axes.flat, measured, strict=False):
        _draw(panel, each, looks)
    for panel in axes.flat[len(measured) :]:
        panel.set_visible(False)
    for panel in axes[:, 0]:
        panel.set_ylabel("accuracy (%)")
    styles = [Line2D([], [], label=name, linestyle="", **look) for name, look in looks.items()]
    versions = dict.fromkeys(curve.version for each in measured for curve in each.curves)
    styles += [Line2D([], [], color=INK, linestyle=DASHES[version], label=version) for version in versions]
    drawing.legend(handles=styles, loc="outside upper center", ncols=min(len(styles), 4 * columns))
    return drawing


def _draw(axes: Axes, measured: PerturbationCurves, looks: dict[str, dict[str, Any]]) -> None:
    levels = measured.levels
    for curve in measured.curves:
        look = looks[curve.variant]
        mean = [100 * share for share in curve.mean]
        axes.plot(levels, mean, linestyle=DASHES[curve.version], **look)
        if curve.version == "deployed" and curve.spread:
            low, high = ([m + sign * s for m, s in zip(mean, curve.spread, strict=True)] for sign in (-100, 100))
            axes.fill_between(levels, low, high, color=look["color"], alpha=0.15, linewidth=0)
    if measured.logarithmic and len(levels) > 1:
        axes.set_xscale("symlog", linthresh=levels[1], linscale=0.5)
        axes.minorticks_off()
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.set(title=measured.title, xlabel=measured.axis, ylim=(0, 102))
