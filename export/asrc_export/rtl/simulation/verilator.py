"""Verilator: installed from elsewhere, and the fastest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from asrc_export.rtl.simulation.tool import HERE, no_compiler, ran

ARGUMENTS = HERE / "verilator.f"
"""Widths are the proofs' business: an operand is as wide as its bounds ask for, so warnings about them stay unsaid."""


def missing() -> str | None:
    """What is missing here; None if nothing is."""
    return "Verilator is not installed" if shutil.which("verilator") is None else no_compiler()


def build(folder: Path, sources: Sequence[str], flags: Sequence[str]) -> Path:
    """Make the program of the circuit in a folder. Raises BackendFailed with the tool's last lines."""
    options = " ".join(("-O1", *flags, f'-DCIRCUIT=\\"{HERE / "verilator.h"}\\"'))
    command = ["verilator", "-f", str(ARGUMENTS), "-j", str(min(4, os.cpu_count() or 1)), "-CFLAGS", options]
    ran([*command, str(HERE / "harness.cpp"), *sources], folder, "Verilator")
    return folder / "obj_dir" / "Vasrc_core"
