"""Recordings that tests make, and where the real ones are."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parents[2]


def put_wav(path: Path, sound: NDArray[np.int16], rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    """Write a WAV file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(sound.tobytes())
    return path


def word(pitch: float, seed: int, seconds: float = 0.4, rate: int = 8000) -> NDArray[np.int16]:
    """A tone with a little noise that swells and fades."""
    t = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 200, len(t))
    return (8000 * np.sin(np.pi * t / seconds) * np.sin(2 * np.pi * pitch * t) + noise).astype(np.int16)


def real_digits() -> Path | None:
    """The folder of spoken digits in `../shared/data` or `ASRC_DATA`; None where neither has it."""
    places = [HERE.parent / "shared" / "data", Path(os.environ.get("ASRC_DATA", "/nonexistent"))]
    return next((each / "fsdd" for each in places if (each / "fsdd" / "recordings").is_dir()), None)
