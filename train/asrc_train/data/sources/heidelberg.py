"""What the two Heidelberg data sets share: their archives, and counts of 5.6 ms and five units (paper, section A.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from asrc_core.counts import agreeing, plural
from asrc_train.data.dataset import Dataset, Samples, Shape
from asrc_train.data.sources import archive, events, prepared
from asrc_train.data.sources.archive import Archive
from asrc_train.data.sources.events import Binning, Tally

BINNING = Binning(units=700, together=5, steps=250, width=5.6e-3)


def published(place: str, md5: str) -> Archive:
    """The packed file, of which ``place`` is the unpacked one."""
    return Archive(
        place=f"{place}.zip",
        address=f"https://zenkelab.org/datasets/{Path(place).name}.zip",
        page="https://zenkelab.org/datasets/",
        algorithm="md5",
        checksum=md5,
        limit=8 << 30,
    )


def load(name: str, shape: Shape, archives: Mapping[str, Archive], binning: Binning = BINNING) -> Dataset:
    """The counts of each split, none above the shape's maximum, worked out once.

    Raises the errors of `events`, `archive` and `prepared`.
    """
    files = {split: _unpacked(name, each, archives.values()) for split, each in archives.items()}

    def write(into: Path) -> list[str]:
        events.require_readable(files.values())
        tally = Tally()
        for split, path in files.items():
            labels = events.labels(path, shape.classes)
            prepared.write(into, split, labels, shape, _kept(events.samples(path, binning, tally), shape, tally))
        return [
            f"{name}: {tally.late:,} of {plural(tally.events, 'spike')} "
            f"{agreeing(tally.late, 'comes', 'come')} after the last of {plural(binning.steps, 'step')} and "
            "were "
            f"left out, {tally.crowded:,} would have made a count exceed {shape.maximum}"
        ]

    return prepared.prepared(name, shape, str(binning), files.values(), write)


def _kept(blocks: Iterable[Samples], shape: Shape, tally: Tally) -> Iterator[Samples]:
    for block in blocks:
        kept = np.minimum(block, shape.maximum)
        tally.crowded += int(block.sum(dtype=np.int64) - kept.sum(dtype=np.int64))
        yield kept.astype(np.uint8)


def _unpacked(name: str, each: Archive, archives: Iterable[Archive]) -> Path:
    path = each.path.with_suffix("")
    if not path.is_file():
        packed = archive.verified(each)
        if packed is None:
            raise archive.missing(path, name, archives)
        archive.unpack_zip(each, packed, path.name, path)
    return path
