"""What a circuit took of an FPGA when it was built: the file `build.json` that a build leaves beside the circuit.

A report reads it, since size and clock are known only after place and route, and cycles only after a simulation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from asrc_core.counts import plural
from asrc_core.errors import UnreadableFile
from asrc_core.forms.first_problem import first_problem
from asrc_export.chip.devices.device import Resource
from asrc_export.chip.targets.quantity import Strict

FILE = "build.json"
FORM = "summary of a build"
MAX_BYTES = 2**16
UNITS = {"logic cells": "cells", "flip-flops": "cells"}
"""Of what is no block."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Taken(Strict):
    """How much of one resource, and how much there is."""

    name: Name
    used: Annotated[int, Field(ge=0)]
    limit: Annotated[int, Field(ge=0)]


class Cycles(Strict):
    """Cycles of a step, the mean over the steps of simulated samples."""

    a_step: Amount
    samples: Annotated[int, Field(ge=1)]


class Summary(Strict):
    """One network's circuit on one FPGA."""

    format: Literal["asrc-build"] = "asrc-build"
    version: Literal[1] = 1
    network_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the integer network's content."""
    device: Name
    title: Name
    tool: Name
    """What placed and routed it."""
    seed: int
    """The one whose clock was the fastest of ``seeds``."""
    seeds: Annotated[int, Field(ge=1)]
    lanes: Annotated[int, Field(ge=1)]
    pipes: Annotated[int, Field(ge=1)]
    steps: Annotated[int, Field(ge=1)]
    """Of a sample."""
    resources: Annotated[tuple[Taken, ...], Field(max_length=16)]
    megahertz: Amount
    cycles: Cycles | None
    """None where nothing could be simulated."""


def load(path: str | Path) -> Summary:
    """Read the summary of a build, or the one in a circuit's folder. Raises UnreadableFile naming what is wrong."""
    file = Path(path)
    way_out = "give the build.json, or its folder, that `build` wrote beside the circuit"
    try:
        file = file / FILE if file.is_dir() else file
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(file, FORM, error.strerror or str(error), way_out) from error
    if len(content) > MAX_BYTES:
        raise UnreadableFile(file, FORM, "it is larger than any", way_out)
    try:
        return Summary.model_validate_json(content)
    except ValidationError as error:
        problem = first_problem(error, Summary)
        raise UnreadableFile(file, FORM, f"{problem.key}: {problem.why}", way_out) from error


def resources(built: Summary) -> list[Resource]:
    """What it takes, its clock, and with counted cycles the time of a step and the samples a second that follow."""
    seeds = f"seed {built.seed}" if built.seeds == 1 else f"seed {built.seed}, the fastest of {built.seeds}"
    routed = (
        f"{built.tool}, after routing; {plural(built.lanes, 'lane')}, {plural(built.pipes, 'event')} a cycle; {seeds}"
    )
    rows = [Resource(e.name, e.used, UNITS.get(e.name, "blocks"), e.limit, routed) for e in built.resources]
    rows.append(Resource("clock", round(built.megahertz, 2), "MHz", None, routed))
    if built.cycles is None:
        return rows
    counted = f"counted, {plural(built.cycles.samples, 'simulated sample')}"
    second = built.megahertz * 1e6 / built.cycles.a_step / built.steps
    return [
        *rows,
        Resource("cycles a step", round(built.cycles.a_step, 1), "cycles", None, counted),
        Resource("latency of a step", round(built.cycles.a_step / built.megahertz, 2), "us", None, "cycles over clock"),
        Resource(
            "samples a second", round(second, 1), "1/s", None, f"clock over cycles of {plural(built.steps, 'step')}"
        ),
    ]
