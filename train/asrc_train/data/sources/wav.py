"""Recordings: WAV files of one channel and 16 bits, at the rate that a front end is made for."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core.counts import plural
from asrc_core.errors import UnreadableFile

LARGEST = 16 << 20
"""Bytes of a file that are read at most: nine minutes at 16 kHz."""


def read(path: Path, rate: int | None, way_out: str = "") -> NDArray[np.int16]:
    """The samples (n,) of a WAV file of 16 bits and one channel, ``rate`` of them a second (None: any number).

    Nothing that its header announces is believed before the content is there. Raises UnreadableFile, with
    ``way_out`` or else how to convert the file.
    """
    try:
        if not path.is_file():
            raise _wrong(path, "it is no file" if path.exists() else "it is not there", rate, way_out)
        if path.stat().st_size > LARGEST:
            raise _wrong(path, f"it exceeds {LARGEST:,} bytes", rate, way_out)
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth() * 8, file.getframerate()
            if form != (1, 16, rate or form[2]):
                wanted = f"1, 16, {rate:,}" if rate else "1 and 16"
                why = "it has {} channel(s) of {} bits at {:,} Hz in place of ".format(*form) + wanted
                raise _wrong(path, why, rate, way_out)
            announced = file.getnframes()
            content = file.readframes(announced)
    except (OSError, EOFError, wave.Error, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise _wrong(path, why, rate, way_out) from error
    if not content or len(content) != 2 * announced:
        why = f"it holds {len(content) // 2:,} of the {plural(announced, 'sample')} it announces"
        raise _wrong(path, why, rate, way_out)
    return np.frombuffer(content, "<i2").astype(np.int16)


def rate_of(path: Path) -> int:
    """Samples a second of a file that `read` takes. Raises UnreadableFile."""
    read(path, None)
    with wave.open(str(path), "rb") as file:
        return file.getframerate()


def _wrong(path: Path, why: str, rate: int | None, way_out: str) -> UnreadableFile:
    at = f" -ar {rate}" if rate else ""
    convert = f"convert it, for example with: ffmpeg -i IN.wav -ac 1{at} -sample_fmt s16 OUT.wav"
    return UnreadableFile(path, "recording", why, way_out or convert)
