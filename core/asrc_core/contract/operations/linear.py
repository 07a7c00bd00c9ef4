"""The operations on linear forms: of states that a step computes linearly, all that any input can make of them.

Intervals lose a rotation: the corner of a box around a circle turns out of the box. So a step is run on forms first,

    state' = M state + alpha a + constant + rest,     rest: what roundings add, between bounds,

and where the new state is such a form, inputs of any length reach at most the sum of |M^t| over all t, times what a
step adds (the L1 norm of its response). `saturate` is taken to change nothing, which the result has to confirm: by
induction nothing saturates in the first step, and so in none. Every bound is of double precision, and widened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.numbers import WORD, Ints
from asrc_core.contract.operations.operations import Operations, Shift, Value

Floats: TypeAlias = NDArray[np.float64]
Reach: TypeAlias = tuple[Ints, Ints]
"""Least and greatest value of each neuron, (N,)."""
Ends: TypeAlias = tuple[Floats, Floats]
"""The same in double precision, before it is widened."""

DRIVE, HELD = "", "#"
"""The name of ``a`` among the variables of a form, and how those of what `saturate` gives begin."""
MOST_STATES = 8
"""Of a group of states that depend on each other."""
LONGEST = 2**17
"""Steps of a response that are looked at one by one; what comes later is bounded by the norm of the last power."""
DECAYED = 2.0**-10
"""The norm of a power at which that is tight enough."""
UNKNOWN = 1e200
"""In place of a response that does not die away soon enough; times a drive of 0 it is still 0."""
CELLS = 2**20
"""Steps times neurons that are looked at together, to bound memory."""
BEYOND = 2**62
"""In place of a bound that is not known; a sum of two still fits in 64 bits."""
WIDENED = 1e-6
"""Relative: far more than double precision loses over so many steps."""


@dataclass(frozen=True, eq=False)
class Form:
    """sum of factor * variable + constant + anything from low to high; all (N,) or (1,)."""

    factors: Mapping[str, Floats]
    constant: Any
    low: Any
    high: Any
    assumes: frozenset[int] = frozenset()
    """The saturations, by their order, that must not change anything."""

    def scaled(self, by: Any) -> Form:
        """The form times a constant."""
        ends = self.low * by, self.high * by
        return Form(
            {name: factor * by for name, factor in self.factors.items()},
            self.constant * by,
            np.minimum(*ends),
            np.maximum(*ends),
            self.assumes,
        )

    def rounded(self, down: Any, up: Any) -> Form:
        """The form, less at most ``down`` or more by at most ``up``."""
        return Form(self.factors, self.constant, self.low - down, self.high + up, self.assumes)


class LinearOperations:
    """Results are `Form`, or None for what is not linear. ``saturated``: of each `saturate`, in order, its operand, its
    result, and the magnitude that it holds.
    """

    def __init__(self) -> None:
        self.saturated: list[tuple[Form | None, Form | None, float]] = []

    def add(self, a: Value, b: Value) -> Form | None:
        """`a + b`."""
        return _sum(_form(a), _form(b))

    def sub(self, a: Value, b: Value) -> Form | None:
        """`a - b`."""
        other = _form(b)
        return _sum(_form(a), None if other is None else other.scaled(-1.0))

    def mul(self, a: Value, b: Value) -> Form | None:
        """`a b`, one of them a constant."""
        x, y = _form(a), _form(b)
        if x is None or y is None:
            return None
        if _is_constant(y):
            return x.scaled(y.constant)
        return y.scaled(x.constant) if _is_constant(x) else None

    def shl(self, a: Value, k: Shift) -> Form | None:
        """`a 2^k`."""
        form = _form(a)
        return None if form is None else form.scaled(np.exp2(np.asarray(k, np.float64)))

    def floor(self, a: Value, k: Shift) -> Form | None:
        """`a / 2^k`, less by less than 1."""
        return _divided(_form(a), k, up=0.0)

    def toward_zero(self, a: Value, k: Shift) -> Form | None:
        """`a / 2^k`, less or more by less than 1."""
        return _divided(_form(a), k, up=1.0)

    def saturate(self, a: Value, bits: int = 24) -> Form | None:
        """`a`, if that is within its bits: a variable of its own, by whose bounds what is made of it is bounded."""
        form, name = _form(a), f"{HELD}{len(self.saturated)}"
        held = None if form is None else Form({name: np.ones(1)}, np.zeros(1), np.zeros(1), np.zeros(1))
        self.saturated.append((form, held, 2.0 ** (bits - 1) - 1))
        return held

    def min(self, a: Value, b: Value) -> None:
        """Not linear."""

    max = ge = and_ = or_ = min

    def not_(self, a: Value) -> None:
        """Not linear."""

    def select(self, condition: Value, a: Value, b: Value) -> None:
        """Not linear."""

    def push(self, word: Value, bit: Value) -> None:
        """Not linear."""

    mask = table = push


@dataclass(frozen=True, eq=False)
class Linear:
    """What a step is known to keep to. ``states``: bounds of the linear ones; ``saturated``: of the operand of each
    saturation, by its order, None where nothing is known. Neurons for which the proof fails have the widest bounds.
    """

    states: Mapping[str, Reach]
    saturated: Sequence[Reach | None]
    holds: NDArray[np.bool_]
    """For which neurons, (N,)."""


def reach(
    step: Callable[[Operations, Mapping[str, Value], Value], Mapping[str, Value]],
    widths: Mapping[str, int | str],
    drive: Reach,
) -> Linear:
    """What inputs of any length make of linear states, the sum of connections being within ``drive`` in each step.

    step(operations, states, a): the next states.
    """
    operations = LinearOperations()
    one, none = np.ones(1), np.zeros(1)
    numbers = {name: int(width) for name, width in widths.items() if width != WORD}
    variables = {name: Form({name: one}, none, none, none) if name in numbers else None for name in widths}
    after = step(operations, variables, Form({DRIVE: one}, none, none, none))
    parts = {f"{HELD}{i}": form for i, (form, _, _) in enumerate(operations.saturated)}
    # A state that is lost on the way is the intervals' to report.
    forms = _linear({name: _expanded(_form(after.get(name)), parts) for name in numbers})
    bounds = _reached(forms, drive)
    known, saturated = dict(bounds), list[Ends | None]()
    for i, (form, held, _) in enumerate(operations.saturated):
        state = next((name for name in bounds if held is not None and after[name] is held), None)
        ends = bounds[state] if state is not None else _boxed(form, known, drive)
        saturated.append(ends)
        if ends is not None:
            known[f"{HELD}{i}"] = ends
    holds = np.ones(len(drive[0]), bool)
    for name, each in bounds.items():
        holds &= _within(each, 2.0 ** (numbers[name] - 1) - 1)
    for place in frozenset[int]().union(*(form.assumes for form in forms.values())):
        reached = saturated[place]
        holds &= False if reached is None else _within(reached, operations.saturated[place][2])
    return Linear(
        {name: _whole(each, holds, 2 ** (numbers[name] - 1) - 1) for name, each in bounds.items()},
        [None if each is None else _whole(each, holds, BEYOND) for each in saturated],
        holds,
    )


def _expanded(form: Form | None, parts: Mapping[str, Form | None]) -> Form | None:
    """The form on states and the drive only, what `saturate` gave being taken for what it got."""
    if form is None:
        return None
    own = {name: factor for name, factor in form.factors.items() if name not in parts}
    found: Form | None = Form(own, form.constant, form.low, form.high, form.assumes)
    for name in form.factors.keys() & parts.keys():
        inner = _expanded(parts[name], parts)
        if inner is None:
            return None
        scaled = inner.scaled(form.factors[name])
        used = scaled.assumes | {int(name.removeprefix(HELD))}
        found = _sum(found, Form(scaled.factors, scaled.constant, scaled.low, scaled.high, used))
    return found


def _linear(forms: Mapping[str, Form | None]) -> dict[str, Form]:
    """Those that depend on the drive and on each other only."""
    known = {name: form for name, form in forms.items() if form is not None}
    while True:
        closed = {name: form for name, form in known.items() if form.factors.keys() <= {DRIVE, *known}}
        if len(closed) == len(known):
            return closed
        known = closed


def _groups(forms: Mapping[str, Form]) -> list[list[str]]:
    """States that depend on each other, directly or through others."""
    groups: list[set[str]] = []
    for name, form in forms.items():
        joined = {name, *(each for each in form.factors if each != DRIVE)}
        apart = [each for each in groups if not each & joined]
        groups = [*apart, joined.union(*(each for each in groups if each & joined))]
    return [sorted(each) for each in groups]


def _reached(forms: Mapping[str, Form], drive: Reach) -> dict[str, Ends]:
    """Bounds of every state of groups that are not too large, as if nothing saturated."""
    found: dict[str, Ends] = {}
    neurons = len(drive[0])
    for group in _groups(forms):
        if len(group) > MOST_STATES:
            continue
        matrix = np.zeros((neurons, len(group), len(group)))
        for i, name in enumerate(group):
            for j, other in enumerate(group):
                matrix[:, i, j] = forms[name].factors.get(other, 0.0)
        responses = response(matrix)
        low, high = np.zeros((2, neurons, len(group)))
        for j, name in enumerate(group):
            form = forms[name]
            driven = _driven(form, drive, neurons)
            ends = (np.minimum(0, driven[0] + form.low)[:, None], np.maximum(0, driven[1] + form.high)[:, None])
            constant = np.broadcast_to(form.constant, neurons)[:, None]
            rising, falling, least, most = (each[:, :, j] for each in responses)
            low += rising * ends[0] - falling * ends[1] + np.minimum(least * constant, most * constant)
            high += rising * ends[1] - falling * ends[0] + np.maximum(least * constant, most * constant)
        found |= {name: (low[:, i], high[:, i]) for i, name in enumerate(group)}
    return found


def _driven(form: Form, drive: Reach, neurons: int) -> Ends:
    factor = form.factors.get(DRIVE, 0.0)
    ends = drive[0] * factor, drive[1] * factor
    low, high = np.minimum(*ends), np.maximum(*ends)
    return np.broadcast_to(low, neurons), np.broadcast_to(high, neurons)


def _boxed(form: Form | None, bounds: Mapping[str, Ends], drive: Reach) -> Ends | None:
    """Bounds of a form, each of its variables anywhere within its own."""
    if form is None or not form.factors.keys() <= {DRIVE, *bounds}:
        return None
    low, high = _driven(form, drive, len(drive[0]))
    low, high = low + form.low + form.constant, high + form.high + form.constant
    for name, factor in form.factors.items():
        if name != DRIVE:
            ends = bounds[name][0] * factor, bounds[name][1] * factor
            low, high = low + np.minimum(*ends), high + np.maximum(*ends)
    return low, high


def response(matrices: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Of matrices (N, S, S): the sums of what is positive and of what is negative (as a magnitude) in all their powers,
    and the least and the greatest entry that a sum of the first powers can have; `UNKNOWN` where none is found.

    The search for a scale asks for the same poles again and again, so answers are kept.
    """
    return _response(np.ascontiguousarray(matrices, np.float64).tobytes(), *matrices.shape[:2])


