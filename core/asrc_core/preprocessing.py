"""What makes a network's integers of raw samples: outside its arithmetic, stated in its file.

A raw sample is real, (T, channels). Each channel has a zero and a scale, and the network is fed

    x[t, c] = round((raw[t, c] - zero[c]) / scale[c]), cut to 0..maximum

in double precision, halves to the even number. How many values were cut is counted, and told. Where a header named the
channels, their names are kept, and files that name theirs are put in this order. What makes a raw sample of something
else, such as a recording, is its front end. All of it stands in the provenance of a checkpoint and of an
integer network, under `KEY`; the names of the classes under `CLASSES`. No arithmetic of a network depends on either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData, InvalidSetting
from asrc_core.forms.first_problem import first_problem

KEY = "preprocessing"
CLASSES = "classes"
MOST_CHANNELS = 2**20

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Size = Annotated[int, Field(ge=1, le=2**20)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MelFrontEnd(_Form):
    """Mel features of a recording in decibels below its loudest value, ``steps`` of ``bands`` (`speech.decibels`).

    The magnitudes of a Fourier transform of ``window`` samples every ``hop`` samples, in ``bands`` mel bands from
    ``lowest`` to ``highest`` Hz, with a floor ``floor`` dB below the loudest; after the recording's end, the floor.
    """

    kind: Literal["mel"] = "mel"
    rate: _Size
    """Samples a second."""
    window: _Size
    hop: _Size
    bands: _Size
    lowest: _Positive
    highest: _Positive
    floor: _Positive = 80.0
    steps: _Size


class EventFrontEnd(_Form):
    """Counts of events: ``steps`` of ``width`` seconds, a channel for each unit, or pixel and polarity.

    An event (t, unit) counts in channel unit; (t, x, y, p) in channel (p * height + y') * across + x', where x'
    and y' are x and y divided by ``together``, rounded down.
    """

    kind: Literal["events"] = "events"
    steps: _Size
    width: _Positive
    """Seconds of a step."""
    units: _Size
    """Channels."""
    together: _Size = 1
    across: _Size | None = None
    """Pixels of a row; None for events of units."""
    height: _Size | None = None


ALIKE = 1e-4
"""Zeros and scales this close, in integer steps and relatively, are the same samples', learned on another machine.

Mel features are float32: 80 dB have steps of 8e-6 dB, and what libraries round otherwise on other processors moved the
mean of the spoken digits by 2e-6 dB. Of 10,000 values, a zero this far away makes one another integer.
"""


class Cut(NamedTuple):
    """Integers that a network takes, and how many of the values had to be cut to their range."""

    x: NDArray[np.uint8]
    cut: int


class Preprocessing(_Form):
    """A zero and a scale for each channel, the largest integer, the front end and the channels' names, if any."""

    zero: Annotated[tuple[_Finite, ...], Field(min_length=1, max_length=MOST_CHANNELS)]
    """The raw value that becomes 0."""
    scale: Annotated[tuple[_Positive, ...], Field(min_length=1, max_length=MOST_CHANNELS)]
    """Raw units of one integer step."""
    maximum: Annotated[int, Field(ge=1, le=255)] = 255
    pad: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(max_length=MOST_CHANNELS)] = ()
    """Integers that follow the end of a sample shorter than the network's steps; none given: 0."""
    front_end: Annotated[MelFrontEnd | EventFrontEnd, Field(discriminator="kind")] | None = None
    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_CHANNELS)] | None = None
    """Of the channels in their order, where the training's files named their columns."""

    @model_validator(mode="after")
    def _one_for_each_channel(self) -> Preprocessing:
        given = [len(each) for each in (self.scale, self.pad or self.zero, self.names or self.zero)]
        if set(given) != {self.channels}:
            raise ValueError("zero, scale, pad and names are not of equally many channels")
        if len(set(self.names or ())) != len(self.names or ()):
            raise ValueError("two channels have one name")
        return self

    @property
    def channels(self) -> int:
        """Values of a step."""
        return len(self.zero)

    @property
    def keeps(self) -> bool:
        """Whether integers from 0 to the maximum stay what they are."""
        return set(self.zero) == {0.0} and set(self.scale) == {1.0}

    def integers(self, raw: NDArray[Any], what: str = "samples") -> Cut:
        """Raw samples (..., channels) as the network takes them. Raises InvalidData for other channels, or NaN, which
        says ``what`` they are.
        """
        if not raw.ndim or raw.dtype.kind not in "iufb":
            why = f"they are {'a single value' if not raw.ndim else 'no numbers'}"
            raise InvalidData(what, why, "give numbers, (samples, steps, channels)")
        if raw.shape[-1] != self.channels:
            why = f"they have {plural(raw.shape[-1], 'channel')} and the network was trained on {self.channels}"
            raise InvalidData(what, why, "give what it was trained on, (samples, steps, channels)")
        real = raw.astype(np.float64)
        if not np.isfinite(real).all():
            raise InvalidData(what, "they hold NaN or infinity", "fill in or leave out what is missing")
        if self.keeps and (np.floor(real) != real).any():
            why = f"the network takes whole numbers from 0 to {self.maximum} as they are, and these are not whole"
            raise InvalidData(what, why, "give what it was trained on")
        with np.errstate(over="ignore"):  # what is infinite is cut, and counted
            exact = np.rint((real - np.array(self.zero)) / np.array(self.scale))
        kept = np.clip(exact, 0, self.maximum)
        return Cut(kept.astype(np.uint8), int((kept != exact).sum()))

    def padded(self, x: NDArray[np.uint8], steps: int) -> NDArray[np.uint8]:
        """A sample (T, channels) brought to ``steps`` steps, T at most: what is missing is filled with ``pad``."""
        made = np.empty((steps, self.channels), np.uint8)
        made[:] = np.array(self.pad or (0,) * self.channels, np.uint8)
        made[: len(x)] = x
        return made


