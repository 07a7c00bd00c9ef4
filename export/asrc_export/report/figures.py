"""The page's figures: drawn by matplotlib as SVG without a colour of their own, so that the page's theme colours them.

Grey is float, the accent is deployed, throughout. Text in figures stays text, in the page's font.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asrc_export.report.sections import Report, spans_of
from asrc_export.report.spikes import spikes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

INK, ACCENT, MUTED, RULE = "#010101", "#020202", "#030303", "#040404"
COLOURS = {INK: "currentColor", ACCENT: "var(--accent)", MUTED: "var(--muted)", RULE: "var(--rule)"}
"""Stand-ins for the page's colours: matplotlib only writes colours that it knows."""
NARROW, WIDE = 4.6, 8.2
MAX_POINTS = 1000
MAX_LABELLED_CLASSES = 20
CORES_IN_A_ROW = 16
MAX_CHIPS = 8
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "asrc",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.4,
}


@dataclass(frozen=True)
class Figure:
    """An SVG element, what it shows in a few words, and the caption that says what one sees."""

    svg: str
    label: str
    caption: str
    wide: bool = False


def figures(report: Report) -> dict[str, list[Figure]]:
    """The figures that stand with each section, by the section's key; those without data are left out."""
    drawn: dict[str, list[Figure]] = {}
    for key, draw in FIGURES:
        with _style():
            made = draw(report)
        if made is not None:
            drawn.setdefault(key, []).append(made)
    return drawn


