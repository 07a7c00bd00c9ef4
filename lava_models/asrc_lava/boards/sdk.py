"""Which parts of Lava are on this machine; everything else in this package may then take them for granted."""

from __future__ import annotations

import importlib.util
import sys

from asrc_core.errors import BackendMissing

INSTALL = "use Python 3.10 and pip install 'asrc-toolchain[lava]'"


def why_no_lava() -> str | None:
    """What stands between this interpreter and Lava, or None if nothing does."""
    if importable("lava.magma.core.process.process") and importable("lava.proc.dense.process"):
        return None
    if sys.version_info >= (3, 11):
        return f"lava-nc imports on Python 3.10 only and this is {sys.version_info.major}.{sys.version_info.minor}"
    return "the package lava-nc is not installed"


def require_lava() -> None:
    """Raise BackendMissing unless Lava can be imported."""
    why = why_no_lava()
    if why is not None:
        raise BackendMissing("lava", why, INSTALL)


def importable(module: str) -> bool:
    """Whether a module can be found; of a dotted name, the parent packages are imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is missing, hidden, or not a package
        return False
