"""A connection: weights from a source, and how many steps ago what they weigh was sent.

    a[t] = shift(sum_lag W_lag x[t - lag], e)

x is what the source sends, the input or a layer. The lags are one span (``taps`` of one, weight 1), several weighted
taps, or one for every synapse (``delays``). A lag of 0 is possible only from what is computed before the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, NamedTuple

import numpy as np

from asrc_core.contract.neurons.kind import frozen, said
from asrc_core.contract.numbers import (
    MAX_EXPONENT,
    MAX_MESSAGE,
    MAX_SPAN,
    MAX_TAPS,
    MAX_WEIGHT_BITS,
    MIN_WEIGHT_BITS,
    SYNAPTIC_DELAY_MAX,
    Ints,
    Mapping,
)
from asrc_core.contract.ranges import Range
from asrc_core.contract.rounding.grid import WeightGrid
from asrc_core.contract.synapses.convolution import Convolution
from asrc_core.contract.wiring import weights_by_lag
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidNetwork, SpanTooLong

INPUT = "input"
"""The source that is no layer."""


class Tap(NamedTuple):
    """One of the lags of a connection: how many steps back, and how many times what was sent then counts."""

    span: int
    weight: int


NOW = (Tap(0, 1),)
"""What the source sends in the same step."""


@dataclass(frozen=True, eq=False)
class Connection:
    """Synapses from one source to all neurons of a layer.

    weights: (N, I), on the grid of ``weight_bits``. taps: ascending by span. delays: (N, I) lags, one for each synapse,
    in place of taps. ``mapping`` says where the spikes under way are kept: in a 32-bit word of the neuron that sends
    (delay-line), or in the synapses (synaptic-delay); with a lag of 0 it is without effect. ``convolution``: where the
    weights lie, if they come from a kernel (information, not arithmetic: the weights alone say what is computed).

    Raises InvalidNetwork for numbers that are not whole; `require` checks the rest once the layer is known.
    """

    source: str
    weights: Ints
    exponent: int
    weight_bits: int
    taps: tuple[Tap, ...] = NOW
    delays: Ints | None = None
    mapping: Mapping = "delay-line"
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        at = f"connection from '{self.source}'"
        object.__setattr__(self, "weights", whole_numbers(at, "its weights", self.weights))
        of_type(at, "its source", self.source, str)
        of_type(at, "its taps", self.taps, tuple | list)
        of_type(at, "its convolution", self.convolution, Convolution | None)
        for tap in self.taps:
            if not isinstance(tap, tuple | list) or len(tap) != 2:
                raise InvalidNetwork(at, f"its tap {tap!r} is not a span and a weight")
        taps = tuple(Tap(whole(at, "a span", lag), whole(at, "a tap's weight", times)) for lag, times in self.taps)
        object.__setattr__(self, "taps", taps)
        for name in ("exponent", "weight_bits"):
            object.__setattr__(self, name, whole(at, said(name), getattr(self, name)))
        if self.delays is not None:
            object.__setattr__(self, "delays", whole_numbers(at, "its delays", self.delays))
            object.__setattr__(self, "taps", ())

    @property
    def neurons(self) -> int:
        """N, to which it leads."""
        return int(self.weights.shape[0])

    @property
    def inputs(self) -> int:
        """I, from which it comes."""
        return int(self.weights.shape[1])

    @property
    def lags(self) -> tuple[int, ...]:
        """All lags that occur, ascending."""
        if self.delays is not None:
            return tuple(np.unique(self.delays).tolist())
        return tuple(tap.span for tap in self.taps)

    @property
    def longest_lag(self) -> int:
        """The greatest of them."""
        return self.lags[-1]

    def message(self, sent: Range) -> Range:
        """Range of what one synapse weighs in a step, if the source sends values within ``sent``."""
        times = sum(tap.weight for tap in self.taps) or 1
        return Range(sent.low * times, sent.high * times)

    def by_lag(self) -> list[tuple[int, Ints]]:
        """For every lag the weights (N, I) of what was sent so long ago; the sum over all lags is the connection's."""
        return weights_by_lag(self)


