"""Outside programs: found, run with a deadline, and their last lines shown when they fail, the whole log kept."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from asrc_core.errors import BackendFailed, BackendMissing, printable

LINES = 3
"""Of a failed tool's output that are shown."""


def require(tool: str, packages: str) -> str:
    """The tool's path. Raises BackendMissing, naming what brings it."""
    found = shutil.which(tool)
    if found is None:
        raise BackendMissing(tool, "it is not installed", f"on Debian, apt install {packages}")
    return found


def output(command: Sequence[str], folder: Path, deadline_s: float, way_out: str) -> str:
    """What a tool prints when it runs in a folder.

    Raises BackendFailed with its last lines, and where the whole log was kept, if it fails or is late.
    """
    tool = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 the command is ours
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=deadline_s,
            check=False,
        )
        told, why = done.stdout, f"status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        told, why = error.stdout or b"", f"it was not done after {deadline_s:g} s"
    except OSError as error:
        raise BackendFailed(tool, f"it does not start ({error.strerror})", way_out) from error
    text = told.decode(errors="replace")
    if why != "status 0":
        raise BackendFailed(tool, f"{why}{last_lines(text)}; {kept(tool, text)}", way_out)
    return text


def last_lines(text: str) -> str:
    """The last lines of a log in a clause, nothing of an empty one."""
    lines = [printable(line.strip()) for line in text.splitlines() if line.strip()][-LINES:]
    return f", its last lines: {' | '.join(lines)}" if lines else ""


def kept(tool: str, text: str) -> str:
    """Keep the log of a tool that failed; a clause that says where it is, or why it is nowhere."""
    try:
        prefix = f"asrc-{'-'.join(tool.split())}-"
        with tempfile.NamedTemporaryFile("w", prefix=prefix, suffix=".log", delete=False, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"its log could not be kept ({error.strerror})"
    return f"its log is '{file.name}'"
