"""The folder of the user's own in which asrc keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path

from asrc_core.errors import InvalidSetting


def user_cache() -> Path:
    """The folder asrc in $XDG_CACHE_HOME, or else in ~/.cache. It need not exist.

    Raises InvalidSetting for a user without a home.
    """
    return expanded("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "asrc"


def expanded(variable: str, path: str) -> Path:
    """A path that an environment variable names, with its ``~``: no shell has seen those of containers and services.

    Raises InvalidSetting for a user without a home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InvalidSetting(variable, "this user has no home folder; name a folder with all of its path") from error