def span(lag: int) -> tuple[Tap, ...]:
    """The taps of a connection with one lag."""
    return (Tap(lag, 1),)


def require(layer: str, connection: Connection, *, shape: tuple[int, int], sent: Range | None, before: bool) -> None:
    """Raise InvalidNetwork or SpanTooLong unless the connection of that layer obeys the contract.

    ``shape``: that its neurons and its source ask for; ``sent``: range of what the source sends, None if nothing;
    ``before``: whether the source is computed before the layer within a step.
    """
    at = f"layer '{layer}', connection from '{connection.source}'"
    if sent is None:
        raise InvalidNetwork(at, f"'{connection.source}' is a readout and sends nothing")
    weights = connection.weights
    if weights.ndim != 2 or 0 in weights.shape:
        raise InvalidNetwork(at, f"weights have shape {weights.shape}, not two dimensions of at least 1")
    if weights.shape != shape:
        raise InvalidNetwork(at, f"weights have shape {weights.shape}, which does not fit neurons and source ({shape})")
    if connection.convolution is not None and connection.convolution.shape != shape:
        raise InvalidNetwork(at, f"weights have shape {shape}, and its convolution's {connection.convolution.shape}")
    within(at, "weight bits", connection.weight_bits, MIN_WEIGHT_BITS, MAX_WEIGHT_BITS)
    off = WeightGrid(connection.weight_bits).count_off(weights)
    if off:
        raise InvalidNetwork(
            at, f"{plural(off, 'weight')} {agreeing(off, 'is', 'are')} not on the {connection.weight_bits}-bit grid"
        )
    within(at, "exponent", connection.exponent, -MAX_EXPONENT, MAX_EXPONENT)
    if connection.mapping not in MAX_SPAN:
        raise InvalidNetwork(at, f"mapping '{connection.mapping}' is neither of {', '.join(MAX_SPAN)}")
    if connection.delays is not None:
        _require_delays(at, connection, shape)
    else:
        _require_taps(at, connection, sent)
    shortest = connection.lags[0]
    if shortest < 0:
        raise InvalidNetwork(at, f"a lag of {shortest} is below 0")
    if shortest < 1 and not before:
        raise InvalidNetwork(at, "a lag of 0 closes a loop without delay; a recurrent connection needs at least 1")
    require_reach(layer, connection.longest_lag, connection.mapping, before=before)
    if connection.mapping == "delay-line" and connection.longest_lag and not sent.is_bit:
        why = f"'{connection.source}' sends numbers and a delay line holds spikes, so that a lag of"
        raise InvalidNetwork(at, f"{why} {connection.longest_lag} needs the synaptic-delay mapping")


def train_within(span: int) -> str:
    """The way out of a span that is too long."""
    return f"train with `kernel_length={span}` or less (src: `span={span}`)"


def require_reach(layer: str, lag: int, mapping: Mapping, *, before: bool = False) -> None:
    """Raise SpanTooLong if the mapping cannot reach back so many steps to a source computed before, or to another."""
    limit = SYNAPTIC_DELAY_MAX if before and mapping == "synaptic-delay" else MAX_SPAN[mapping]
    if lag > limit:
        way_out = (
            f"use `mapping='synaptic-delay'` (up to {MAX_SPAN['synaptic-delay']})"
            if mapping == "delay-line" and lag <= MAX_SPAN["synaptic-delay"]
            else train_within(limit)
        )
        raise SpanTooLong(layer, lag, limit, mapping, way_out)