@lru_cache(maxsize=32)  # an entry of 1,000 neurons with 8 modes takes a megabyte
def _response(matrices: bytes, neurons: int, states: int) -> tuple[Floats, Floats, Floats, Floats]:
    found = _summed(np.moveaxis(np.frombuffer(matrices).reshape(neurons, states, states), 0, 2))
    rising, falling, least, most = np.moveaxis(found, 3, 1)
    return rising, falling, least, most


def _summed(matrix: Floats) -> Floats:
    """The four, (4, S, S, N), of matrices (S, S, N): powers by doubling, until those of a neuron have decayed."""
    states, _, neurons = matrix.shape
    found = np.full((4, states, states, neurons), UNKNOWN)
    found[2] = -UNKNOWN
    left = np.arange(neurons)
    powers = np.broadcast_to(np.eye(states)[:, :, None, None], (*matrix.shape, 1))  # up to J - 1, (S, S, n, J)
    last = matrix  # M^J
    while len(left) and powers.shape[3] < LONGEST:
        powers = np.concatenate([powers, _product(powers, last[..., None])], axis=3)
        last = _product(last, last)
        norm = np.abs(last).sum(axis=1).max(axis=0)
        done = norm <= DECAYED
        if done.any():
            whole, rest = powers[:, :, done], norm[done]
            rising, falling = np.maximum(whole, 0).sum(axis=3), np.maximum(-whole, 0).sum(axis=3)
            tail = rest / (1 - rest) * (rising + falling).max(axis=0, keepdims=True)
            sums = np.cumsum(whole, axis=3)
            least, most = np.minimum(0, sums.min(axis=3)), np.maximum(0, sums.max(axis=3))
            found[:, :, :, left[done]] = rising + tail, falling + tail, least - tail, most + tail
        keeps = ~done
        if powers.shape[3] > MOST_STATES:  # a chain of states that pass on what they get has died out by then
            # Those that would take too long are not looked at any more: in the end |M^J| is the power of a radius.
            radius = np.linalg.norm(np.moveaxis(last, 2, 0), 2, axis=(1, 2))
            keeps &= radius <= DECAYED ** (powers.shape[3] / LONGEST)
        left, powers, last = left[keeps], powers[:, :, keeps], last[:, :, keeps]
        if len(left) * powers.shape[3] > CELLS and len(left) > 1:
            for part in np.array_split(left, 2):
                found[..., part] = _summed(matrix[..., part])
            break
    return found


