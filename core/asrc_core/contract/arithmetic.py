"""The integer contract in Python: one function per operation, all on NumPy int64 arrays.

docs/arithmetic.md is the statement, this is the definition that the NumPy engine, the Lava process
models and the tests' oracle share. Other engines are held to it bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

CONTRACT_VERSION = 2

STATE_MAX = 2**23 - 1
"""Largest magnitude of a membrane or readout accumulator: 24 bits signed."""
DECAY_ONE = 4096
LINE_BITS = 32
SYNAPTIC_DELAY_MAX = 62
REGISTER_MAX = 2**31 - 1
"""Bound that every sum before saturation provably obeys in a valid network."""

MAX_TAPS = 8
MAX_MESSAGE = 127
"""Greatest sum of a layer's tap weights: what a neuron sends back to its layer is then a number of at most 7 bits."""

Mapping = Literal["delay-line", "synaptic-delay"]
Reset = Literal["soft", "hard"]
Ints = NDArray[np.int64]
_Number = TypeVar("_Number", bound=np.generic)

MAX_SPAN: dict[Mapping, int] = {"delay-line": LINE_BITS, "synaptic-delay": SYNAPTIC_DELAY_MAX + 1}


class Tap(NamedTuple):
    """One of the places at which a layer's delay line is heard: how many steps back, and how many times it counts."""

    span: int
    weight: int


def shift(a: Ints, exponent: int) -> Ints:
    """A 2^e, rounded down: left shift for e >= 0, arithmetic right shift for e < 0."""
    return a << exponent if exponent >= 0 else a >> -exponent


def decay(v: Ints, d: int) -> Ints:
    """sign(v) floor(|v| (4096 - d) / 4096): the chip's 12-bit decay, which rounds toward zero."""
    kept: Ints = np.sign(v) * ((np.abs(v) * (DECAY_ONE - d)) >> 12)
    return kept


def saturate(u: Ints) -> tuple[Ints, int]:
    """U clipped to 24 bits, and how many entries that changed."""
    held = np.clip(u, -STATE_MAX, STATE_MAX)
    return held, int(np.count_nonzero(held != u))


class Fired(NamedTuple):
    """Outcome of one step: membrane before reset, spikes, membrane after reset, saturations counted."""

    u: Ints
    s: Ints
    v: Ints
    saturations: int


def fire(
    v: Ints,
    a_ff: Ints,
    a_rec: Ints,
    *,
    bias: Ints,
    decay_constant: int,
    activation_shift: int,
    threshold: int,
    reset: Reset,
) -> Fired:
    """One step of a layer's neurons from the shifted sums of its two connections.

    u = saturate(decay(v, d) + ((a_ff + a_rec) << h) + b);  s = u >= theta;
    v' = u - theta s (soft) or u (1 - s) (hard). Arrays broadcast; neurons come last.
    """
    u, saturations = saturate(decay(v, decay_constant) + ((a_ff + a_rec) << activation_shift) + bias)
    s = (u >= threshold).astype(np.int64)
    return Fired(u, s, u - threshold * s if reset == "soft" else u * (1 - s), saturations)


def push(line: NDArray[np.uint32], s: Ints) -> NDArray[np.uint32]:
    """The delay line after a step: (line << 1 | s) mod 2^32."""
    return (line << np.uint32(1)) | s.astype(np.uint32)


def tap(line: NDArray[np.uint32], span: int) -> Ints:
    """Bit span - 1 of the line left by step t - 1, which is s[t - span]."""
    return ((line >> np.uint32(span - 1)) & np.uint32(1)).astype(np.int64)


def message(line: NDArray[np.uint32], taps: Sequence[Tap]) -> Ints:
    """What each neuron sends back to its layer at step t: r[t] = sum_j m_j s[t - span_j]."""
    r: Ints = np.zeros(line.shape, np.int64)
    for each in taps:
        r += each.weight * tap(line, each.span)
    return r


def recalled(spikes: NDArray[np.generic], taps: Sequence[tuple[int, float]], dtype: type[_Number]) -> NDArray[_Number]:
    """What comes back over a whole sequence, r[t] = sum_j m_j s[t - span_j], of spikes (T, ...) and taps (span_j, m_j).

    Zeros before the first step. ``dtype`` has to hold every m_j and their sum.
    """
    r: NDArray[Any] = np.zeros(spikes.shape, dtype)
    weights = np.array([weight for _, weight in taps], dtype)
    for (span, _), weight in zip(taps, weights, strict=True):
        r[span:] += weight * spikes[: max(0, len(spikes) - span)].astype(dtype)
    return r


def product(x: NDArray[np.generic], weights: NDArray[np.float64]) -> Ints:
    """X @ weights of integers through the floating-point BLAS, which NumPy lacks for integers.

    A valid network's partial sums are integers below 2^31, so double precision holds them exactly.
    """
    return (x.astype(np.float64) @ weights).astype(np.int64)


def accumulate(y: Ints, a: Ints, bias: Ints) -> tuple[Ints, int]:
    """One step of the readout: saturate(y + a + b), and the saturations counted."""
    return saturate(y + a + bias)