def _require_delays(at: str, connection: Connection, shape: tuple[int, int]) -> None:
    assert connection.delays is not None
    if connection.delays.shape != shape:
        raise InvalidNetwork(at, f"delays have shape {connection.delays.shape}, which does not fit weights of {shape}")
    if connection.mapping != "synaptic-delay":
        why = "a delay for each synapse needs the synaptic-delay mapping"
        raise InvalidNetwork(at, f"{why}, and this is {connection.mapping}")
    if connection.exponent < 0:
        # The floor of a sum is not the sum of floors, and chips shift what arrives with each delay by itself.
        raise InvalidNetwork(at, f"exponent {connection.exponent} is below 0, and each synapse has its own delay")


def _require_taps(at: str, connection: Connection, sent: Range) -> None:
    if not connection.taps:
        raise InvalidNetwork(at, "it has neither taps nor a delay for each synapse")
    spans, weights = zip(*connection.taps, strict=True)
    if len(spans) == 1:
        if weights[0] != 1:
            raise InvalidNetwork(at, f"its one tap has weight {weights[0]}, where only 1 stands for the spike itself")
        return
    if len(spans) > MAX_TAPS:
        raise InvalidNetwork(at, f"it has {plural(len(spans), 'tap')}, more than {MAX_TAPS}")
    if connection.mapping != "delay-line":
        why = f"it taps a delay line {len(spans)} times, which the {connection.mapping} mapping does not have"
        raise InvalidNetwork(at, why)
    if (sent.low, sent.high) != (0, 1):
        raise InvalidNetwork(at, f"several taps need spikes, and '{connection.source}' sends numbers")
    if spans[0] < 1 or list(spans) != sorted(set(spans)):
        raise InvalidNetwork(at, f"its taps' spans {listed(spans)} do not ascend from 1 or more")
    if min(weights) < 1 or sum(weights) > MAX_MESSAGE:
        why = f"its taps' weights {listed(weights)} are not all positive with a sum of at most {MAX_MESSAGE}"
        raise InvalidNetwork(at, why)


def listed(numbers: Sequence[int]) -> str:
    """The numbers, separated by commas."""
    return ", ".join(map(str, numbers))


def of_type(at: str, name: str, value: object, form: type[Any] | UnionType) -> None:
    """Raise InvalidNetwork for a part of another type."""
    if not isinstance(value, form):
        wanted = str(form) if isinstance(form, UnionType) else form.__name__
        raise InvalidNetwork(at, f"{name} {value!r:.40} should be of type {wanted}")


def number(at: str, name: str, value: object) -> None:
    """Raise InvalidNetwork for what is no real number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InvalidNetwork(at, f"{name} {value!r:.40} is not a number")


def whole(at: str, name: str, value: object) -> int:
    """A number of Python or NumPy as an int. Raises InvalidNetwork for any that is not whole."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidNetwork(at, f"{name} {value!r} is not a whole number")
    return int(value)


def whole_numbers(at: str, name: str, values: Any) -> Ints:
    """The values as integers that nobody can write to. Raises InvalidNetwork instead of rounding any."""
    given = np.asarray(values)
    if given.dtype.kind in "iu":
        if given.dtype == np.uint64 and given.size and int(given.max()) > np.iinfo(np.int64).max:
            raise InvalidNetwork(at, f"{name} reach {given.max()}, beyond 64 bits signed")
        return frozen(given)
    if given.dtype.kind != "f":
        raise InvalidNetwork(at, f"{name} are of type {given.dtype}, not whole numbers")
    with np.errstate(invalid="ignore"):  # of NaN and infinity, which are no whole numbers either
        made = frozen(given)
    if not np.array_equal(made, given):
        raise InvalidNetwork(at, f"{name} are of type {given.dtype}, and not all of them are whole numbers")
    return made


def within(at: str, name: str, value: int, low: int, high: int) -> None:
    """Raise InvalidNetwork for a number outside its limits."""
    if not low <= value <= high:
        raise InvalidNetwork(at, f"{name} {value} is outside {low} to {high}")
