"""Where data lie that do not come with a package: one folder, named by ``ASRC_DATA``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asrc_core.errors import UnwritableOutput
from asrc_core.files.user_cache import expanded, user_cache

VARIABLE = "ASRC_DATA"


def folder() -> Path:
    """The folder that ``ASRC_DATA`` names; else one in the user's cache. It need not exist.

    Raises InvalidSetting for a user without a home.
    """
    named = os.environ.get(VARIABLE)
    return expanded(VARIABLE, named) if named else _cache()


def _cache() -> Path:
    return user_cache() / "data"


def for_results() -> Path:
    """Where what is worked out from data is kept: their folder, or the user's cache if that cannot be written to."""
    named = folder()
    there = next((each for each in (named, *named.parents) if each.exists()), named)
    return named if os.access(there, os.W_OK) else _cache()


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there. Raises UnwritableOutput."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(path, error.strerror or str(error)) from error


@contextmanager
def whole_folder(into: Path) -> Iterator[Path]:
    """Yield a fresh folder beside ``into``; on success it becomes ``into``, otherwise it goes.

    If somebody else made ``into`` meanwhile, theirs stays. Raises UnwritableOutput.
    """
    make_folder(into.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
    except OSError as error:
        raise UnwritableOutput(into, error.strerror or str(error)) from error
    try:
        yield temporary
        if not into.exists():
            temporary.chmod(0o755)  # mkdtemp makes it private
            os.replace(temporary, into)
    except OSError as error:
        raise UnwritableOutput(into, error.strerror or str(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
