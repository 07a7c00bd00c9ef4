"""Raw samples from files of their own, made the integers that a network takes by what its file states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core import preprocessing
from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData, InvalidSetting, UnreadableFile
from asrc_core.preprocessing import EventFrontEnd, MelFrontEnd, Preprocessing
from asrc_train.data.dataset import permuted

WAY_OUT = "give a recording .wav, or one sample (steps, channels) as .npy or .csv"
OF_MANY = (".npz", ".ts")


class Made(NamedTuple):
    """Integers (n, T, channels) in the network's order of steps, and what is to be said of them."""

    x: NDArray[np.uint8]
    notes: list[str]


def load(paths: Sequence[str | Path], network: IntegerNetwork) -> Made:
    """A sample from each file. What is shorter than the network's steps is padded, what comes after them left out.

    Raises InvalidSetting for a network that does not state a preprocessing, UnreadableFile, InvalidData, ExtraMissing.
    """
    made = preprocessing.of(network.provenance)
    if made is None:
        why = "the network does not state how integers are made of raw samples"
        raise InvalidSetting("raw samples", f"{why}; give integers in an .npz file with `input`")
    if made.channels != network.input.channels or made.maximum > network.input.maximum:
        raise InvalidSetting("preprocessing in the network's file", "it is not for this network's input")
    x, notes = np.empty((len(paths), network.steps, made.channels), np.uint8), []
    for i, path in enumerate(paths):
        raw, said = _raw(Path(path), made)
        found = made.integers(raw[: network.steps], f"the values of '{path}'")
        x[i] = made.padded(found.x, network.steps)
        if found.cut:
            said.append(
                f"{found.cut:,} of {plural(found.x.size, 'value')} {agreeing(found.cut, 'lies', 'lie')} "
                f"beyond what training saw and {agreeing(found.cut, 'was', 'were')} cut to it"
            )
        if len(raw) > network.steps:
            said.append(f"it has {plural(len(raw), 'step')}, those after {network.steps:,} were left out")
        if len(raw) < network.steps:
            said.append(f"it has {plural(len(raw), 'step')} and was padded to {network.steps:,}")
        notes += [f"{path}: {each}" for each in said]
    return Made(permuted(x, network.permutation), notes)


def _raw(path: Path, made: Preprocessing) -> tuple[NDArray[Any], list[str]]:
    from asrc_train.data.own import columns, events, folders
    from asrc_train.data.sources import speech, wav
    from asrc_train.data.sources.events import Tally

    front_end = made.front_end
    if path.is_dir() or path.suffix.lower() in OF_MANY:
        raise UnreadableFile(path, "sample", "it is for many samples", f"name it with `data`, or {WAY_OUT}")
    if isinstance(front_end, MelFrontEnd):
        sound = wav.read(path, front_end.rate)
        lasts = speech.lasts(sound, front_end)
        longer = [f"it lasts {plural(lasts, 'step')}, those after {front_end.steps:,} were left out"] * (
            lasts > front_end.steps
        )
        return speech.decibels(sound, front_end), longer
    if path.suffix.lower() not in (".npy", ".csv"):
        raise UnreadableFile(path, "sample", "the network was not trained on recordings", WAY_OUT)
    try:
        single = folders.one(path, made.names)
    except OSError as error:
        raise UnreadableFile(path, "sample", error.strerror or str(error), WAY_OUT) from error
    except ValueError as error:
        raise UnreadableFile(path, "sample", str(error), WAY_OUT) from error
    said = [clause for clause in (folders.left_out_of(single),) if clause]
    if not isinstance(front_end, EventFrontEnd):
        found = single.values
        if made.names is None and made.channels == len(found) == 1 < found.shape[1]:
            return found.T, [*said, "its only row was taken for the steps of the only channel"]
        order = columns.order(single.columns, made.names, f"'{path}'", "those that the network was trained on are")
        if order is not None:
            said.append(f"its columns were taken in the network's order: {columns.listed(made.names or ())}")
            found = found[:, order]
        if found.shape[1] != made.channels:
            why = f"it has {plural(found.shape[1], 'channel')}, and the network was trained on {made.channels}"
            raise InvalidData(f"'{path}'", why, "give (steps, channels) in the order of the training samples")
        return found, said
    tally = Tally()
    counted = events.counts(events.of_array(single.values, f"'{path}'"), front_end, tally, f"'{path}'")
    late = [
        f"{tally.late:,} of {plural(tally.events, 'event')} {agreeing(tally.late, 'comes', 'come')} after "
        f"the last step and {agreeing(tally.late, 'was', 'were')} left out"
    ] * bool(tally.late)
    return counted, [*said, *late]
