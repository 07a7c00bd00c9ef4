"""Which parts of Lava are on this machine; everything else in this package may then take them for granted."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

from asrc_train.errors import BackendMissing

INSTALL = "use Python 3.10 and pip install 'asrc-toolchain[lava]'"
BOARD_EXTENSION = "lava.utils.loihi2_profiler"
"""A module that only the Lava extension for INRC members has; Lava itself recognises the extension by it."""


def why_no_lava() -> str | None:
    """What stands between this interpreter and Lava, or None if nothing does."""
    if _importable("lava.magma.core.process.process") and _importable("lava.proc.dense.process"):
        return None
    if sys.version_info >= (3, 11):
        return f"lava-nc imports on Python 3.10 only and this is {sys.version_info.major}.{sys.version_info.minor}"
    return "the package lava-nc is not installed"


def require_lava() -> None:
    """Raise BackendMissing unless Lava can be imported."""
    why = why_no_lava()
    if why is not None:
        raise BackendMissing("lava", why, INSTALL)


def why_no_board() -> str | None:
    """What is missing before a network could go to a Loihi 2 board, all of it in one sentence, or None."""
    no_lava = why_no_lava()
    missing = [no_lava] if no_lava else []
    if not _importable(BOARD_EXTENSION):
        missing.append("the Lava extension for INRC members is not installed")
    if os.environ.get("SLURM") != "1":
        missing.append("the environment does not set SLURM=1")
    if shutil.which("sinfo") is None:
        missing.append("there is no SLURM client (sinfo) on the path")
    return "; ".join(missing) or None


def require_board(board: str) -> None:
    """Raise BackendMissing, naming everything that is absent, unless a board could be reached through SLURM."""
    why = why_no_board()
    if why is not None:
        raise BackendMissing(f"board {board}", why, "run on a host of the neuromorphic research cloud, with its set-up")


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is missing, hidden, or not a package
        return False
