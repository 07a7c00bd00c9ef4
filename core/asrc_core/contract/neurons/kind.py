"""What a kind of neuron is: parameters, states, and one step written on the contract's operations.

A kind is one file with a ``KIND``; the file's name is the kind's. Every backend runs its ``step``: NumPy, generated C,
ONNX Runtime, Lava, PyTorch, and intervals, which prove how wide each register has to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from asrc_core.contract.numbers import MAX_COLUMNS, MAX_TABLE, STATE_MAX, WORD, Ints
from asrc_core.contract.operations.operations import Operations, Value
from asrc_core.contract.rounding.constants import Constant, Constants, Meant, Rounding
from asrc_core.counts import plural
from asrc_core.errors import InvalidNetwork

Parameters: TypeAlias = Mapping[str, Any]
"""A number, or one for each neuron (N,), int64; several for each (N, K); the name of a choice; the entries of a table,
or None."""
Bounds: TypeAlias = tuple[Ints, Ints]
"""Least and greatest value of a quantity, one of each for every neuron, (N,)."""
States: TypeAlias = Mapping[str, "int | str"]
"""Width of each state in bits, two's complement (a state of 24 bits keeps to +-(2^23 - 1)); or ``WORD``, the word
of the neuron's last 32 spikes, which a delay line reads, too."""


@dataclass(frozen=True)
class Number:
    """A whole number from ``low`` to ``high``: one for the layer or, where ``each`` says so, one for each neuron.

    ``later``: a file leaves it out where it is the default, since files were written before there was such a parameter.
    """

    low: int
    high: int
    default: int | None = None
    each: bool = True
    later: bool = False

    def checked(self, at: str, name: str, value: Any, neurons: int) -> int | Ints:
        """The value as an int, or as an int64 array (N,) that nobody can write to. Raises InvalidNetwork."""
        array = np.asarray(value)
        if array.dtype.kind not in "iu":
            of_type = "text" if array.dtype.kind == "U" else f"of type {array.dtype}"
            raise InvalidNetwork(at, f"{said(name)} is {of_type}, not a whole number")
        if array.shape not in ((), (neurons,)) or (array.ndim and not self.each):
            many = (
                f"neither one number nor one for each of its {plural(neurons, 'neuron')}"
                if self.each
                else "not one number"
            )
            raise InvalidNetwork(at, f"{said(name)} has shape {array.shape}, {many}")
        low, high = int(array.min()), int(array.max())
        if low < self.low or high > self.high:
            beyond = low if low < self.low else high
            raise InvalidNetwork(at, f"{said(name)} {beyond} is outside {self.low} to {self.high}")
        return int(array) if array.ndim == 0 else frozen(array)


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    names: tuple[str, ...]
    default: str | None = None

    def checked(self, at: str, name: str, value: Any, neurons: int) -> str:
        """The name. Raises InvalidNetwork."""
        if not isinstance(value, str) or value not in self.names:  # an array is neither equal nor not
            raise InvalidNetwork(at, f"{said(name)} '{value}' is neither of {', '.join(self.names)}")
        return str(value)


@dataclass(frozen=True)
class Table:
    """A look-up table of at most 1,024 whole numbers from ``low`` to ``high``, or none where it may be left out."""

    low: int
    high: int
    optional: bool = False
    default: None = None

    def checked(self, at: str, name: str, value: Any, neurons: int) -> Ints | None:
        """The entries, int64. Raises InvalidNetwork."""
        if value is None and self.optional:
            return None
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise InvalidNetwork(at, f"{said(name)} is not a list of whole numbers")
        if not 1 <= array.size <= MAX_TABLE:
            raise InvalidNetwork(at, f"{said(name)} has {plural(array.size, 'entry')}, beyond 1 to {MAX_TABLE}")
        if array.min() < self.low or array.max() > self.high:
            raise InvalidNetwork(at, f"{said(name)} has an entry outside {self.low} to {self.high}")
        return frozen(array)


