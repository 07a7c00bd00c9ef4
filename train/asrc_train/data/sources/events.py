"""Spikes as the Heidelberg data sets publish them: HDF5 with times (s) and units of each sample, binned into counts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import extras
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData, UnreadableFile
from asrc_train.data.dataset import Labels, Samples

if TYPE_CHECKING:
    import h5py

BLOCK = 256
"""Samples read at a time."""
MOST = 1_000_000
LARGEST_COUNT = 255
SLOWEST = 1_000_000
"""Bytes a second at which a file is read even on a slow disk."""
MOST_LATE = 0.5
"""Share of a file's spikes past the last step from which on its times are taken for another unit than seconds."""
UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""How many of them are a second."""
FAILED = 1
"""Exit status of a Python program that ends with an error."""


@dataclass(frozen=True)
class Binning:
    """Events of ``units`` units, ``together`` of them a channel, in ``steps`` steps of ``width`` seconds."""

    units: int
    together: int
    steps: int
    width: float

    @property
    def channels(self) -> int:
        """Channels that come of it."""
        return self.units // self.together


@dataclass
class Tally:
    """Events seen, and those that found no place in the counts."""

    events: int = 0
    late: int = 0
    """Past the last step."""
    latest: float = 0.0
    """Time of the last event, in seconds."""
    crowded: int = 0
    """Of a step and channel that had 255 already."""


def binned(times: NDArray[Any], units: NDArray[Any], binning: Binning, tally: Tally) -> Samples:
    """Counts x[t, c] = how many events have floor(time / width) = t and floor(unit / together) = c: (steps, channels).

    ``times`` in seconds and ``units``, (n,) each; counts above 255 stay 255. What is left out is added to ``tally``.
    Raises ValueError for times that are negative or not finite, units that are not there, lengths that differ.
    """
    if times.shape != units.shape or times.ndim != 1:
        raise ValueError(f"it has {times.shape} times and {units.shape} units")
    seconds, channel = times.astype(np.float64), units.astype(np.int64)
    if not (np.isfinite(seconds).all() and (seconds >= 0).all()):
        raise ValueError("it has times that are negative or not finite")
    if channel.size and not 0 <= channel.min() <= channel.max() < binning.units:
        raise ValueError(f"it has units {channel.min()} to {channel.max()}, and there are 0 to {binning.units - 1}")
    step = np.minimum(seconds / binning.width, binning.steps).astype(np.int64)
    inside = step < binning.steps
    cell = step[inside] * binning.channels + channel[inside] // binning.together
    counts = np.bincount(cell, minlength=binning.steps * binning.channels)
    kept = np.minimum(counts, LARGEST_COUNT)
    tally.events += len(step)
    tally.latest = max(tally.latest, float(seconds.max(initial=0)))
    tally.late += len(step) - len(cell)
    tally.crowded += int(counts.sum() - kept.sum())
    return kept.astype(np.uint8).reshape(binning.steps, binning.channels)


def require_readable(paths: Collection[Path]) -> None:
    """Read files whole in a process of their own: on damaged HDF5 the library that reads it can crash or hang.

    Raises UnreadableFile if it did. What else is wrong with a file comes to light when it is read here.
    """
    here, listed = Path(__file__), [str(path.absolute()) for path in paths]
    command = [sys.executable, "-m", f"asrc_train.data.sources.{here.stem}", *listed]
    limit = 60 + sum(path.stat().st_size for path in paths) / SLOWEST
    try:  # in our folder, so that no module of the user's is found first
        done = subprocess.run(command, cwd=here.parent, capture_output=True, check=False, timeout=limit)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _wrong("', '".join(listed), f"not read within {limit:,.0f} s, so damaged") from error
    if done.returncode not in (0, FAILED):
        raise _wrong("', '".join(listed), "the library that reads them crashes, so one is damaged")


def labels(path: Path, classes: int) -> Labels:
    """The labels (n,) of a file. Raises UnreadableFile, ExtraMissing, InvalidData for those that are no class."""
    with _opened(path) as file:
        stored = _stored(path, file, "labels")
        if stored.ndim != 1 or stored.dtype.kind not in "iu" or not 1 <= len(stored) <= MOST:
            raise _wrong(path, f"'labels' is {stored.dtype} of shape {stored.shape}, not a list of integers")
        found: Labels = stored[:].astype(np.int64)
    if found.min() < 0 or found.max() >= classes:
        why = f"it has the labels {found.min()} to {found.max()}, and there are {plural(classes, 'class')}"
        raise InvalidData(f"'{path}'", why, "put the original file there")
    return found


def samples(path: Path, binning: Binning, tally: Tally) -> Iterator[Samples]:
    """All samples of a file in order, (n, steps, channels) at a time.

    Raises UnreadableFile, and InvalidData, at the end also for times that are not in seconds.
    """
    of_file = Tally()
    with _opened(path) as file:
        times, units = _ragged(path, file, "spikes/times", "fiu"), _ragged(path, file, "spikes/units", "iu")
        if len(times) != len(units) or len(times) != len(_stored(path, file, "labels")):
            raise _wrong(path, "times, units and labels are not of equally many samples")
        for start in range(0, len(times), BLOCK):
            yield np.stack(list(_block(path, times, units, start, binning, of_file)))
    _require_seconds(path, binning, of_file)
    tally.events += of_file.events
    tally.late += of_file.late
    tally.crowded += of_file.crowded
    tally.latest = max(tally.latest, of_file.latest)


def _require_seconds(path: Path, binning: Binning, tally: Tally) -> None:
    """Raise InvalidData if most of a file's events come after the last step, with the unit that its times may be in."""
    if tally.late <= MOST_LATE * tally.events:
        return
    end = binning.steps * binning.width
    fitting = [name for name, count in UNITS.items() if tally.latest / count <= 2 * end]
    unit = f"as if they were {fitting[0]}" if fitting else "in whatever unit they are"
    raise InvalidData(
        f"'{path}'",
        f"its times are not in seconds: {tally.late:,} of {plural(tally.events, 'spike')} "
        f"{agreeing(tally.late, 'comes', 'come')} after the last step, which ends "
        f"at {end:g} s, and the last one is at {tally.latest:g}, {unit}",
        "put the original file there, or divide its times so that they are in seconds",
    )


