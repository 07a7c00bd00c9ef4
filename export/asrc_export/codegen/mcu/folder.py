"""The folder of a printed network: its two files, and around them a CMake project and an Arduino library."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from asrc_core import __version__
from asrc_core.errors import UnwritableOutput
from asrc_export.codegen.mcu.program import Program

NAME = "asrc_network"
TEMPLATE = Path(__file__).parent / "template"


def write(printed: Program, folder: str | Path) -> list[Path]:
    """Write the folder's files, and return their paths. Files of these names are replaced, others stay.

    All of them are written beside the folder first, so that a failure leaves what was there. Raises UnwritableOutput.
    """
    out = Path(folder)
    if out.exists() and not out.is_dir():
        raise UnwritableOutput(out, "it is a file, and a folder is needed")
    try:
        with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=f".{out.name}.") as name:
            made = Path(name)
            for place, text in _files(printed).items():
                (made / place).parent.mkdir(parents=True, exist_ok=True)
                (made / place).write_text(text, encoding="utf-8")
            written = []
            for place in _files(printed):
                (out / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(made / place, out / place)
                written.append(out / place)
    except OSError as error:
        raise UnwritableOutput(out, error.strerror or str(error)) from error
    return written


def require_writable(folder: str | Path) -> None:
    """Raise UnwritableOutput now rather than after an hour of work."""
    out = Path(folder)
    if out.exists() and not out.is_dir():
        raise UnwritableOutput(out, "it is a file, and a folder is needed")
    try:
        with tempfile.TemporaryFile(dir=out if out.exists() else out.resolve().parent):
            pass
    except OSError as error:
        raise UnwritableOutput(out, error.strerror or str(error)) from error


def _files(printed: Program) -> dict[str, str]:
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
