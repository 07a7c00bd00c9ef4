"""The folder of a printed network: its two files, and around them a CMake project and an Arduino library."""

from __future__ import annotations

from pathlib import Path

from asrc_core import __version__
from asrc_export.codegen.mcu.program import Program

NAME = "asrc_network"
TEMPLATE = Path(__file__).parent / "template"


def files(printed: Program) -> dict[str, str]:
    """Their texts by their places in the folder."""
    return {
        f"src/{NAME}.c": printed.source,
        f"src/{NAME}.h": printed.header,
        "examples/self_test/main.c": _template("main.c"),
        "examples/Answer/Answer.ino": _template("Answer.ino"),
        "CMakeLists.txt": _template("CMakeLists.txt"),
        "library.properties": _template("library.properties").replace("VERSION", __version__),
    }


def _template(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")
