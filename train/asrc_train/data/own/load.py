"""From raw samples to a data set: classes, splits, front end, and the zero and scale of each channel.

Whole numbers from 0 to 255 stay what they are, with 1 as the training part's largest; counts of events stay, too, up to
the training part's largest, with 1 as 1. Anything else is standardised: of each channel the training part's mean
becomes 128 and its standard deviation 32. Samples shorter than the longest of the training part are followed by what
stands for zero; the mean and the deviation are those of the samples' own steps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import preprocessing
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData
from asrc_core.preprocessing import EventFrontEnd, MelFrontEnd, Preprocessing
from asrc_train.data import VALIDATION
from asrc_train.data.dataset import Dataset, Labels, Samples, Shape
from asrc_train.data.own import columns, events, labels, read, recordings, splits, ts
from asrc_train.data.own.folders import MOST_FILES
from asrc_train.data.own.raw import ALL, Part, Raw, refuse
from asrc_train.data.sources.events import Tally

LEVELS, ZERO, TOP = 32, 128, 255
MAX_CELLS = 2**33
MOST_CHANNELS = 2**14
FrontEnd = MelFrontEnd | EventFrontEnd
Series = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Known:
    """What a network that is there already states of its samples."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    steps: int
    scale: float
    cuts: bool = True
    """Whether values beyond its range are cut to it, and told; refused otherwise."""


def known_of(
    provenance: Mapping[str, Any], channels: int, maximum: int, scale: float, steps: int, classes: int
) -> Known:
    """What a checkpoint or a network states of its samples; of one that states nothing, integers as they are.

    Raises InvalidSetting for a statement that is none, InvalidData for integers that no file of one's own is read as.
    """
    if maximum > TOP:
        why = f"the network takes 0 to {maximum}, and no file of one's own is read as more than {TOP}"
        raise InvalidData("samples", why, "give integers in an array, or name a data set")
    stated = preprocessing.of(provenance)
    made = stated or preprocessing.identity(channels, maximum)
    return Known(made, preprocessing.classes_of(provenance, classes), steps, scale, stated is not None)


@dataclass
class _Told:
    """What is to be said of the samples, clause by clause."""

    notes: list[str]

    def when(self, count: int, clause: str) -> None:
        if count:
            self.notes.append(clause)


def load(
    name: str, validation_fraction: float = VALIDATION, known: Known | None = None, dt: float | None = None
) -> Dataset:
    """The samples at a path in the form that a network takes: a fresh one, or the one that is ``known``.

    ``dt``: milliseconds of a step of events, for a fresh one; None: as long as the training part asks for.
    Raises UnreadableFile, InvalidData, InvalidSetting for dt, ExtraMissing: whatever is wrong is named before anything
    is trained.
    """
    return _cached(name, _stamp(Path(name)), validation_fraction, known, dt)


@lru_cache(maxsize=2)
def _cached(name: str, stamp: tuple[Any, ...], fraction: float, known: Known | None, dt: float | None) -> Dataset:
    raw = read.read(Path(name))
    told = _Told(list(raw.notes))
    if known is not None:
        raw = _in_order(name, raw, known.preprocessing.names, told)
    parts, y, classes = _in_splits(name, raw, fraction, known, told)
    front_end = known.preprocessing.front_end if known else _front_end(name, raw, parts["train"], dt, told)
    series = {split: _series(name, raw, part, front_end, split, told) for split, part in parts.items()}
    for split, samples in series.items():
        _require_numbers(name, split, samples)
    channels = _channels(name, series, known)
    steps = known.steps if known else max(len(each) for each in series["train"])
    if steps * channels * sum(len(each) for each in series.values()) > MAX_CELLS:
        raise InvalidData(
            f"'{name}'",
            f"{plural(steps, 'step')} of {plural(channels, 'channel')} are too many",
            "give shorter samples",
        )
    made = known.preprocessing if known else _learned(name, series["train"], channels, front_end, told)
    if known is None and raw.columns is not None:
        made = made.model_copy(update={"names": raw.columns})
    _require_whole(name, made, series, "network" if known else "training part")
    x = {split: _fed(samples, made, steps, split, told) for split, samples in series.items()}
    if known is not None and not known.cuts:
        _require_uncut(name, made, series)
    shape = _shape(steps, channels, len(classes), made)
    if known is not None:
        shape = Shape(steps, channels, len(classes), made.maximum, known.scale)
    given: dict[str, Any] = {f"{split}_x": x[split] for split in x} | {f"{split}_y": y[split] for split in x}
    return Dataset(name, shape, notes=tuple(told.notes), class_names=classes, preprocessing=made, **given)


