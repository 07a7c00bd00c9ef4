"""Several runs as one line: their mean, and a band from the least to the greatest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Band:
    """Mean, least and greatest of the values that were found at each x."""

    x: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def band(values: Mapping[float, Sequence[float]]) -> Band:
    """The band over the values at each x, x ascending."""
    x = sorted(values)
    return Band(
        tuple(x),
        tuple(fmean(values[at]) for at in x),
        tuple(min(values[at]) for at in x),
        tuple(max(values[at]) for at in x),
    )


def of_curves(curves: Iterable[Sequence[float]], first: int = 0) -> Band:
    """The band over several curves, value after value; x counts from ``first``. Longer ones go on alone."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for i, value in enumerate(curve):
            values.setdefault(first + i, []).append(value)
    return band(values)


def draw(axes: Axes, shown: Band, colour: str, label: str, **line: Any) -> None:
    """The line, and the band behind it where there is any spread."""
    axes.plot(shown.x, shown.mean, color=colour, label=label, **line)
    if shown.low != shown.high:
        axes.fill_between(shown.x, shown.low, shown.high, color=colour, alpha=0.2, linewidth=0)
