"""Training a checkpoint on: the same network on the same samples, with other settings of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from asrc_core import preprocessing
from asrc_core.errors import InvalidData, InvalidSetting, UnknownName
from asrc_core.preprocessing import Preprocessing
from asrc_train import data
from asrc_train.data.dataset import Dataset, permutation
from asrc_train.network.float_network import new_network
from asrc_train.settings.config import Config, validated
from asrc_train.settings.unread import require_read
from asrc_train.trained import checkpoint
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.training.fit import Start

_MAY_CHANGE = ("dropout", "rounding_noise")


def continued(model: str | Path, overrides: Mapping[str, Mapping[str, Any]]) -> tuple[Config, Start]:
    """How to train the checkpoint ``model`` on: its own settings with the overrides on top, and its network.

    The temperature stays where the checkpoint's was, so that its spans can still move but need not be found again.
    Samples of one's own may have another path by now, if they are the same.
    Raises InvalidSetting for an override that would make it another network or feed it other samples, UnreadableFile,
    UnsupportedModel, and what `with_samples` does.
    """
    trained = checkpoint.load(model)
    config = trained.config.model_dump()
    config["training"].update(temperature=trained.temperature, annealing=1.0)
    for section, values in overrides.items():
        config[section].update(values)
    settings = validated(config, "`model`")
    for section, values in overrides.items():
        for key in values:
            stays = section == "data" or (section == "network" and key not in _MAY_CHANGE)
            was, asked = (getattr(getattr(of, section), key) for of in (trained.config, settings))
            moved = (section, key) == ("data", "name") and (data.may_have_moved(was, asked) or was is None)
            if stays and asked != was and not moved:
                why = f"is {was} in '{model}'; leave it as it is, or train a new network without `model`"
                raise InvalidSetting(f"{section}.{key}", why)
    require_read(settings, overrides)
    _, dataset = with_samples(trained, settings.data.name)
    network = new_network(trained.channels, trained.classes, settings.network, trained.steps)
    network.load_state_dict(dict(trained.tensors))
    return settings, Start(network, {"continued_from_sha256": checkpoint.fingerprint(model)}, dataset)


def with_samples(trained: Checkpoint, path: str | None = None) -> tuple[Checkpoint, Dataset]:
    """The checkpoint, and what it was trained on: its own samples at another ``path``, or at the first that is told.

    They are read as training reads them or, where it was trained in a loop of its own, as the checkpoint states.
    Raises InvalidSetting if neither says what they are and for the path of other samples than one's own, UnknownName
    for a path where nothing lies, InvalidData for samples that are not, step by step, what it was trained on, and what
    `data.load` does.
    """
    source = trained.config.data
    if source.name is None and path is None:
        why = "the checkpoint does not say what it was trained on"
        raise InvalidSetting("data set", f"{why}; name a file of these samples by `data`")
    if path is None or path == source.name:
        return trained, _same_samples(trained)
    if source.name is None and not data.is_known(path):
        raise UnknownName("data set", path, data.names(), data.OWN)
    if source.name is not None and not data.may_have_moved(source.name, path):
        why = f"it is '{path}', and the checkpoint was trained on '{source.name}'"
        raise InvalidSetting("`data`", f"{why}; give the new path of samples of your own, or leave it away")
    config = trained.config.model_copy(update={"data": source.model_copy(update={"name": path})})
    there = replace(trained, config=config)
    first_told = source.name is None and data.is_path(path)
    return there, _as_stated(there) if first_told else _same_samples(there)


def _as_stated(trained: Checkpoint) -> Dataset:
    """Samples of one's own, made integers as the checkpoint states."""
    from asrc_train.data.own import load as own

    known = own.known_of(
        trained.provenance, trained.channels, trained.maximum, trained.scale, trained.steps, trained.classes
    )
    return own.load(str(trained.config.data.name), trained.config.data.validation_fraction, known)


def _same_samples(trained: Checkpoint) -> Dataset:
    """The data set that a checkpoint names. Raises InvalidData unless it is what it was trained on."""
    name, fraction = trained.config.data.name, trained.config.data.validation_fraction
    loaded = data.load(name, trained.config.network.dt, fraction)
    problem = _other_samples(trained, loaded)
    if problem is None:
        return loaded
    sha256 = trained.provenance.get("samples_sha256")
    if sha256 is not None and data.is_path(name) and preprocessing.of(trained.provenance) is not None:
        stated = _as_stated(trained)  # it may have been trained on first in a loop of one's own
        if stated.samples_sha256 == sha256:
            return stated
    raise problem


def _other_samples(trained: Checkpoint, loaded: Dataset) -> InvalidData | None:
    """What tells a data set, step by step, from that which a checkpoint was trained on; None if nothing does."""
    where = f"data set '{trained.config.data.name}'"
    ours = (loaded.steps, loaded.channels, loaded.classes, loaded.maximum, loaded.scale)
    theirs = (trained.steps, trained.channels, trained.classes, trained.maximum, trained.scale)
    order = permutation(loaded.steps, trained.config.data.permutation_seed) if trained.config.data.permute else None
    fed = trained.permutation
    if ours != theirs or (None if order is None else order.tolist()) != (None if fed is None else fed.tolist()):
        why = "its samples, or the order of their steps, are not those that the checkpoint was trained on"
        return InvalidData(where, why, "train the float network here first")
    theirs_stated = preprocessing.of(trained.provenance)
    if theirs_stated is None:
        return None
    classes = preprocessing.classes_of(trained.provenance, trained.classes)
    renamed = bool(loaded.class_names) and classes != loaded.class_names
    if renamed or not preprocessing.alike(loaded.preprocessing, theirs_stated):
        why = f"{_differing(loaded.preprocessing, theirs_stated)} that the checkpoint was trained with"
        return InvalidData(where, why, "give the samples that it was trained on, or train anew")
    return None


def _differing(ours: Preprocessing | None, theirs: Preprocessing) -> str:
    """What of the samples is another, as the beginning of a sentence."""
    if ours is not None and None not in (ours.names, theirs.names) and ours.names != theirs.names:
        return "its columns are not those, or not in the order,"
    if ours is not None and ours.front_end != theirs.front_end:
        return "the steps of its recordings or events (which earlier versions chose otherwise) are not those"
    return "its classes, or the zero and scale of its channels, are not those"
