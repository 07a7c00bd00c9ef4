"""What can be exported: a checkpoint's path, a checkpoint, a module trained in a loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import Mapping
from asrc_core.counts import plural
from asrc_core.errors import InvalidData, InvalidSetting, UnknownName
from asrc_train.trained import freeze
from asrc_train.trained.checkpoint import Checkpoint
from asrc_train.trained.frozen import FrozenNetwork
from asrc_train.trained.own_loop import checked_samples, describe, freeze_module
from asrc_train.trained.own_module import require_module

if TYPE_CHECKING:
    from torch import nn

Model: TypeAlias = "str | Path | Checkpoint | nn.Module"


class Feed(TypedDict, total=False):
    """What a module was trained on: x in [0, maximum], fed as (x - zero) * scale (`asrc_train.trained.own_loop`)."""

    scale: float
    zero: float
    maximum: int
    steps: int
    classes: Sequence[str]
    unit: str
    step_seconds: float


def frozen_model(model: Model, samples: NDArray[Any] | None, fed: Feed) -> FrozenNetwork:
    """The network that is to become integers. Raises InvalidSetting for what is none, and for what ``fed`` says of a
    checkpoint, which says so itself.
    """
    unknown = sorted(set(fed) - set(Feed.__annotations__))
    if unknown:
        raise InvalidSetting(unknown[0], f"there is no such argument; known are {', '.join(Feed.__annotations__)}")
    if not isinstance(model, str | Path | Checkpoint):
        require_module(model)
        return freeze_module(describe(model, samples=samples, **fed))
    if fed:
        raise InvalidSetting(next(iter(fed)), "a checkpoint says what it was trained on; leave it away")
    return freeze.freeze(model) if isinstance(model, Checkpoint) else freeze.freeze_file(model)


def fitting(samples: NDArray[Any], frozen: FrozenNetwork) -> NDArray[np.int64]:
    """Samples that are given, as the network takes them. Raises InvalidData."""
    x = checked_samples(samples)
    mine, theirs = (x.shape[2], int(x.max())), (frozen.channels, frozen.maximum)
    if mine[0] != theirs[0] or mine[1] > theirs[1]:
        why = f"they have {plural(mine[0], 'channel')} up to {mine[1]}, the network takes {theirs[0]} up to {theirs[1]}"
        raise InvalidData("samples", why, "give some of those it was trained on")
    return x


def require_arguments(target: object, bits: object, mapping: object, samples: object, calibrate_on: object) -> None:
    """Raise InvalidSetting or UnknownName for a target, a width or a mapping that is none, or for data given twice."""
    widths = bits if isinstance(bits, tuple) else (bits,)
    if isinstance(bits, str) and bits == "auto":
        how = "are chosen by asrc_export.quantization.search.bit_budget.choose, whose result is given here"
        raise InvalidSetting("`bits`", f"'auto' {how}")
    for each in widths:
        if isinstance(each, bool) or not isinstance(each, int):
            raise InvalidSetting(
                "`bits`", f"{bits!r} is neither a whole number nor a tuple of them, one for each layer"
            )
    if not isinstance(target, str):
        raise InvalidSetting("`target`", f"{target!r} is neither a target's name nor a path ending in .toml")
    if samples is not None and calibrate_on is not None:
        raise InvalidSetting(
            "`calibrate_on`", "samples and a data set are both given; calibrate on the one or the other"
        )
    if not isinstance(mapping, str) or mapping not in get_args(Mapping):
        raise UnknownName("mapping", str(mapping), get_args(Mapping))
