"""A Loihi 2 board as seen from outside: what has to be there to reach one, and what its probes tell.

Lava's side, in the worker, is `on_board`. Nobody has run either on a board yet; docs/hardware.md says what is
known to be missing.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from asrc_core.errors import BackendMissing, InvalidSetting, UnknownName
from asrc_lava.boards import sdk

NAMES = ("loihi2",)
EXTENSION = "lava.utils.loihi2_profiler"
"""A module that only the Lava extension for INRC members has; Lava itself recognises the extension by it."""
GENERATIONS = ("N3B2", "N3B3", "N3C1", "N3D1")
"""What LOIHI_GEN may be for a Loihi 2; Lava also knows N2A2, a Loihi 1."""
USUAL_GENERATION = "N3B3"
WAY_OUT = "run on a host of the neuromorphic research cloud, with its set-up (docs/hardware.md)"

Variables = Mapping[str, str]


@dataclass(frozen=True)
class Access:
    """How Lava gets at a board: through SLURM, or over Ethernet if ``host`` is set."""

    generation: str
    board: str | None
    partition: str | None
    host: str | None
    host_binary: str | None


def access(variables: Variables) -> Access:
    """The access that the environment asks for, in the variables that Lava's own set-up uses.

    SLURM=1 with BOARD or PARTITION (neither: any node), or NXSDKHOST with HOST_BINARY; LOIHI_GEN for both.
    Raises InvalidSetting for a generation that is no Loihi 2, and for a board along with a partition.
    """
    generation = variables.get("LOIHI_GEN") or USUAL_GENERATION
    if generation not in GENERATIONS:
        raise InvalidSetting("LOIHI_GEN", f"'{generation}' is no Loihi 2, which are {', '.join(GENERATIONS)}")
    board, partition = variables.get("BOARD") or None, variables.get("PARTITION") or None
    if board and partition:
        raise InvalidSetting("BOARD and PARTITION", "both are set, and a board is in one partition only; unset one")
    host = None if variables.get("SLURM") == "1" else variables.get("NXSDKHOST") or None
    return Access(generation, board, partition, host, variables.get("HOST_BINARY") or None if host else None)


def why_none(variables: Variables | None = None) -> str | None:
    """What is missing before a network could go to a board, all of it in one sentence, or None.

    Raises InvalidSetting as `access` does.
    """
    variables = os.environ if variables is None else variables
    wanted = access(variables)
    no_lava = sdk.why_no_lava()
    missing = [no_lava] if no_lava else []
    if not sdk.importable(EXTENSION):
        missing.append("the Lava extension for INRC members (lava-nc-loihi) is not installed")
    if wanted.host is None:
        if variables.get("SLURM") != "1":
            missing.append("the environment sets neither SLURM=1 nor NXSDKHOST")
        if shutil.which("sinfo", path=variables.get("PATH", os.defpath)) is None:
            missing.append("there is no SLURM client (sinfo) on the path")
    return "; ".join(missing) or None


def require(name: str) -> Access:
    """The access to the board of that name.

    Raises BackendMissing, naming everything that is absent, unless it could be reached; UnknownName; InvalidSetting.
    """
    if name not in NAMES:
        raise UnknownName("board", name, NAMES)
    why = why_none()
    if why is not None:
        raise BackendMissing(name, why, WAY_OUT)
    return access(os.environ)


@dataclass(frozen=True)
class Measured:
    """What a board's probes said of a run: time, and energy of the whole board, idle chips and leakage included.

    Energy is the mean power times the run's time. Runs of fewer than some 10,000 steps are too short for the power
    probe, whose dynamic part (``total`` - ``static``) then drowns in noise and may be negative.
    """

    steps: int
    seconds: float
    total_joules: float
    static_joules: float
    logic_joules: float
    memory_joules: float
    io_joules: float

    def __add__(self, other: Measured) -> Measured:
        return Measured(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def per_sample(self, samples: int) -> dict[str, float]:
        """Time and energy of one sample, in seconds and joules."""
        names = [f.name for f in fields(self) if f.name != "steps"]
        return {name: getattr(self, name) / samples for name in names} | {
            "dynamic_joules": (self.total_joules - self.static_joules) / samples
        }


def measured(power: Any, time: Any, steps: int) -> Measured:
    """A run of ``steps`` steps as told by the extension's probes, Loihi2Power and Loihi2ExecutionTime.

    avg_time_per_step is in microseconds; total_power, vdd_power (logic), vddm_power (memory) and vddio_power are
    series in watts, static_total_power a number. Raises ValueError if a probe has no finite number to tell.
    """
    seconds = _number("avg_time_per_step", time.avg_time_per_step) * 1e-6 * steps
    names = ("total_power", "static_total_power", "vdd_power", "vddm_power", "vddio_power")
    watts = [_number(name, getattr(power, name)) for name in names]
    return Measured(steps, seconds, *(each * seconds for each in watts))


def _number(name: str, series: float | Sequence[float]) -> float:
    values = np.asarray(series, np.float64)
    mean = float(values.mean()) if values.size else math.nan
    if not math.isfinite(mean):
        raise ValueError(f"the board's probe '{name}' told nothing that is a number")
    return mean