def _stamp(path: Path) -> tuple[Any, ...]:
    """Where a file is and what changes when it does; of a folder, all its files. Raises InvalidData for too many."""
    try:
        found = [(each, each.stat()) for each in _files(path) if each.is_file()]
    except (OSError, ValueError):
        return ()  # what is wrong is said when it is read
    return tuple((str(each), status.st_size, status.st_mtime_ns) for each, status in found)


def _files(path: Path) -> list[Path]:
    """All that the samples at a path may be read from; of a folder, as deep as the classes of its parts lie."""
    if not path.is_dir():
        arrays = [path.with_name(f"{path.stem[:-1]}{end}.npy") for end in ("y", "lengths")]
        return [Path(os.path.realpath(each)) for each in (path, *arrays, ts.partner(path))]
    whole = path.resolve()
    found = chain.from_iterable(whole.glob(depth) for depth in ("*", "*/*", "*/*/*"))
    first = list(islice(found, MOST_FILES + 1))
    if len(first) > MOST_FILES:
        refuse(path, f"it has more than {MOST_FILES:,} files", "name the folder of the samples alone, or an .npz file")
    return sorted(first)


def _in_order(name: str, raw: Raw, wanted: columns.Names, told: _Told) -> Raw:
    """The samples with their channels in the order of those that a network names."""
    order = columns.order(raw.columns, wanted, f"'{name}'", "those that the network was trained on are")
    if order is None:
        return raw
    told.when(1, f"the network takes the columns in the order {columns.listed(wanted or ())}")
    parts = {split: Part([each[:, order] for each in part.samples], part.labels) for split, part in raw.parts.items()}
    return replace(raw, parts=parts, columns=wanted)


def _in_splits(
    name: str, raw: Raw, fraction: float, known: Known | None, told: _Told
) -> tuple[dict[str, Part], dict[str, Labels], tuple[str, ...]]:
    """Parts train, validation and test with their labels, and the classes' names."""
    kept = raw.class_names.union(known.classes if known else ())
    where = {split: f"'{name}'" if split == ALL else f"'{name}', {split}" for split in raw.parts}
    named = {split: labels.names_of(part.labels, where[split], kept) for split, part in raw.parts.items()}
    classes = known.classes if known else labels.in_order({each for found in named.values() for each in found})
    parts = dict(raw.parts)
    y = {split: labels.numbered(found, classes, where[split]) for split, found in named.items()}

    def divide(whole: str, rest: str, held: str, share: float) -> None:
        kept, taken = splits.drawn(y[whole], classes, share, (rest, held), strict=known is None)
        part, its = parts.pop(whole), y.pop(whole)
        parts.update({rest: part.only(kept), held: part.only(taken)})
        y.update({rest: its[kept], held: its[taken]})
        told.when(1, f"{held}: {len(taken):,} of {plural(len(its), 'sample')}, drawn by class, always the same ones")

    for split in y if known is None else ():
        if split != ALL:
            splits.require_all_classes(split, y[split], classes)
    if ALL in parts:
        divide(ALL, "train", "test", splits.TEST)
    if "validation" not in parts:
        divide("train", "train", "validation", fraction)
    return parts, y, classes


def _front_end(name: str, raw: Raw, training: Part, dt: float | None, told: _Told) -> FrontEnd | None:
    if raw.kind == "recordings":
        return recordings.learned(training.samples)
    if raw.kind == "events":
        found = [events.of_array(each, f"'{name}', training sample {i}") for i, each in enumerate(training.samples)]
        made = events.learned(found, f"'{name}'", dt)
        told.when(1, f"events are counted in {plural(made.steps, 'step')} of {1000 * made.width:g} ms")
        return made
    return None


