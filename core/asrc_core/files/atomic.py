"""Atomic file replacement: write beside the destination, rename when done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asrc_core.errors import UnwritableOutput
from asrc_core.files.paths import as_path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; on success it becomes ``path``.

    If the body raises or the process dies, whatever stood at ``path`` is left whole.
    Raises UnwritableOutput when the folder is missing, full or not writable, InvalidSetting for what is no path.
    """
    destination = as_path(path, "the file to write")
    if destination.is_dir():
        raise UnwritableOutput(destination, "it is a folder")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{destination.name}.", dir=destination.parent)
        os.close(handle)
    except OSError as error:
        raise UnwritableOutput(destination, error.strerror or str(error)) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private; outputs are ordinary files
        os.replace(temporary, destination)
    except OSError as error:
        raise UnwritableOutput(destination, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: str | Path) -> None:
    """Raise UnwritableOutput now rather than after an hour of work, InvalidSetting for what is no path."""
    destination = as_path(path, "the file to write")
    if destination.is_dir():
        raise UnwritableOutput(destination, "it is a folder")
    try:
        with tempfile.TemporaryFile(dir=destination.parent):
            pass
    except OSError as error:
        raise UnwritableOutput(destination, error.strerror or str(error)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
