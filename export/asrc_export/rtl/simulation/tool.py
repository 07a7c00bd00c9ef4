"""Tools as child processes: run in a folder, and if they fail, their last lines in one sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from asrc_core.errors import BackendFailed
from asrc_core.native.build import CannotBuild, compiler
from asrc_export.emulation.tools import kept
from asrc_export.rtl.simulation.scratch import working_in

HERE = Path(__file__).resolve().parent
LAST_LINES = 6


def no_compiler() -> str | None:
    """Why nothing can be compiled from C++ here; None if it can."""
    try:
        command = compiler()[0]
    except CannotBuild as error:
        return str(error)
    return None if shutil.which(command) else f"there is no '{command}', which CXX names"


def ran(command: Sequence[str], folder: Path, name: str, log: Path | None = None) -> str:
    """All that the tool said. Raises BackendFailed with its last lines, and where its log is: ``log``, or a file of its
    own that only a failure leaves.
    """
    done = subprocess.run(  # noqa: S603 - a tool of this machine, with files of ours
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if log is not None:
        with working_in(log.parent):
            log.write_text(done.stdout)
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()][-LAST_LINES:]
        why = f"{name} gave up with status {done.returncode}: {' / '.join(lines) or 'it said nothing'}"
        if log is None:
            raise BackendFailed("rtl", f"{why}; {kept(name, done.stdout)}", "please report it, with the network file")
        raise BackendFailed("rtl", why, f"its log is '{log}'")
    return done.stdout
