"""Recordings as spikes: a bank of bands, and in each the levels that its loudness crosses.

A stand-in for the inner ear, of two stages. Magnitudes of a Fourier transform (Hann window, ``window`` samples, every
``hop``) are gathered in mel bands and taken in decibels: in level units

    z[k] = max(0, (20 log10(m[k] / loudest) + floor) / delta),     loudest: the greatest m of the recording

so that 0 is ``floor`` dB below its loudest moment or less. Each band then sends on delta (level-crossing sampling): it
remembers the level n that it crossed last, 0 at first, and spikes at n + 1 when z has risen to it, at n - 1 when z has
fallen to it. A band spikes on the way up and down, at each of ``levels`` levels, on a channel of its own; between two
windows the crossing's time is interpolated. A flat band never spikes, nor does noise of less than a level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras

VERSION = 1
"""Raise it with every change of what comes out: data sets that were prepared before are then made anew."""


@dataclass(frozen=True)
class Cochlea:
    """Settings of the two stages, in samples, Hz and dB.

    A band has ``channels`` of them next to each other: `levels` for the way up, 1 to levels, then as many for the way
    down, to 0 to levels - 1.
    """

    rate: int
    window: int
    hop: int
    bands: int
    lowest: float
    highest: float
    delta: float
    levels: int

    @property
    def of_band(self) -> int:
        """Channels of one band."""
        return 2 * self.levels

    @property
    def channels(self) -> int:
        """Channels in all, band by band."""
        return self.bands * self.of_band

    @property
    def floor(self) -> float:
        """Decibels below the loudest moment at which hearing begins."""
        return self.delta * self.levels

    @property
    def step(self) -> float:
        """Milliseconds from one window to the next."""
        return 1000 * self.hop / self.rate


@dataclass(frozen=True)
class Spikes:
    """Times (n,) in milliseconds, and the channel of each, (n,); ascending in time."""

    times: NDArray[np.float64]
    channels: NDArray[np.int64]


def spikes(sound: NDArray[np.int16], cochlea: Cochlea) -> Spikes:
    """What a recording (n,) makes the bands send. Raises ExtraMissing."""
    return crossings(loudness(sound, cochlea), cochlea)


def loudness(sound: NDArray[np.int16], cochlea: Cochlea) -> NDArray[np.float64]:
    """Loudness z (windows, bands), in levels: the first window is centred on the first sample.

    Raises ExtraMissing. Silence, which has no loudest moment, is 0 throughout.
    """
    with extras.importing():
        import librosa
    y = np.zeros(max(len(sound), cochlea.window), np.float32)
    y[: len(sound)] = sound / np.float32(2**15)
    m = librosa.feature.melspectrogram(
        y=y,
        sr=cochlea.rate,
        n_fft=2 * cochlea.window,
        win_length=cochlea.window,
        hop_length=cochlea.hop,
        power=1.0,
        n_mels=cochlea.bands,
        fmin=cochlea.lowest,
        fmax=cochlea.highest,
    ).T.astype(np.float64)
    loudest = m.max()
    if loudest <= 0:
        return np.zeros(m.shape)
    heard = m / loudest > 10 ** (-cochlea.floor / 20)
    z = (20 * np.log10(np.where(heard, m / loudest, 1.0)) + cochlea.floor) / cochlea.delta
    return np.where(heard, z, 0.0)


def crossings(z: NDArray[np.float64], cochlea: Cochlea) -> Spikes:
    """Spikes of bands of loudness z (windows, bands), 0 before the first window and after the last.

    With z below a level at one window and above it at the next, the spike's time is where the line between them
    crosses it.
    """
    bands = np.arange(z.shape[1])
    last, reached = np.zeros(z.shape[1]), np.zeros(z.shape[1], np.int64)
    times, channels = [], []
    for k, now in enumerate(np.vstack([z, np.zeros((1, z.shape[1]))])):
        rising = np.floor(now).clip(0, cochlea.levels).astype(np.int64)
        falling = np.ceil(now).clip(0, cochlea.levels).astype(np.int64)
        for goal, way in ((rising, 1), (falling, -1)):
            for _ in range(int(np.max(way * (goal - reached), initial=0))):
                moved = bands[way * (goal - reached) > 0]
                reached[moved] += way
                level = reached[moved]
                share = (level - last[moved]) / (now[moved] - last[moved])
                times.append((k - 1 + share.clip(0, 1)) * cochlea.step)
                channels.append(moved * cochlea.of_band + (level - 1 if way > 0 else cochlea.levels + level))
        last = now
    when = np.maximum(np.concatenate(times or [np.empty(0)]), 0.0)
    which = np.concatenate(channels or [np.empty(0, np.int64)])
    order = np.lexsort((which, when))
    return Spikes(when[order], which[order])


def binned(found: Spikes, channels: int, dt: float, steps: int) -> tuple[NDArray[np.uint8], int, int]:
    """(steps, channels) of 0 and 1: whether a channel spiked in [t dt, (t + 1) dt); and the spikes that found no place:
    those after the last step, and those whose step and channel had one already.
    """
    step = np.floor(found.times / dt).astype(np.int64)
    inside = step < steps
    x = np.zeros((steps, channels), np.uint8)
    x[step[inside], found.channels[inside]] = 1
    return x, int((~inside).sum()), int(inside.sum() - x.sum(dtype=np.int64))