def ladder(report: Report) -> Figure:
    """Accuracy of each rung."""
    rungs = report["ladder"]["rungs"]
    canvas, axes = _canvas(NARROW, 2.2)
    values = [100 * rung["accuracy"] for rung in rungs]
    y = np.arange(len(rungs))[::-1]
    axes.plot(values, y, color=RULE, zorder=1)
    for value, at, rung in zip(values, y, rungs, strict=True):
        axes.plot(value, at, "o", markersize=7, color=ACCENT if rung["name"] == "deployed" else MUTED)
        axes.annotate(f"{value:.1f} %", (value, at), (0, 6), textcoords="offset points", ha="center")
    axes.set_yticks(y, [rung["title"] for rung in rungs])
    axes.set_xlabel("accuracy in percent")
    margin = max(1.0, 0.3 * (max(values) - min(values)))
    axes.set_xlim(min(values) - margin, min(max(values) + margin, 102))
    axes.set_ylim(-0.5, len(rungs) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    caption = (
        f"Accuracy from the trained network (top) to the chip's integers (bottom), on {report['ladder']['samples']:,} "
        "test samples. The axis does not begin at zero, so small steps look large."
    )
    return Figure(_svg(canvas), "Accuracy of each rung", caption)


def drift(report: Report) -> Figure:
    """Share of spikes that differ, over time."""
    canvas, axes = _canvas(NARROW, 2.2)
    layers = report["ladder"]["drift"]
    for i, layer in enumerate(layers):
        strength = 0.3 + 0.7 * (i + 1) / len(layers)
        shares = [100 * share for share in layer["per_step"]]
        axes.plot(shares, color=ACCENT, alpha=strength, label=layer["name"])
    axes.set(xlabel="step of the sample", ylabel="spikes that differ, %", xlim=(0, report["ladder"]["steps"] - 1))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    _legend(axes, len(layers))
    caption = (
        "Share of neurons whose spike differs between deployed and float, step by step; deeper layers are drawn "
        "stronger. Flat curves mean that errors are forgotten, rising ones that they pile up."
    )
    return Figure(_svg(canvas), "Drift between deployed and float over time", caption)


def confusion(report: Report) -> Figure:
    """Answers of the deployed network by label."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    matrix = np.array(report["confusion"]["deployed"], float)
    classes = len(matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    canvas, axes = _canvas(NARROW, 4.2)
    found = [(label, answer) for label, answer in np.argwhere(matrix > 0)]
    for label, answer in found:
        right = label == answer
        tile = Rectangle((answer - 0.47, label - 0.47), 0.94, 0.94)
        axes.add_collection(
            PatchCollection(
                [tile],
                facecolor=MUTED if right else ACCENT,
                alpha=0.12 + 0.3 * shares[label, answer] if right else 0.25 + 0.6 * min(1, 4 * shares[label, answer]),
                linewidth=0,
            )
        )
        if classes <= MAX_LABELLED_CLASSES:
            axes.text(answer, label, f"{matrix[label, answer]:.0f}", ha="center", va="center", fontsize=8)
    ticks = range(0, classes, 1 if classes <= MAX_LABELLED_CLASSES else max(1, classes // 10))
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), xlabel="answer", ylabel="label", aspect="equal")
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    caption = (
        f"Labels against answers of the deployed network, {report['samples']:,} samples. Grey on the diagonal is "
        "right, colour is wrong."
    )
    return Figure(_svg(canvas), "Confusion matrix of the deployed network", caption)


def raster(report: Report) -> Figure:
    """One sample's spikes, float above deployed."""
    shown = report["raster"]
    steps = shown["steps"]
    rows = sum(len(layer["neurons"]) for layer in shown["layers"])
    canvas, (above, below) = _canvas(WIDE, 1.6 + 2 * min(2.4, 0.03 * rows), rows=2)
    base, differing = 0, 0
    ticks = []
    for layer in shown["layers"]:
        mine, theirs = spikes_of(layer["float"], steps), spikes_of(layer["deployed"], steps)
        unlike = mine != theirs
        differing += int(unlike.sum())
        _dashes(above, mine, base, MUTED)
        _dashes(below, theirs & ~unlike, base, MUTED)
        _dashes(below, unlike.astype(np.uint8), base, ACCENT)
        ticks.append((base + len(mine) / 2, layer["name"]))
        base += len(mine) + 2
    for axes, title in ((above, "float, hard-max"), (below, "deployed")):
        axes.set(xlim=(-0.5, steps - 0.5), ylim=(base, -1))
        axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
        axes.set_title(title)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    above.tick_params(labelbottom=False)
    below.set_xlabel("step of the sample")
    caption = (
        f"Spikes of test sample {shown['sample']} (the first, not a chosen one), a row for each of {rows} neurons. "
        "Below, cells where deployed differs from float, a spike too many or one missing, are in colour: "
        f"{differing:,} of {rows * steps:,}."
    )
    return Figure(_svg(canvas), "Spike raster, float above deployed", caption, wide=True)


def firing(report: Report) -> Figure:
    """Firing rate of each neuron, float against deployed."""
    canvas, axes = _canvas(NARROW, 4.0)
    steps = report["ladder"]["samples"] * report["ladder"]["steps"]
    mine = 100 * np.concatenate([layer["float"] for layer in report["firing"]]) / steps
    theirs = 100 * np.concatenate([layer["deployed"] for layer in report["firing"]]) / steps
    chosen = np.linspace(0, len(mine) - 1, min(len(mine), MAX_POINTS)).astype(int)
    top = max(mine.max(), theirs.max(), 1e-6) * 1.05
    axes.plot([0, top], [0, top], color=RULE, zorder=1)
    axes.plot(mine[chosen], theirs[chosen], "o", markersize=3.5, color=ACCENT, alpha=0.55, markeredgewidth=0)
    axes.set(xlabel="float, % of steps", ylabel="deployed, % of steps", xlim=(0, top), ylim=(0, top), aspect="equal")
    caption = (
        f"Firing rate of each neuron, float against deployed ({len(chosen):,} of {len(mine):,} neurons). On the line, "
        "a neuron fires as often as it did in float."
    )
    return Figure(_svg(canvas), "Firing rates, float against deployed", caption)


def kernels(report: Report) -> Figure | None:
    """Weights over lags of the layers that chose their span."""
    layers = [layer for layer in report["kernels"]["layers"] if layer["weights"]]
    if not layers:
        return None
    columns = min(3, len(layers))
    rows = -(-len(layers) // columns)
    canvas, grid = _canvas(WIDE, 1.7 * rows + 0.3, rows=rows, columns=columns)
    for axes, layer in zip(np.ravel(grid), layers, strict=False):
        lags = np.arange(1, len(layer["weights"]) + 1)
        chosen = np.isin(lags, spans_of(layer))
        axes.bar(lags[~chosen], np.array(layer["weights"])[~chosen], color=MUTED, alpha=0.6)
        axes.bar(lags[chosen], np.array(layer["weights"])[chosen], color=ACCENT)
        axes.set(
            title=f"{layer['name']}: span {', '.join(map(str, spans_of(layer)))}",
            xlabel="lag in steps",
            ylim=(0, 1.05),
            xlim=(0, len(lags) + 1),
        )
    for axes in np.ravel(grid)[len(layers) :]:
        axes.set_visible(False)
    np.ravel(grid)[0].set_ylabel("weight")
    caption = (
        "Softmax weights over lags as training left them; the coloured lags are the spans that the chip gets. Little "
        "weight elsewhere means that freezing changed little."
    )
    return Figure(_svg(canvas), "Span kernels", caption, wide=True)


def cores(report: Report) -> Figure | None:
    """Which cores are in use, and how full."""
    from matplotlib.patches import Rectangle

    placement = report.get("placement")
    if not placement:
        return None
    chips = sorted({core["chip"] for core in placement["cores"]})
    last = max(core["core"] for core in placement["cores"])
    rows = last // CORES_IN_A_ROW + 1
    drawn = chips[:MAX_CHIPS]
    canvas, grid = _canvas(WIDE, (0.55 * rows + 0.35) * len(drawn), rows=len(drawn))
    names = len(placement["cores"]) <= CORES_IN_A_ROW
    for axes, chip in zip(np.ravel(grid), drawn, strict=True):
        for i in range(rows * CORES_IN_A_ROW):
            row, column = divmod(i, CORES_IN_A_ROW)
            axes.add_patch(Rectangle((column, row), 0.92, 0.92, facecolor="none", edgecolor=RULE, linewidth=0.6))
        for core in (core for core in placement["cores"] if core["chip"] == chip):
            row, column = divmod(core["core"], CORES_IN_A_ROW)
            full = _fullest(core, placement["limits"])
            axes.add_patch(Rectangle((column, row), 0.92, 0.92, facecolor=ACCENT, alpha=0.15 + 0.75 * min(1, full)))
            if names:
                label = "\n".join(share["layer"][:9] for share in core["shares"][:3])
                axes.text(column + 0.46, row + 0.46, label, ha="center", va="center", fontsize=6.5)
        axes.set(xlim=(-0.1, CORES_IN_A_ROW), ylim=(rows, -0.1), title=f"chip {chip}", aspect="equal")
        axes.set_axis_off()
    left = f" {len(chips) - len(drawn)} more chips are not drawn." if len(drawn) < len(chips) else ""
    caption = (
        f"{len(placement['cores']):,} cores in use, row by row in the order of their index; the stronger the colour, "
        f"the closer a core is to its tightest limit.{left}"
    )
    return Figure(_svg(canvas), "Core map", caption, wide=True)


def _fullest(core: dict[str, Any], limits: dict[str, int]) -> float:
    """The largest share of a budget that a core uses."""
    return max((core["used"].get(name, 0) / limit for name, limit in limits.items() if limit), default=0.0)


def storage(report: Report) -> Figure:
    """Bits by kind, float and deployed."""
    bits = report["storage_bits"]
    canvas, axes = _canvas(NARROW, 1.9)
    titles = {"state": "membranes", "history": "spike history"}
    kinds = [kind for kind in bits["deployed"] if kind != "total"]
    for i, kind in enumerate(kinds):
        for row, version, colour in ((1, "float", MUTED), (0, "deployed", ACCENT)):
            before = sum(bits[version][each] for each in kinds[:i]) / 8192
            axes.barh(row, bits[version][kind] / 8192, left=before, height=0.55, color=colour, alpha=0.9 * 0.62**i)
    for row, version in ((1, "float"), (0, "deployed")):
        total = bits[version]["total"] / 8192
        axes.annotate(f"{total:,.1f} KiB", (total, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks([1, 0], ["float32", "deployed"])
    axes.set_xlabel("KiB")
    axes.set_xlim(0, max(bits[version]["total"] for version in ("float", "deployed")) / 8192 * 1.22)
    axes.tick_params(axis="y", length=0)
    caption = (
        "Bits that the network takes, float32 above and deployed below; from strong to faint: "
        f"{', '.join(titles.get(kind, kind.replace('_', ' ')) for kind in kinds)}."
    )
    return Figure(_svg(canvas), "Storage by kind", caption)


def energy(report: Report) -> Figure | None:
    """Energy estimates on one logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    estimates = [each for each in report["energy"]["estimates"] if each["high_nj"] > 0]
    if not estimates:
        return None
    canvas, axes = _canvas(NARROW, 0.9 + 0.5 * len(estimates))
    for row, each in enumerate(reversed(estimates)):
        colour = ACCENT if each["name"].startswith("deployed") else MUTED
        low, high = max(each["low_nj"], 1e-9), each["high_nj"]
        axes.plot([low, high], [row, row], color=colour, linewidth=5, solid_capstyle="round")
        edge = axes.get_yaxis_transform()
        axes.annotate(each["name"], (0, row), (0, 8), xycoords=edge, textcoords="offset points")
    axes.set_xscale("log")
    lowest, highest = min(each["low_nj"] or each["high_nj"] for each in estimates), max(e["high_nj"] for e in estimates)
    axes.set_xlim(lowest / 2, max(highest * 2, lowest * 1000))
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value:.0e}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="nJ per sample, logarithmic", ylim=(-0.4, len(estimates) - 0.2))
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    caption = (
        "Modelled energy of one sample as a range from low to high; never measured, and static power is not in it."
    )
    return Figure(_svg(canvas), "Modelled energy", caption)


FIGURES: tuple[tuple[str, Callable[[Report], Figure | None]], ...] = (
    ("ladder", ladder),
    ("confusion", confusion),
    ("drift", raster),
    ("drift", drift),
    ("neurons", firing),
    ("kernels", kernels),
    ("placement", cores),
    ("storage", storage),
    ("energy", energy),
)


@contextmanager
def _style() -> Iterator[None]:
    """Our style on matplotlib's own defaults, whatever the user's; names in scripts that its font lacks are no matter,
    since the page's fonts draw them.
    """
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def _canvas(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Canvas, Any]:
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(width, height))
    return canvas, canvas.subplots(rows, columns)


def _legend(axes: Axes, entries: int) -> None:
    if entries <= 6:
        axes.legend(loc="upper left", ncols=min(3, entries), borderaxespad=0)


def _dashes(axes: Axes, spikes: np.ndarray[Any, Any], base: int, colour: str) -> None:
    """A dash for each spike of (neurons, steps), all of them as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    neurons, steps = np.nonzero(spikes)
    if not len(steps):
        return
    ends = np.stack([np.stack([steps - 0.42, neurons + base], 1), np.stack([steps + 0.42, neurons + base], 1)], 1)
    codes = np.tile([Path.MOVETO, Path.LINETO], len(steps)).astype(np.uint8)
    axes.add_patch(PathPatch(Path(ends.reshape(-1, 2), codes), edgecolor=colour, facecolor="none", linewidth=1.1))


def _svg(canvas: Canvas) -> str:
    """The figure as an <svg> element to inline: the page's colours and font, short numbers, no ids but those used."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    canvas.savefig(out, format="svg", metadata=nothing)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, colour in COLOURS.items():
        svg = svg.replace(stand_in, colour)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<g) id="[^"]*"', r"\1", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", svg)
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
