"""The page's figures, a file for each."""

from __future__ import annotations

from collections.abc import Callable

from asrc_export.report.render.figures import (
    ablation,
    confusion,
    cores,
    drift,
    energy,
    firing,
    kernels,
    raster,
    storage,
)
from asrc_export.report.render.figures.canvas import Figure, style
from asrc_export.report.report import Report

FIGURES: tuple[tuple[str, Callable[[Report], Figure | None]], ...] = (
    ("ablation", ablation.draw),
    ("confusion", confusion.draw),
    ("divergence", raster.draw),
    ("divergence", drift.draw),
    ("neurons", firing.draw),
    ("kernels", kernels.draw),
    ("placement", cores.draw),
    ("storage", storage.draw),
    ("energy", energy.draw_chips),
    ("arithmetic", energy.draw_arithmetic),
)
"""Figures by the key of the table that they stand with."""


def figures(report: Report) -> dict[str, list[Figure]]:
    """The figures that stand with each table, by the table's key; those without data are left out."""
    drawn: dict[str, list[Figure]] = {}
    with style():
        for key, draw in FIGURES:
            made = draw(report)
            if made is not None:
                drawn.setdefault(key, []).append(made)
    return drawn
