"""Figures for documentation and papers: one style, colour-blind safe, in the format that the suffix names.

An SVG carries a second set of colours, so that it is readable on a dark page too.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asrc_core import extras
from asrc_core.files.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Draw = Callable[[], "Figure"]
SUFFIXES = (".svg", ".png", ".pdf")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c8c8c")
"""Of Okabe and Ito ("Color Universal Design", 2008), without the yellow that white swallows and the black."""
MARKERS = "osD^vPX"
INK, RULE, PAPER = "#262626", "#b0b0b1", "#ffffff"
IN_THE_DARK = {INK: "#dcdcdc", RULE: "#6a6a6b", PAPER: "#1e2129"}
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LETTER, KEY = 0.07, 0.6
"""Inches that a letter of a legend takes at most, and what stands beside each entry: its line and the gaps."""
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "asrc",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.alpha": 0.5,
    "grid.linewidth": 0.5,
    "axes.grid": True,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}


@contextmanager
def style() -> Iterator[None]:
    """Our style on matplotlib's own defaults, whatever the user's."""
    with extras.importing():
        import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def panels(
    columns: int, rows: int = 1, *, width: float = 3.2, height: float = 2.5, **shared: Any
) -> tuple[Figure, Any]:
    """An empty figure and its axes, (rows, columns), each of the size given in inches."""
    with extras.importing():
        from matplotlib.figure import Figure

    figure = Figure(figsize=(max(width * columns, 4.2), height * rows))
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def write(draw: Draw, path: str | Path) -> None:
    """Draw and write the figure, in the format of `SUFFIXES` that the path ends in. Raises UnwritableOutput."""
    kind = Path(path).suffix.lower()[1:]
    with replacing(path) as temporary:
        if kind == "svg":
            temporary.write_text(svg(draw), encoding="utf-8")
            return
        with style():
            draw().savefig(temporary, format=kind, metadata={"CreationDate": None} if kind == "pdf" else {})


def svg(draw: Draw) -> str:
    """The figure as an SVG document."""
    out = io.StringIO()
    with style():
        draw().savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _short(_readable_in_the_dark(out.getvalue()))


def log_axis(axis: Axis, *, plain: bool = False) -> None:
    """Ticks of a logarithmic axis: powers of ten, or plain numbers where the range is small."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if plain else (1,)))
    axis.set_minor_locator(NullLocator())

    def told(value: float, at: int | None = None) -> str:
        return f"{value:g}" if plain else "10" + str(round(math.log10(value))).translate(SUPERSCRIPT)

    axis.set_major_formatter(FuncFormatter(told))


def legend(figure: Figure, axis: Axes) -> None:
    """The legend of one panel's lines above the whole figure."""
    handles, labels = axis.get_legend_handles_labels()
    if any(labels):
        widest = max(map(len, labels)) * LETTER + KEY
        columns = min(4, len(labels), int(figure.get_figwidth() / widest))
        figure.legend(handles, labels, loc="outside upper center", ncols=max(1, columns))


def _readable_in_the_dark(svg: str) -> str:
    """The SVG with a style sheet that stands in other colours where the reader prefers a dark page."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark} !important}}'
        for light, dark in IN_THE_DARK.items()
        for what in ("fill", "stroke")
    )
    sheet = f"<style>@media (prefers-color-scheme: dark) {{{rules}}}</style>"
    return svg.replace("<defs>", f"{sheet}\n <defs>", 1)


def _short(svg: str) -> str:
    """The SVG with two decimals to its coordinates, a hundredth of a point."""
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