def _series(name: str, raw: Raw, part: Part, front_end: FrontEnd | None, split: str, told: _Told) -> Series:
    """What each sample is after the front end: (T, channels)."""
    if raw.kind == "recordings":
        if not isinstance(front_end, MelFrontEnd):
            raise InvalidData(f"'{name}'", "it has recordings, and the network was trained on numbers", "give such")
        made, longer = recordings.features(part.samples, front_end)
        seconds = front_end.steps * front_end.hop / front_end.rate
        told.when(
            longer,
            f"{split}: {plural(longer, 'recording')} {agreeing(longer, 'is', 'are')} longer than "
            f"{seconds:g} s, what comes after was left out",
        )
        return made
    if raw.kind == "events":
        if not isinstance(front_end, EventFrontEnd):
            raise InvalidData(f"'{name}'", "it has events, and the network was trained on numbers", "give such")
        tally = Tally()
        counted = [
            _counted(each, front_end, tally, f"'{name}', {split} sample {i}") for i, each in enumerate(part.samples)
        ]
        end = front_end.steps * front_end.width
        told.when(
            tally.late,
            f"{split}: {tally.late:,} of {plural(tally.events, 'event')} "
            f"{agreeing(tally.late, 'comes', 'come')} after {end:g} s and "
            f"{agreeing(tally.late, 'was', 'were')} left out",
        )
        told.when(tally.crowded, f"{split}: {plural(tally.crowded, 'event')} would have made a count exceed 255")
        return counted
    if front_end is not None:
        raise InvalidData(
            f"'{name}'", f"the network was trained on samples of a front end ({front_end.kind})", "give such"
        )
    return list(part.samples)


def _counted(array: NDArray[Any], front_end: EventFrontEnd, tally: Tally, where: str) -> Samples:
    return events.counts(events.of_array(array, where), front_end, tally, where)


def _require_numbers(name: str, split: str, samples: Series) -> None:
    for i, each in enumerate(samples):
        if not np.isfinite(each).all():
            step, channel = (int(at[0]) for at in np.nonzero(~np.isfinite(each)))
            why = f"{split} sample {i} holds NaN or infinity at step {step}, channel {channel}"
            raise InvalidData(f"'{name}'", why, "fill in what is missing, or leave the sample out")


def _channels(name: str, series: Mapping[str, Series], known: Known | None) -> int:
    wanted = known.preprocessing.channels if known else series["train"][0].shape[1]
    for split, samples in series.items():
        for i, each in enumerate(samples):
            if each.shape[1] != wanted:
                others = "the network was trained on" if known else "the first training sample has"
                way_out = "give those that it was trained on, or train anew" if known else "give all samples the same"
                why = f"{split} sample {i} has {plural(each.shape[1], 'channel')}, and {others} {wanted}"
                raise InvalidData(f"'{name}'", why, way_out)
    if wanted > MOST_CHANNELS:
        raise InvalidData(f"'{name}'", f"it has {plural(wanted, 'channel')}", f"give {MOST_CHANNELS:,} at most")
    return int(wanted)


def _learned(name: str, training: Series, channels: int, front_end: FrontEnd | None, told: _Told) -> Preprocessing:
    if isinstance(front_end, EventFrontEnd):
        # What a network hears is bounded by this in the proof that no membrane saturates: 255 would refuse many a one.
        largest = max(1, *(int(each.max(initial=0)) for each in training))
        told.when(1, f"a channel counts up to {plural(largest, 'event')} in a step of the training part")
        return preprocessing.identity(channels, largest, front_end)
    whole = np.ascontiguousarray(np.concatenate([each.astype(np.float64, copy=False) for each in training]))
    if front_end is None and whole.min() >= 0 and 1 <= whole.max() <= TOP and (np.floor(whole) == whole).all():
        told.when(1, f"whole numbers from 0 to {whole.max():g} are fed as they are")
        return preprocessing.identity(channels, int(whole.max()))
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = whole.mean(0), whole.std(0)
    if not np.isfinite(deviation).all():
        why = f"channel {int(np.argmin(np.isfinite(deviation)))} has values too large for a mean and a deviation"
        raise InvalidData(f"'{name}'", why, "give it in a larger unit")
    deviation[deviation <= 1e-12 * np.abs(mean)] = 0
    told.when(1, "each channel is standardised by the training part: its mean is 128, its standard deviation 32")
    constant = int((deviation == 0).sum())
    told.when(
        constant,
        f"{constant} of {plural(channels, 'channel')} never {agreeing(constant, 'changes', 'change')} in "
        "the training part",
    )
    made = preprocessing.standardizing(mean, deviation, LEVELS, ZERO)
    return made.model_copy(update={"front_end": front_end})


