"""A recording as mel features in decibels, quantized: the preprocessing of the ASRC-SNN authors' code.

librosa's mel spectrogram of magnitudes (window and FFT of 480 samples = 30 ms around every 160th = 10 ms, 40 bands from
40 to 4,000 Hz), as 10 log10 of their ratio to the loudest value, with a floor at -80; 0 after the recording's end; the
first 101 steps, brought to mean 0 and standard deviation 1 over the whole recording.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_core.preprocessing import MelFrontEnd
from asrc_train.data.dataset import Samples
from asrc_train.data.sources import wav

VERSION = 1
"""Raise it with every change of what comes out: data sets that were prepared before are then made anew."""
RATE = 16_000
WINDOW, HOP, BANDS, LOWEST, HIGHEST = 480, 160, 40, 40.0, 4000.0
STEPS = 101
FRONT_END = MelFrontEnd(rate=RATE, window=WINDOW, hop=HOP, bands=BANDS, lowest=LOWEST, highest=HIGHEST, steps=STEPS)
LEVELS, ZERO, TOP = 32, 96, 255
"""A feature z becomes round(32 z) + 96, cut to 0 to 255: steps of 1/32 from -3 to 4.97."""


def read(path: Path) -> NDArray[np.int16]:
    """The samples of a WAV file of 16 bits, 16 kHz, one channel. Raises UnreadableFile."""
    return wav.read(path, RATE, "put the original file there")


def features(sound: NDArray[np.int16]) -> tuple[Samples, int]:
    """Quantized mel features (101, 40) of a recording (n,), and how many of them were cut to the range."""
    z = normalized(sound)
    levels = np.rint(z * LEVELS) + ZERO
    kept = np.clip(levels, 0, TOP)
    return kept.astype(np.uint8), int((kept != levels).sum())


def normalized(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mel features (101, 40) of a recording (n,), before quantization. Raises ExtraMissing."""
    loud = _loudness(sound, FRONT_END)[:STEPS]
    whole = np.zeros((STEPS, BANDS))
    whole[: len(loud)] = loud
    spread = whole.std(ddof=1)
    z: NDArray[np.float64] = (whole - whole.mean()) / (spread or 1.0)
    return z


def decibels(sound: NDArray[np.int16], front_end: MelFrontEnd) -> NDArray[np.float64]:
    """Mel features (steps, bands) of a recording (n,): 10 log10(m / M), magnitudes m, M the loudest; after its end,
    the floor.

    What comes after the last step is left out. Raises ExtraMissing.
    """
    loud = _loudness(sound, front_end)[: front_end.steps]
    made = np.full((front_end.steps, front_end.bands), -front_end.floor)
    made[: len(loud)] = loud
    return made


def lasts(sound: NDArray[np.int16], front_end: MelFrontEnd) -> int:
    """Steps that a recording (n,) has, however many the front end keeps."""
    return 1 + max(len(sound), front_end.window) // front_end.hop


def _loudness(sound: NDArray[np.int16], front_end: MelFrontEnd) -> NDArray[np.float64]:
    """(steps, bands) of `decibels`, all steps that the recording has."""
    with extras.importing():
        import librosa
    y = np.zeros(max(len(sound), front_end.window), np.float32)
    y[: len(sound)] = sound / np.float32(2**15)
    mel = librosa.feature.melspectrogram(
        y=y,
        sr=front_end.rate,
        n_fft=front_end.window,
        hop_length=front_end.hop,
        power=1.0,
        n_mels=front_end.bands,
        fmin=front_end.lowest,
        fmax=front_end.highest,
    )
    loud: NDArray[np.float64] = librosa.power_to_db(mel, ref=np.max, top_db=front_end.floor).T
    return loud
