"""A recording as mel features in decibels, quantized: the preprocessing of the ASRC-SNN authors' code.

librosa's mel spectrogram of magnitudes (window and FFT of 480 samples = 30 ms, hop of 160 = 10 ms, 40 bands from 40 to
4,000 Hz), in decibels below the loudest value with a floor 80 dB below it; 0 dB after the recording's end; the first
101 steps, brought to mean 0 and standard deviation 1 over the whole recording.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_core.errors import UnreadableFile
from asrc_train.data.dataset import Samples

RATE = 16_000
WINDOW, HOP, BANDS, LOWEST, HIGHEST = 480, 160, 40, 40.0, 4000.0
STEPS = 101
LEVELS, ZERO, TOP = 32, 96, 255
"""A feature z becomes round(32 z) + 96, cut to 0 to 255: steps of 1/32 from -3 to 4.97."""
LARGEST = 16 << 20
"""Bytes of a file that are read at most: nine minutes."""


def read(path: Path) -> NDArray[np.int16]:
    """The samples of a WAV file of 16 bits, 16 kHz, one channel. Raises UnreadableFile."""
    try:
        if path.stat().st_size > LARGEST:
            raise _wrong(path, f"it exceeds {LARGEST:,} bytes")
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth() * 8, file.getframerate()
            if form != (1, 16, RATE):
                raise _wrong(path, "it has {} channel(s) of {} bits at {:,} Hz in place of 1, 16, 16,000".format(*form))
            announced = file.getnframes()
            content = file.readframes(announced)
    except (OSError, EOFError, wave.Error, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise _wrong(path, why) from error
    if not content or len(content) != 2 * announced:
        raise _wrong(path, f"it holds {len(content) // 2:,} of the {announced:,} samples it announces")
    return np.frombuffer(content, "<i2").astype(np.int16)


def features(sound: NDArray[np.int16]) -> tuple[Samples, int]:
    """Quantized mel features (101, 40) of a recording (n,), and how many of them were cut to the range."""
    z = normalized(sound)
    levels = np.rint(z * LEVELS) + ZERO
    kept = np.clip(levels, 0, TOP)
    return kept.astype(np.uint8), int((kept != levels).sum())


def normalized(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mel features (101, 40) of a recording (n,), before quantization. Raises ExtraMissing."""
    with extras.importing():
        import librosa
    y = np.zeros(max(len(sound), WINDOW), np.float32)
    y[: len(sound)] = sound / np.float32(2**15)
    mel = librosa.feature.melspectrogram(
        y=y, sr=RATE, n_fft=WINDOW, hop_length=HOP, power=1.0, n_mels=BANDS, fmin=LOWEST, fmax=HIGHEST
    )
    decibels = np.zeros((STEPS, BANDS))
    loud = librosa.power_to_db(mel, ref=np.max).T[:STEPS]
    decibels[: len(loud)] = loud
    spread = decibels.std(ddof=1)
    z: NDArray[np.float64] = (decibels - decibels.mean()) / (spread or 1.0)
    return z


def _wrong(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(path, "recording", why, "put the original file there")
