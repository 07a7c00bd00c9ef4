"""Leaks that 12 or 16 bits hold badly: decays that round to none, or to another time constant; and couplings of two
compartments, which take from one what the other gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from asrc_core.contract.network import IntegerNetwork, Layer
from asrc_core.contract.numbers import DECAY_ONE, FACTOR_ONE
from asrc_core.errors import InvalidSetting

if TYPE_CHECKING:  # it loads torch
    from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork

MOST_OFF = 0.1
"""Largest relative error of a time constant of which nothing is said."""
SHARES = {"kept": "share kept in a step"}
"""Constants of 16 bits that say what a membrane keeps, of the kind glif."""
COUPLINGS = {"inward": "coupling from soma to dendrite", "onward": "coupling from dendrite to soma"}
"""Constants of 16 bits by which two compartments hold each other, of the kind tc-lif."""
FORGOTTEN = 1 / 256
"""Share below which what a step keeps hardly matters, and so neither does its error."""


def badly_rounded(frozen: Sequence[FrozenLayer], made: Sequence[Layer]) -> Iterator[str]:
    """A sentence for each layer and decay whose time constant, -1 / ln(alpha) steps, is off by more than MOST_OFF."""
    for before, after in zip(frozen, made, strict=True):
        for name, constant in before.of_kind.constants.items():
            known = {**SHARES, **COUPLINGS}
            if name not in before.constants or not (name.endswith("decay_factor") or name in known):
                continue
            given = np.atleast_1d(np.asarray(before.constants[name], np.float64))
            whole = np.asarray(after.neuron.parameters[constant.parameter])
            rounded = whole / FACTOR_ONE if name in known else (DECAY_ONE - whole) / DECAY_ONE
            rounded = np.broadcast_to(rounded, given.shape)
            said = _worst_coupling(given, rounded) if name in COUPLINGS else _worst(given, rounded)
            if said is not None:
                yield f"layer '{before.name}': its {known.get(name, name.replace('_', ' '))} {said}"


def of_network(frozen: FrozenNetwork, made: IntegerNetwork) -> Iterator[str]:
    """The same of all layers, and of the readout where it has decays."""
    layers = (*frozen.layers, *(() if frozen.decides is None else (frozen.decides,)))
    return badly_rounded(layers, made.layers[: len(layers)])


def require_kept(sentences: Sequence[str]) -> None:
    """Raise InvalidSetting with all of them, if there are any."""
    if sentences:
        raise InvalidSetting("`strict`", f"{'; '.join(sentences)}; train with decays that its bits hold, or without it")


def _worst_coupling(given: Floats, rounded: Floats) -> str | None:
    """Of shares that pass in a step: slow exchange has a time constant of 1 / share steps."""
    given, rounded = given[given > 0], rounded[given > 0]
    if not given.size:
        return None
    off = np.abs(rounded / given - 1)
    at = int(off.argmax())
    if off[at] <= MOST_OFF:
        return None
    result = "none at all" if rounded[at] == 0 else f"{rounded[at]:.8g}"
    return f"of {given[at]:.8g} rounds to {result}"


def _worst(kept: Floats, rounded: Floats) -> str | None:
    leaking = (kept > FORGOTTEN) & (kept < 1)
    kept, rounded = kept[leaking], rounded[leaking]
    lost = rounded == 1
    if lost.any():
        longest = -1 / np.log(kept[lost].min())
        return f"of {kept[lost].min():.8g} (a time constant of {longest:,.0f} steps) rounds to no leak at all"
    if not kept.size:
        return None
    was = -1 / np.log(kept)
    now = -1 / np.log(np.maximum(rounded, np.finfo(float).tiny))
    off = np.abs(now / was - 1)
    at = int(off.argmax())
    if off[at] <= MOST_OFF:
        return None
    return f"of {kept[at]:.8g} rounds to {rounded[at]:.8g}: a time constant of {now[at]:,.0f} steps for {was[at]:,.0f}"