@dataclass(frozen=True)
class Columns:
    """Several whole numbers from ``low`` to ``high`` for each neuron, (N, K), 1 <= K <= 8, or none where they may be
    left out. A step reads them with `columns`. All columns ``of`` the same thing have the same K.
    """

    low: int
    high: int
    of: str
    optional: bool = False
    default: None = None
    most: int = MAX_COLUMNS

    def checked(self, at: str, name: str, value: Any, neurons: int) -> Ints | None:
        """The numbers, int64. Raises InvalidNetwork."""
        if value is None and self.optional:
            return None
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.ndim != 2 or len(array) != neurons:
            why = f"of type {array.dtype} and shape {array.shape}, not whole numbers for each of its {neurons} neurons"
            raise InvalidNetwork(at, f"{said(name)} is {why}")
        if not 1 <= array.shape[1] <= self.most:
            raise InvalidNetwork(at, f"{said(name)} has {array.shape[1]} {self.of}s, beyond 1 to {self.most}")
        outside = (array < self.low) | (array > self.high)
        if outside.any():
            neuron, column = (int(each[0]) for each in np.nonzero(outside))
            number = f"{said(name)} {array[neuron, column]} of neuron {neuron}"
            raise InvalidNetwork(at, f"{number} is outside {self.low} to {self.high}")
        return frozen(array)


Form: TypeAlias = "Number | Choice | Table | Columns"


def columns(values: Any) -> list[Any]:
    """The columns (N,) of `Columns`; none where they are left out."""
    return [] if values is None else [values[:, k] for k in range(values.shape[1])]


def of_each_neuron(form: Form) -> bool:
    """Whether the first axis of a parameter, where it has one, is the neurons."""
    return isinstance(form, Columns) or (isinstance(form, Number) and form.each)


class Step(NamedTuple):
    """Outcome of one step of a layer's neurons."""

    states: Mapping[str, Value]
    """The next states, under the same names."""
    sent: Value | None
    """What is sent to whoever is connected: a spike (0 or 1), a small integer, or None from a readout."""
    shown: Value
    """What a trace shows of the step: the membrane before reset, or a readout's accumulator."""


