"""From the floats of a trained neuron to the whole numbers of its kind: one `Constant` for each of them, in its file.

A float membrane's unit is ``scale`` integer units. What is a potential (a threshold, a bias) is multiplied by it and
rounded to the nearest number that the target's format has; a share (what a decay keeps) is rounded to 1/4096, or to
1/65,536 where a kind says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import DECAY_ONE, FACTOR_ONE, Ints

Constants: TypeAlias = Mapping[str, Any]
"""By name: a float, or one for each neuron (N,), or several (N, K), real or complex; or the name of a choice."""
Nearest: TypeAlias = Callable[[Any], Any]
"""From floats (n,) to the numbers of a format that are nearest to them, (n,)."""


def _same(floats: Any) -> Any:
    return floats


class Unfit(ValueError):
    """A float that has no whole number in a format."""


@dataclass(frozen=True)
class Rounding:
    """At what scale, and to which numbers, floats are rounded. Formats are a target's; they raise `Unfit`.

    ``drive``: bounds of what a neuron's connections sum up to, (N,) each, where a kind's numbers depend on that.
    """

    scale: float
    activation_shift: int
    bias: Nearest
    threshold: Nearest
    whole: Nearest = np.rint
    drive: tuple[Ints, Ints] | None = None

    @property
    def exact(self) -> bool:
        """Whether whole numbers are left as the floats that they would be rounded from."""
        return self.whole is _same

    def unrounded(self) -> Rounding:
        """The same scale, and every float as it is: for what can be differentiated."""
        return replace(self, bias=_same, threshold=_same, whole=_same)


UNROUNDED = Rounding(1.0, 0, _same, _same, _same)
"""Floats in their own unit, as they are."""


@dataclass(frozen=True)
class Constant:
    """A float constant of a kind.

    parameter: the one that stands for it. rounded(value, rounding): the parameter's value. stands_for(number, scale):
    the float that a parameter's value stands for. potential: whether it is one, and so compared with the membrane.
    """

    parameter: str
    rounded: Callable[[Any, Rounding], Any]
    stands_for: Callable[[Any, float], Any]
    potential: bool = False


class Meant(NamedTuple):
    """What a parameter stands for, beside what was asked for, (N,) or (N, K) each."""

    name: str
    integers: Any
    stated: Any
    effective: Any


def named(parameter: str) -> Constant:
    """A choice, which is not rounded."""
    return Constant(parameter, lambda name, at: name, lambda name, scale: name)


def kept(parameter: str) -> Constant:
    """The share that a step keeps, alpha: d = 4096 (1 - alpha)."""
    return Constant(
        parameter,
        lambda share, at: numbers((1 - share) * DECAY_ONE, at.whole),
        lambda d, scale: (DECAY_ONE - d) / DECAY_ONE,
    )


def share(parameter: str) -> Constant:
    """A factor from 0 to 1 with 16 bits: f = 65,536 share."""
    return Constant(
        parameter,
        lambda factor, at: numbers(factor * FACTOR_ONE, at.whole),
        lambda f, scale: f / FACTOR_ONE,
    )


def bias(parameter: str = "bias") -> Constant:
    """A potential in the format of biases."""
    return Constant(parameter, lambda b, at: numbers(b * at.scale, at.bias), _in_units, potential=True)


def threshold(parameter: str = "threshold") -> Constant:
    """A potential in the format of thresholds."""
    return Constant(parameter, lambda theta, at: numbers(theta * at.scale, at.threshold), _real, potential=True)


def _in_units(number: Any, scale: float) -> Any:
    return number * (1 / scale)


def _real(number: Any, scale: float) -> Any:
    return number / scale


def numbers(floats: Any, nearest: Nearest) -> Any:
    """A float as one number, floats (N,) as N; what a format leaves unrounded stays as it is."""
    if nearest is _same:
        return floats
    found: NDArray[Any] = np.asarray(nearest(np.atleast_1d(np.asarray(floats, np.float64))))
    return found.astype(np.int64) if np.ndim(floats) else int(found[0])