def _product(a: Floats, b: Floats) -> Floats:
    """The matrix product over the first two axes, element by element over the others: they are small and many."""
    return np.stack(
        [np.stack([sum(a[i, k] * b[k, j] for k in range(len(b))) for j in range(len(b))]) for i in range(len(a))]
    )


def _form(value: Value) -> Form | None:
    """A result, or a constant as a form."""
    if value is None or isinstance(value, Form):
        return value
    none = np.zeros(1)
    return Form({}, np.atleast_1d(np.asarray(value, np.float64)), none, none)


def _is_constant(form: Form) -> bool:
    return not form.factors and not np.any(form.low) and not np.any(form.high)


def _sum(a: Form | None, b: Form | None) -> Form | None:
    if a is None or b is None:
        return None
    none = np.zeros(1)
    factors = {name: a.factors.get(name, none) + b.factors.get(name, none) for name in {**a.factors, **b.factors}}
    return Form(factors, a.constant + b.constant, a.low + b.low, a.high + b.high, a.assumes | b.assumes)


def _divided(form: Form | None, k: Shift, up: float) -> Form | None:
    """Divided by 2^k and rounded, less by less than 1, or more by less than ``up``."""
    if form is None:
        return None
    lost = 1 - np.exp2(-np.asarray(k, np.float64))
    return form.scaled(1 - lost).rounded(lost, lost * up)


def _within(ends: Ends, most: float) -> NDArray[np.bool_]:
    low, high = _widened(ends)
    return np.asarray((low >= -most) & (high <= most))


def _widened(ends: Ends) -> Ends:
    low, high = ends
    return np.floor(low - np.abs(low) * WIDENED), np.ceil(high + np.abs(high) * WIDENED)


def _whole(ends: Ends, holds: NDArray[np.bool_], most: int) -> Reach:
    low, high = _widened(ends)
    low, high = np.where(holds, np.maximum(low, -most), -most), np.where(holds, np.minimum(high, most), most)
    return low.astype(np.int64), high.astype(np.int64)