def _fed(samples: Series, made: Preprocessing, steps: int, split: str, told: _Told) -> Samples:
    x = np.empty((len(samples), steps, made.channels), np.uint8)
    cut = below = longer = shorter = 0
    for i, each in enumerate(samples):
        found = made.integers(each[:steps])
        x[i] = made.padded(found.x, steps)
        cut += found.cut
        below += int((each[:steps] < 0).sum()) if made.keeps else 0
        longer += len(each) > steps
        shorter += len(each) < steps
    told.when(
        cut,
        f"{split}: {cut:,} of {plural(x.size, 'value')} {agreeing(cut, 'lies', 'lie')} beyond "
        f"{_range(made, cut, below)} and {agreeing(cut, 'was', 'were')} cut to it",
    )
    told.when(
        longer,
        f"{split}: {plural(longer, 'sample')} {agreeing(longer, 'has', 'have')} more than "
        f"{plural(steps, 'step')}, what comes after was left out",
    )
    told.when(
        shorter,
        f"{split}: {plural(shorter, 'sample')} {agreeing(shorter, 'is', 'are')} shorter than "
        f"{plural(steps, 'step')} and {agreeing(shorter, 'was', 'were')} padded with zero",
    )
    return x


def _range(made: Preprocessing, cut: int, below: int) -> str:
    """What some values lie beyond, and on which side of it."""
    if not made.keeps:
        return "the range of 8 bits"
    if not below:
        return f"{made.maximum}, the largest of the training part,"
    return f"0 to {made.maximum} ({below:,} below 0, {cut - below:,} above the largest of the training part)"


def _require_whole(name: str, made: Preprocessing, series: Mapping[str, Series], whose: str) -> None:
    """Raise InvalidData for fractions where whole numbers are fed as they are."""
    for split, samples in series.items() if made.keeps else ():
        for i, each in enumerate(samples):
            if each.dtype.kind == "f" and (np.floor(each) != each).any():
                why = f"it has fractions, and the {whose} only whole numbers from 0 to {made.maximum}, fed as they are"
                raise InvalidData(f"'{name}', {split} sample {i}", why, "give all samples in the same unit")


def _require_uncut(name: str, made: Preprocessing, series: Mapping[str, Series]) -> None:
    for split, samples in series.items():
        for i, each in enumerate(samples):
            if each.size and not 0 <= each.min() <= each.max() <= made.maximum:
                why = (
                    f"{split} sample {i} has values from {each.min():g} to {each.max():g}, and the network takes 0 to "
                )
                raise InvalidData(f"'{name}'", f"{why}{made.maximum} as they are", "give what it was trained on")


def _shape(steps: int, channels: int, classes: int, made: Preprocessing) -> Shape:
    of_place = 1 if _along_an_axis(made.front_end) else channels
    if not made.keeps:
        return Shape(steps, channels, classes, made.maximum, 1 / LEVELS, ZERO, of_place=of_place)
    scale = 1.0 if made.front_end else 1 / made.maximum
    return Shape(steps, channels, classes, made.maximum, scale, of_place=of_place)


def _along_an_axis(front_end: FrontEnd | None) -> bool:
    """Whether channels next to each other are neighbours: sensors are not, nor are a row's last pixel and the next's
    first.
    """
    return front_end is not None and not (isinstance(front_end, EventFrontEnd) and front_end.across is not None)
