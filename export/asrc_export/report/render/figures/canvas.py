"""What all figures share: matplotlib draws them as SVG without colours of their own: the page's theme sets them.

Grey is float, the accent is deployed, throughout. Text in figures stays text, in the page's font.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

INK, ACCENT, MUTED, RULE = "#010101", "#020202", "#030303", "#040404"
COLOURS = {INK: "currentColor", ACCENT: "var(--accent)", MUTED: "var(--muted)", RULE: "var(--rule)"}
"""Stand-ins for the page's colours: matplotlib only writes colours that it knows."""
NARROW, WIDE = 4.6, 8.2
LEGEND_COLUMNS = 3
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


@contextmanager
def style() -> Iterator[None]:
    """Our style on matplotlib's own defaults, whatever the user's; names in scripts that its font lacks are no matter,
    since the page's fonts draw them.
    """
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def canvas(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Canvas, Any]:
    """A drawing of that size in inches, and its axes."""
    from matplotlib.figure import Figure as Canvas

    drawing = Canvas(figsize=(width, height))
    return drawing, drawing.subplots(rows, columns)


def legend(axes: Axes, entries: int) -> None:
    """A legend, where it is short enough to read."""
    if legend_rows(entries):
        axes.legend(loc="upper left", ncols=min(LEGEND_COLUMNS, entries), borderaxespad=0)


def legend_rows(entries: int) -> int:
    """How many rows a legend takes, for which there has to be room above what is drawn; none if it is too long."""
    return -(-entries // LEGEND_COLUMNS) if entries <= 2 * LEGEND_COLUMNS else 0


def svg(drawing: Canvas) -> str:
    """The figure as an <svg> element to inline: the page's colours and font, short numbers, no ids but those used."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    printed: Any = FigureCanvasSVG(drawing)
    printed.print_svg(out, metadata=nothing)  # savefig would draw it twice
    drawn = out.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    for stand_in, colour in COLOURS.items():
        drawn = drawn.replace(stand_in, colour)
    drawn = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub(r'(<g) id="[^"]*"', r"\1", drawn)
    drawn = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", drawn)
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), drawn)