@dataclass(frozen=True)
class Kind:
    """A kind of neuron.

    step(o, p, states, a): the next states, the message and the shown value, from the states and the sum ``a`` of all
    connections, on the operations ``o``. Parameters are plain numbers and arrays: the operations take them as operands.

    invariant(p, low, high): bounds of states that hold at every step, given bounds of ``a``. Only proposed: intervals
    check that a step never leaves them, and without them (or where they fail) each state's whole width is assumed.

    registers(p, low, high): sums that some engine forms in another order than ``step``, by name; each must provably
    fit in 32 bits.

    unsaturated(p, low, high, steps): bounds of the shown value after so many steps if nothing saturated.

    room: of neurons whose states nothing keeps from growing, so that no scale rules saturation out: how many times the
    largest sum that one step can add they hold before they saturate; a number, or by the parameters. None of neurons
    that must not saturate.

    consistent(at, p): raises InvalidNetwork, naming the layer as ``at``, for parameters that do not go together.

    constants: the floats of a trained neuron, and which parameter stands for each. at_scale(constants, rounding): the
    parameters that no single constant stands for, such as tables and the target's activation shift; the constants that
    have no `Constant` are its own to round. meant(p, scale, constants): what such parameters stand for.
    """

    parameters: Mapping[str, Form]
    states: States | Callable[[Parameters], States]
    step: Callable[[Operations, Parameters, Mapping[str, Value], Value], Step]
    sends: tuple[int, int] | None = (0, 1)
    invariant: Callable[[Parameters, Ints, Ints], Mapping[str, Bounds]] | None = None
    registers: Callable[[Parameters, Ints, Ints], Mapping[str, Bounds]] | None = None
    unsaturated: Callable[[Parameters, Ints, Ints, int], Bounds] | None = None
    room: int | Callable[[Parameters], int | None] | None = None
    consistent: Callable[[str, Parameters], None] | None = None
    constants: Mapping[str, Constant] = field(default_factory=dict)
    at_scale: Callable[[Constants, Rounding], Mapping[str, Any]] | None = None
    meant: Callable[[Parameters, float, Constants], Iterable[Meant]] | None = None

    def rounded(self, constants: Constants, at: Rounding) -> dict[str, Any]:
        """The parameters that stand for a trained neuron's floats. Raises Unfit for what a format does not hold."""
        more = {} if self.at_scale is None else self.at_scale(constants, at)
        return {
            self.constants[name].parameter: self.constants[name].rounded(value, at)
            for name, value in constants.items()
            if self.at_scale is None or name in self.constants  # the others are its own to round
        } | dict(more)

    def room_of(self, parameters: Parameters) -> int | None:
        """``room`` of neurons with these parameters."""
        return self.room(parameters) if callable(self.room) else self.room

    def stands_for(self, parameters: Parameters, scale: float) -> dict[str, Any]:
        """The floats that parameters stand for, in this kind's order; of an optional one that is left out, none."""
        stated = {name: each for name, each in self.constants.items() if parameters[each.parameter] is not None}
        return {name: each.stands_for(parameters[each.parameter], scale) for name, each in stated.items()}

    def states_of(self, parameters: Parameters) -> States:
        """The states that neurons with these parameters have."""
        return self.states(parameters) if callable(self.states) else self.states

    def checked(self, at: str, parameters: Parameters, neurons: int) -> dict[str, Any]:
        """All parameters, in this kind's order, defaults filled in. Raises InvalidNetwork."""
        unknown = sorted(parameters.keys() - self.parameters.keys())
        if unknown:
            raise InvalidNetwork(at, f"it has no parameter '{unknown[0]}'; it has {', '.join(self.parameters)}")
        given = {name: parameters.get(name, form.default) for name, form in self.parameters.items()}
        for name, form in self.parameters.items():
            if given[name] is None and not (isinstance(form, Table | Columns) and form.optional):
                raise InvalidNetwork(at, f"its parameter '{name}' is missing")
        checked = {name: form.checked(at, name, given[name], neurons) for name, form in self.parameters.items()}
        _require_alike(at, self.parameters, checked)
        if self.consistent is not None:
            self.consistent(at, checked)
        return checked


def _require_alike(at: str, forms: Mapping[str, Form], checked: Parameters) -> None:
    """That columns of the same thing are equally many."""
    first: dict[str, str] = {}
    for name, form in forms.items():
        if isinstance(form, Columns) and checked[name] is not None:
            other = first.setdefault(form.of, name)
            mine, others = (checked[each].shape[1] for each in (name, other))
            if mine != others:
                raise InvalidNetwork(at, f"{said(name)} has {mine} {form.of}s, and {said(other)} {others}")


def whole_range(width: int | str) -> tuple[int, int]:
    """Least and greatest value of a state of that width: symmetric, so that saturation and negation stay inside."""
    if width == WORD:
        return 0, 2**32 - 1
    high = 2 ** (int(width) - 1) - 1
    return -high, high


def said(name: str) -> str:
    """A parameter's name in a sentence."""
    return name.replace("_", " ")


def frozen(values: Any) -> Ints:
    """The values as an int64 array in C order that nobody can write to."""
    array: Ints = np.array(values, np.int64, order="C")
    array.flags.writeable = False
    return array


BIAS = Number(-STATE_MAX, STATE_MAX)
CURRENT_BIAS = Number(-STATE_MAX, STATE_MAX, default=0, later=True)
"""What joins a current that lasts in every step."""
DECAY = Number(0, 4096)
"""In 1/4096: 0 keeps everything, 4096 forgets it."""
ACTIVATION_SHIFT = Number(0, 16)


def shifted(constants: Constants, at: Rounding) -> Mapping[str, Any]:
    """`at_scale` of kinds that shift what arrives as the target does."""
    return {"activation_shift": at.activation_shift}
