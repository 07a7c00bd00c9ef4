"""How a graph is to be read where NIR leaves it open: time step, discretisation, reset, comparison, span of loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asrc_core.contract.numbers import Fires
from asrc_core.errors import InvalidSetting, UnknownName
from asrc_export.interop.nir.frameworks.readings import (
    FRAMEWORKS,
    RULES,
    Answer,
    Framework,
    Integration,
    Jump,
    Reset,
    Rule,
    found_in,
)
from asrc_export.interop.nir.metadata import number
from asrc_train.trained.frozen import Floats

TOLERANCE = 1e-5
"""Relative; NIR's parameters are mostly single precision, and quotients of them."""


@dataclass(frozen=True)
class Asked:
    """What the caller says of a graph; None leaves it to the framework that wrote it, or to NIR."""

    dt: float | None = None
    integration: Integration | None = None
    reset: Reset | None = None
    loop_span: int | None = None
    fires: Fires | None = None
    written_by: str | None = None
    answer: Answer | None = None


@dataclass(frozen=True)
class Reading:
    """How a graph is to be read. ``ours`` if the file says so itself; ``notes`` tell what was settled."""

    dt: float
    integration: Integration
    reset: Reset
    loop_span: int | None
    fires: Fires = "above"
    steps_if: bool = True
    jumps: Jump = "share"
    late: int = 0
    lasting_reset: Reset | None = None
    misled: bool = False
    ours: bool = False
    answer: Answer = "sum"
    notes: tuple[str, ...] = ()

    @property
    def rule(self) -> Rule:
        """What becomes of time constants."""
        return RULES[self.integration]

    def reset_of(self, kind: str) -> Reset:
        """What a spike does to the membrane of a node of that type."""
        return self.lasting_reset if kind == "CubaLIF" and self.lasting_reset else self.reset

    def jump(self, kept: Floats, w_in: Floats) -> Floats:
        """By how much a spike raises a current of which a step keeps that share."""
        return w_in * {"share": 1 - kept, "whole": np.ones_like(kept), "decayed": kept}[self.jumps]


def read_as(asked: Asked, metadata: dict[str, Any]) -> Reading:
    """How to read a stranger's graph: as asked, else as the framework that wrote it, else as NIR has it.

    Raises UnknownName for a framework that has no row, InvalidSetting without a time step.
    """
    writer = asked.written_by or (asked.integration if asked.integration in FRAMEWORKS else found_in(metadata))
    if writer is not None and writer not in FRAMEWORKS:
        raise UnknownName("framework", writer, FRAMEWORKS, "leave `written_by` away and give each setting")
    row = FRAMEWORKS[writer] if writer else None
    dt = asked.dt if asked.dt is not None or row is None else row.dt
    if dt is None:
        raise InvalidSetting(
            "`dt`",
            "NIR states time constants and no time step; give the one the network was trained with (snnTorch 1e-4), or "
            "the framework that wrote the file with `written_by`",
        )
    if not 0 < dt < float("inf"):
        raise InvalidSetting("`dt`", f"{dt} is not a positive number")
    read = Reading(
        dt=dt,
        integration=asked.integration or (row.integration if row else "euler"),
        reset=asked.reset or (row.reset if row else "hard"),
        loop_span=asked.loop_span or (1 if row else None),
        fires=asked.fires or (row.fires if row else "above"),
        steps_if=row.steps_if if row else True,
        jumps=row.jump if row else "share",
        late=row.late if row else 0,
        misled=row.misled if row else False,
        lasting_reset=row.lasting_reset if row and asked.reset is None else None,
        answer=asked.answer or "sum",
    )
    return Reading(**{**vars(read), "notes": tuple(_notes(read, asked, row))})


def read_as_stated(metadata: dict[str, Any], asked: Asked) -> Reading:
    """How to read a graph of ours, which says so itself. Raises InvalidSetting if something else is asked for."""
    if asked != Asked():
        raise InvalidSetting(
            "NIR graph",
            "this file states step, resets and spans; leave `dt`, `integration`, `reset`, `loop_span`, `fires`, "
            "`written_by` and `answer` away",
        )
    return Reading(number(metadata, "dt", "the graph"), "euler", "hard", None, ours=True)


def _notes(read: Reading, asked: Asked, row: Framework | None) -> list[str]:
    """What was settled, in a sentence each."""

    def by(setting: str, otherwise: str) -> str:
        if getattr(asked, setting) is not None:
            return "as told"
        return f"as {row.title} {row.version} does" if row else otherwise

    kind = {"hard": "to v_reset", "soft": "by subtraction", "late": "by subtraction a step later"}[read.reset]
    fires = {"at": "at their threshold", "above": "above their threshold"}[read.fires]
    notes = [
        f"decay factors are {read.rule.said} with dt = {read.dt:g}",
        f"membranes that fire are reset {kind}, {by('reset', 'as NIR defines')}",
        f"neurons fire {fires}, {by('fires', 'as NIR defines')}",
    ]
    if row and row.unsaid:
        notes.append(row.unsaid)
    return notes
