"""What is put under stress: samples, the integer network, the float network it came from, and what breaks in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.errors import InvalidSetting
from asrc_train.trained.frozen import FrozenNetwork

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Links:
    """What happens to a message between its neuron and the layers that it is connected to, its own included.

    It is lost with probability ``loss``, or else arrives 0 to ``jitter`` steps late, all equally likely, on top of the
    connection's own lags. Every connection draws for itself: a spike may reach the next layer and not its own. Messages
    of one neuron that arrive together add up; one that would arrive after the sample's last step never does.
    """

    loss: float = 0.0
    jitter: int = 0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Stuck:
    """Which neurons (N,) of a layer are stuck, and the message that they send in every step."""

    neurons: Mask
    message: int


@dataclass(frozen=True, eq=False)
class Subject:
    """Samples (n, T, channels) of integers, the networks they are fed to, and what came to pass (shares by name).

    ``nothing``: what is fed where nothing is (`Dataset.nothing`), one number or one for each channel. ``stuck`` has one
    entry for each hidden layer, or none at all.
    """

    x: NDArray[np.generic]
    deployed: IntegerNetwork
    floating: FrozenNetwork | None
    links: Links | None = None
    stuck: tuple[Stuck, ...] = ()
    notes: Mapping[str, float] = field(default_factory=dict)
    nothing: NDArray[np.generic] | int = 0


@dataclass(frozen=True)
class Perturbation:
    """One thing that can go wrong, to a degree: ``perturb`` returns the subject as it is at that level.

    At level 0 it changes nothing. The generator is seeded alike at every level, so what is broken at a level stays
    broken at the next.
    """

    title: str
    axis: str
    """What a level is, with its unit."""
    levels: tuple[float, ...]
    highest: float
    perturb: Callable[[Subject, float, np.random.Generator], Subject]
    whole: bool = False
    """Whether levels are whole numbers."""
    logarithmic: bool = False
    """Whether levels are best shown on a logarithmic axis."""

    def require(self, name: str, level: float) -> float:
        """The level, if it makes sense. Raises InvalidSetting."""
        where = f"level of {name}"
        if not isfinite(level) or not 0 <= level <= self.highest:
            raise InvalidSetting(where, f"{level:g} is outside 0 to {self.highest:g} ({self.axis})")
        if self.whole and level != int(level):
            raise InvalidSetting(where, f"{level:g} is not a whole number ({self.axis})")
        return level
