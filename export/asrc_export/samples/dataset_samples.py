"""A data set's samples in the form and order in which a network takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asrc_core import preprocessing
from asrc_core.contract.network import InputFormat, IntegerNetwork
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train import data
from asrc_train.data.dataset import Dataset, Labels, Samples, in_order

if TYPE_CHECKING:  # PyTorch is no part of the way on which integers run
    from asrc_train.trained.frozen import FrozenNetwork


def dataset_for(network: IntegerNetwork, name: str | Path | None = None) -> Dataset:
    """The data set of that name (by default the one trained on), its steps in the network's order.

    Raises UnknownName, InvalidSetting if the network does not say what it was trained on, InvalidData if the
    samples' steps, channels or range are not the network's.
    """
    if name is not None and not isinstance(name, str | Path):
        why = f"it is a {type(name).__name__}; give a data set's name, or the path of raw samples, such as an .npz file"
        raise InvalidSetting("`data`", why)
    name = network.provenance.get("data") if name is None else str(name)
    if not isinstance(name, str):
        raise InvalidSetting(
            "`data`", "the network does not say what it was trained on, name a data set or a file of raw samples"
        )
    dt = network.provenance.get("dt") if name == network.provenance.get("data") else None
    classes = network.classes
    return _fitting(name, dt, network.input, network.steps, network.permutation, network.provenance, classes)


def split_of(dataset: Dataset, split: str) -> tuple[Samples, Labels]:
    """The samples of a split and their labels. Raises InvalidData for one that a small set has no sample for."""
    x, y = dataset.parts()[split]
    if not len(x):
        other = next((name for name, (its, _) in dataset.parts().items() if len(its)), "other")
        why = f"it has no sample in its {split} split"
        raise InvalidData(f"data set '{dataset.name}'", why, f"take its {other} split, or give more samples")
    return x, y


def calibration_for(frozen: FrozenNetwork, name: str) -> Dataset:
    """The data set of that name for a network that has no integers yet. Raises UnknownName, InvalidData."""
    entry = InputFormat(frozen.channels, 0, frozen.maximum, frozen.scale)
    classes = len(frozen.readout_bias)
    dt = frozen.provenance.get("dt") if name == frozen.provenance.get("data") else None
    return _fitting(name, dt, entry, frozen.steps, frozen.permutation, frozen.provenance, classes)


def _fitting(
    name: str,
    dt: Any,
    entry: InputFormat,
    steps: int,
    order: NDArray[np.int64] | None,
    provenance: Mapping[str, Any],
    classes: int,
) -> Dataset:
    """``dt`` comes from a file: what is no number there is none."""
    stated = preprocessing.of(provenance)
    if data.is_path(name):
        return in_order(_own(name, entry, steps, provenance, classes), order)
    dt = float(dt) if isinstance(dt, float) or (isinstance(dt, int) and dt.bit_length() < 64) else None
    shape = data.shape(name, dt)
    mine = f"{plural(shape.steps, 'step')} of {plural(shape.channels, 'value')} from 0 to {shape.maximum}"
    theirs = f"{plural(steps, 'step')} of {plural(entry.channels, 'value')} from {entry.minimum} to {entry.maximum}"
    if mine != theirs:
        why = f"its samples are {mine}, the network's are {theirs}"
        raise InvalidData(f"data set '{name}'", why, "choose the one the network was trained on")
    loaded = data.load(name, dt)
    if stated is not None and not preprocessing.alike(loaded.preprocessing, stated):
        why = "the zero and scale of its channels are not those that the network was trained with"
        raise InvalidData(f"data set '{name}'", why, "choose the one the network was trained on")
    return in_order(loaded, order)


def _own(name: str, entry: InputFormat, steps: int, provenance: Mapping[str, Any], classes: int) -> Dataset:
    """A user's raw samples, by what the network states of them; of one that states nothing, integers as they are."""
    from asrc_train.data.own import load as own

    if entry.minimum != 0 or entry.maximum > 255:
        why = f"the network takes {entry.minimum} to {entry.maximum}, and no file of one's own is read as such"
        raise InvalidData(f"'{name}'", why, "give integers with `input`, or name a data set")
    known = own.known_of(provenance, entry.channels, entry.maximum, entry.scale, steps, classes)
    return own.load(name, _fraction(provenance), known)


def _fraction(provenance: Mapping[str, Any]) -> float:
    """Which share the training left out of its part; it comes from a file, and what is no share there is none."""
    stated = provenance.get("validation_fraction")
    return stated if isinstance(stated, float) and 0 < stated < 1 else data.VALIDATION