def _block(
    path: Path, times: h5py.Dataset, units: h5py.Dataset, start: int, binning: Binning, tally: Tally
) -> Iterator[Samples]:
    stop = start + BLOCK
    for i, (when, which) in enumerate(zip(times[start:stop], units[start:stop], strict=True), start):
        try:
            yield binned(when, which, binning, tally)
        except ValueError as error:
            raise InvalidData(f"sample {i} of '{path}'", str(error), "put the original file there") from error


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with extras.importing("data"):
        import h5py
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # HDF5 that is damaged fails in all these ways
        raise _wrong(path, f"it is not whole HDF5 ({error})") from error


def _stored(path: Path, file: h5py.File, key: str) -> h5py.Dataset:
    import h5py

    found = file.get(key)
    if not isinstance(found, h5py.Dataset):
        raise _wrong(path, f"it has no '{key}'")
    return found


def _ragged(path: Path, file: h5py.File, key: str, kinds: str) -> h5py.Dataset:
    import h5py

    found = _stored(path, file, key)
    inner = h5py.check_vlen_dtype(found.dtype)
    if not isinstance(inner, np.dtype) or inner.kind not in kinds or found.ndim != 1 or not 1 <= len(found) <= MOST:
        raise _wrong(path, f"'{key}' is {inner or found.dtype} of shape {found.shape}, not a list of lists of numbers")
    return found


def _wrong(path: Path | str, why: str) -> UnreadableFile:
    return UnreadableFile(path, "spike file", why, "put the original file there")


def _read_whole(path: Path) -> None:
    with _opened(path) as file:
        for key in ("labels", "spikes/times", "spikes/units"):
            stored = _stored(path, file, key)
            for start in range(0, len(stored), BLOCK):
                stored[start : start + BLOCK]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _read_whole(Path(argument))
