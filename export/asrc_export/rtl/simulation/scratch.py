"""Files in folders of our own, and what to say when there is no room for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from asrc_core.errors import BackendFailed


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Files are written in a folder of our own. Raises BackendFailed where it is full or not to be written."""
    try:
        yield
    except OSError as error:
        why = f"cannot work in '{error.filename or folder}': {error.strerror or error}"
        raise BackendFailed("rtl", why, "make room there, or set TMPDIR to a folder with more") from error


def write_all(files: Mapping[str, str], folder: Path) -> None:
    """Write files by their names. Raises BackendFailed where there is no room."""
    with working_in(folder):
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
