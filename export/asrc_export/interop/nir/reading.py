"""How a graph is to be read where NIR leaves it open: time step, discretisation, reset, span of loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from asrc_core.errors import InvalidSetting
from asrc_export.interop.nir.metadata import number

Integration = Literal["euler", "exact"]
Reset = Literal["soft", "hard"]
TOLERANCE = 1e-5
"""Relative; NIR's parameters are mostly single precision, and quotients of them."""


@dataclass(frozen=True)
class Reading:
    """How a graph is to be read. ``ours`` if the file says so itself."""

    dt: float
    integration: Integration
    reset: Reset
    loop_span: int | None
    ours: bool


def read_as(dt: float | None, integration: Integration, reset: Reset | None, loop_span: int | None) -> Reading:
    """How to read a stranger's graph: as asked. Raises InvalidSetting without a time step."""
    if dt is None:
        raise InvalidSetting(
            "`dt`",
            "NIR states time constants and no time step; give the one the network was trained with (snnTorch 1e-4)",
        )
    if not 0 < dt < float("inf"):
        raise InvalidSetting("`dt`", f"{dt} is not a positive number")
    return Reading(dt, integration, reset or "hard", loop_span, ours=False)


def read_as_stated(metadata: dict[str, Any], dt: float | None, reset: Reset | None, loop_span: int | None) -> Reading:
    """How to read a graph of ours, which says so itself. Raises InvalidSetting if something else is asked for."""
    if (dt, reset, loop_span) != (None, None, None):
        raise InvalidSetting(
            "NIR graph", "this file states step, resets and spans; leave `dt`, `reset`, `loop_span` away"
        )
    return Reading(number(metadata, "dt", "the graph"), "euler", "hard", None, ours=True)


def notes_on(reading: Reading) -> list[str]:
    """What was settled, in a sentence each."""
    told = {"euler": "1 - dt/tau", "exact": "exp(-dt/tau)"}[reading.integration]
    kind = {"hard": "to zero, as NIR defines", "soft": "by subtraction, as told"}[reading.reset]
    fires = {"hard": "exactly", "soft": "but for a membrane that equals the threshold"}[reading.reset]
    return [
        f"decay factors are {told} with dt = {reading.dt:g}",
        f"membranes that fire are reset {kind}",
        f"firing above the threshold is taken as firing at it, {fires}",
    ]
