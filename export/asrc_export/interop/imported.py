"""A network that comes from another tool: what it became, what its file left open, and what it is fed."""

from __future__ import annotations

from dataclasses import dataclass

from asrc_core.errors import InvalidData, InvalidSetting
from asrc_train import data
from asrc_train.trained.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class Imported:
    """A checkpoint like one of `asrc-train`, and one sentence for each thing that the file alone did not settle."""

    checkpoint: Checkpoint
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Feed:
    """The samples of a network: integers x in [0, maximum] times ``scale``, (steps, channels); None is unknown.

    ``data`` is the data set of ours that holds such samples, if one does.
    """

    data: str | None = None
    steps: int | None = None
    maximum: int | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Settled:
    """A `Feed` of which nothing but the data set is open."""

    data: str | None
    steps: int
    maximum: int
    scale: float


def settle(asked: Feed, stated: Feed, channels: int, classes: int) -> Settled:
    """What the user asked for, else what the file states; a data set, if one is named, settles all of it.

    Raises InvalidSetting for what none of them says, UnknownName for a data set that is not ours, InvalidData for
    one whose samples do not fit the network.
    """
    name = asked.data or (stated.data if asked == Feed() else None)
    if name is not None:
        return _of_dataset(name, asked, stated, channels, classes)
    merged = {key: _first(getattr(asked, key), getattr(stated, key)) for key in ("steps", "maximum", "scale")}
    if merged["steps"] is None or merged["maximum"] is None:
        missing = "steps" if merged["steps"] is None else "input_maximum"
        raise InvalidSetting(
            f"`{missing}`",
            "the file does not say what the network is fed; name one of our data sets with `data`, or give `steps` "
            "and `input_maximum` (and `input_scale`, if the network takes the integers times something)",
        )
    scale = 1.0 if merged["scale"] is None else merged["scale"]
    if not 0 < scale < float("inf"):
        raise InvalidSetting("`input_scale`", f"{scale} is not a positive number")
    return Settled(None, int(merged["steps"]), int(merged["maximum"]), scale)


def _of_dataset(name: str, asked: Feed, stated: Feed, channels: int, classes: int) -> Settled:
    if (asked.steps, asked.maximum, asked.scale) != (None, None, None):
        raise InvalidSetting("`data`", f"'{name}' settles steps, maximum and scale; leave the other options away")
    dataset = data.shape(name)
    facts = (("channels", dataset.channels, channels), ("classes", dataset.classes, classes))
    stated_facts = (("steps", dataset.steps, stated.steps), ("largest value", dataset.maximum, stated.maximum))
    for what, mine, theirs in (*facts, *stated_facts):
        if theirs is not None and mine != theirs:
            why = f"its {what} {'is' if what == 'largest value' else 'are'} {mine}, the network's {theirs}"
            raise InvalidData(f"data set '{name}'", why, "choose one of the kind that the network was trained on")
    return Settled(name, dataset.steps, dataset.maximum, dataset.scale)


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
