"""Accuracy over levels: a panel for each perturbation, a colour for each variant, float dashed and deployed solid."""

from __future__ import annotations

import io
from typing import Any

from asrc_export.report.figures import STYLE

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, which is told apart with every kind of colour vision."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: dict[str, Any] = {"deployed": "-", "float": (0, (4, 2))}
COLUMNS = 3
PANEL = (3.0, 2.3)
LOOKS = {
    "text.color": "black",
    "axes.labelcolor": "black",
    "axes.edgecolor": "#808080",
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "xtick.color": "#808080",
    "ytick.color": "#808080",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "grid.color": "#d5dade",
    "font.size": 8,
    "axes.labelsize": 8,
    "lines.markersize": 3.5,
    "lines.linewidth": 1.2,
}
"""Colours of its own: the figure also stands alone, as an image on a page of any colour."""


def svg(content: dict[str, Any]) -> str:
    """The figure as an SVG document."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    panels = content["perturbations"]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    variants = list(dict.fromkeys(curve["variant"] for panel in panels for curve in panel["curves"]))
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, **LOOKS})
        canvas = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.4))
        grid = canvas.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            _draw(axes, panel, variants)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[::columns]:
            axes.set_ylabel("accuracy in percent")
        styles = [
            Line2D([], [], color=_colour(i), marker=_marker(i), label=name, linestyle="")
            for i, name in enumerate(variants)
        ]
        versions = dict.fromkeys(curve["version"] for panel in panels for curve in panel["curves"])
        styles += [Line2D([], [], color="black", linestyle=DASHES[version], label=version) for version in versions]
        canvas.legend(handles=styles, loc="outside upper center", ncols=len(styles))
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return out.getvalue()


def _draw(axes: Any, panel: dict[str, Any], variants: list[str]) -> None:
    levels = panel["levels"]
    for curve in panel["curves"]:
        i = variants.index(curve["variant"])
        mean = [100 * share for share in curve["mean"]]
        axes.plot(levels, mean, color=_colour(i), marker=_marker(i), linestyle=DASHES[curve["version"]])
        if curve["version"] == "deployed" and curve["spread"]:
            low, high = ([m + sign * s for m, s in zip(mean, curve["spread"], strict=True)] for sign in (-100, 100))
            axes.fill_between(levels, low, high, color=_colour(i), alpha=0.15, linewidth=0)
    if panel["logarithmic"] and len(levels) > 1:
        axes.set_xscale("symlog", linthresh=levels[1], linscale=0.5)
        axes.minorticks_off()
        axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.set(title=panel["title"], xlabel=panel["axis"], ylim=(0, 102))
    axes.grid(axis="y")


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _marker(i: int) -> str:
    return MARKERS[i % len(MARKERS)]