def alike(one: Preprocessing | None, other: Preprocessing | None) -> bool:
    """Whether both make the same integers, but for values that lie on the border between two: zeros and scales may
    differ by the rounding of sums, which machines and libraries do not do alike. Earlier files have no names.
    """
    if one is None or other is None:
        return one is other
    learned, named = {"zero", "scale"}, None not in (one.names, other.names)
    besides = learned if named else {*learned, "names"}
    if one.channels != other.channels or one.model_dump(exclude=besides) != other.model_dump(exclude=besides):
        return False
    scale = np.array(one.scale)
    apart = np.abs(np.array(one.zero) - other.zero) / scale, np.abs(np.array(other.scale) - scale) / scale
    return bool(max(each.max() for each in apart) < ALIKE)


def standardizing(mean: NDArray[np.float64], deviation: NDArray[np.float64], levels: int, zero: int) -> Preprocessing:
    """Mean of each channel at the integer ``zero``, its standard deviation ``levels`` integers; a constant channel's
    deviation counts as 1. What is padded is the mean.
    """
    scale = np.where(deviation > 0, deviation, 1.0) / levels
    return Preprocessing(zero=tuple(mean - zero * scale), scale=tuple(scale), pad=(zero,) * len(scale))


def identity(channels: int, maximum: int, front_end: EventFrontEnd | None = None) -> Preprocessing:
    """Integers from 0 to ``maximum`` stay what they are."""
    return Preprocessing(zero=(0.0,) * channels, scale=(1.0,) * channels, maximum=maximum, front_end=front_end)


def of(provenance: Mapping[str, Any]) -> Preprocessing | None:
    """The preprocessing that a checkpoint or a network states; None if none. Raises InvalidSetting if it is none."""
    stated = provenance.get(KEY)
    if stated is None:
        return None
    try:
        return Preprocessing.model_validate(stated)
    except ValidationError as error:
        problem = first_problem(error, Preprocessing)
        raise InvalidSetting(f"preprocessing in the network's file, key '{problem.key}'", problem.why) from error


def classes_of(provenance: Mapping[str, Any], classes: int) -> tuple[str, ...]:
    """The names of the classes that a checkpoint or a network states, else their numbers.

    Raises InvalidSetting for names that are no names, or not one for each class.
    """
    stated = provenance.get(CLASSES)
    if stated is None:
        return tuple(str(i) for i in range(classes))
    if not isinstance(stated, Sequence) or isinstance(stated, str) or not all(isinstance(s, str) for s in stated):
        raise InvalidSetting("classes in the network's file", "they are not a list of names")
    if len(stated) != classes:
        raise InvalidSetting(
            "classes in the network's file",
            f"there {agreeing(len(stated), 'is', 'are')} {plural(len(stated), 'name')} for {plural(classes, 'class')}",
        )
    return tuple(stated)


def stated(preprocessing: Preprocessing | None, classes: Sequence[str]) -> dict[str, Any]:
    """What a provenance says of both; nothing of what there is not."""
    return {
        **({KEY: preprocessing.model_dump(mode="json", exclude_none=True)} if preprocessing else {}),
        **({CLASSES: list(classes)} if classes else {}),
    }
