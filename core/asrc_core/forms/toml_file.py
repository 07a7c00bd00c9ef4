"""TOML files that come from outside: recipes, sweeps, targets, devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asrc_core.errors import UnreadableFile
from asrc_core.forms import toml

MAX_BYTES = 2**16


def read(path: str | Path, kind: str, way_out: str) -> tuple[str, dict[str, Any]]:
    """A file's text, and what it says.

    Raises UnreadableFile for one that is not there, is larger than `MAX_BYTES` or is no TOML, naming the line where it
    is broken.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UnreadableFile(path, kind, f"it is larger than {MAX_BYTES:,} bytes", way_out)
        text = raw.decode("utf-8")
        return text, toml.loads(text)
    except OSError as error:
        raise UnreadableFile(path, kind, error.strerror or str(error), way_out) from error
    except (toml.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFile(path, kind, f"it is not valid TOML ({error})", way_out) from error
