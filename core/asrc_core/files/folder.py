"""A folder of files, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from asrc_core.errors import UnwritableOutput
from asrc_core.files.paths import as_path


def require_writable(folder: str | Path) -> None:
    """Raise UnwritableOutput now rather than after an hour of work, InvalidSetting for what is no path."""
    out = as_path(folder, "the folder to write")
    if out.exists() and not out.is_dir():
        raise UnwritableOutput(out, "it is a file, and a folder is needed")
    try:
        with tempfile.TemporaryFile(dir=out if out.exists() else out.resolve().parent):
            pass
    except OSError as error:
        raise UnwritableOutput(out, error.strerror or str(error)) from error


def write(files: Mapping[str, str | Path], folder: str | Path) -> list[Path]:
    """Write files, texts or copies by their places in the folder, and return their paths.

    Files of these names are replaced, others stay. All of them are written beside the folder first, so that a failure
    leaves what was there. Raises UnwritableOutput, InvalidSetting for what is no path.
    """
    require_writable(folder)
    out = Path(folder)
    try:
        with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=f".{out.name}.") as name:
            for place, content in files.items():
                made = Path(name, place)
                made.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    shutil.copyfile(content, made)
                else:
                    made.write_text(content, encoding="utf-8")
            for place in files:
                (out / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(Path(name, place), out / place)
    except OSError as error:
        raise UnwritableOutput(out, error.strerror or str(error)) from error
    return [out / place for place in files]
