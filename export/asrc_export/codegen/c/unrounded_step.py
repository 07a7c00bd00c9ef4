"""The step of a layer's neurons on real numbers as a C function: `RealOperations`, printed.

As in `step`, nothing from a network's file stands in the text: numbers go to the function as arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import Layer
from asrc_core.contract.numbers import Ints
from asrc_core.contract.operations.operations import Shift, Value
from asrc_export.codegen.c.step import for_each_neuron, lines

FUNCTION = "asrc_unrounded_step"


@dataclass(frozen=True, eq=False)
class PrintedStep:
    """A layer's step: the text of the function `FUNCTION`, the arrays to call it with, and how many states it has."""

    text: str
    constants: tuple[NDArray[np.float64], ...]
    states: int


@dataclass(frozen=True)
class _Name:
    """A value, as C names it."""

    text: str


class UnroundedOperations:
    """Operations that append a statement each, on doubles; ``rounding`` is that of `RealOperations`.

    Every statement is one that rounds as NumPy's does, so that both give the same doubles.
    """

    def __init__(self, *, rounding: bool) -> None:
        self.statements: list[str] = []
        self.constants: list[NDArray[np.float64]] = []
        self._rounding = rounding

    def add(self, a: Value, b: Value) -> _Name:
        """A + b."""
        return self._kept(f"{self.name(a)} + {self.name(b)}")

    def sub(self, a: Value, b: Value) -> _Name:
        """A - b."""
        return self._kept(f"{self.name(a)} - {self.name(b)}")

    def mul(self, a: Value, b: Value) -> _Name:
        """A b."""
        return self._kept(f"{self.name(a)} * {self.name(b)}")

    def shl(self, a: Value, k: Shift) -> _Name:
        """A 2^k."""
        return self._scaled(a, k, 1)

    def floor(self, a: Value, k: Shift) -> _Name:
        """A / 2^k, rounded down only with ``rounding``."""
        scaled = self._scaled(a, k, -1)
        return self._kept(f"__builtin_floor({scaled.text})") if self._rounding else scaled

    def toward_zero(self, a: Value, k: Shift) -> _Name:
        """A / 2^k, rounded toward zero only with ``rounding``."""
        scaled = self._scaled(a, k, -1)
        return self._kept(f"__builtin_trunc({scaled.text})") if self._rounding else scaled

    def saturate(self, a: Value, bits: int = 24) -> Value:
        """A, kept within +-(2^(bits - 1) - 1) only with ``rounding``."""
        if not self._rounding:
            return a
        x, most = self.name(a), f"{2 ** (bits - 1) - 1}.0"
        return self._kept(f"{x} > {most} ? {most} : {x} < -{most} ? -{most} : {x}")

    def min(self, a: Value, b: Value) -> _Name:
        """The smaller one."""
        x, y = self.name(a), self.name(b)
        return self._kept(f"{x} < {y} ? {x} : {y}")

    def max(self, a: Value, b: Value) -> _Name:
        """The greater one."""
        x, y = self.name(a), self.name(b)
        return self._kept(f"{x} > {y} ? {x} : {y}")

    def ge(self, a: Value, b: Value) -> _Name:
        """1 where a >= b."""
        return self._kept(f"{self.name(a)} >= {self.name(b)} ? 1.0 : 0.0")

    def and_(self, a: Value, b: Value) -> _Name:
        """1 where both hold."""
        return self._kept(f"{self.name(a)} != 0 && {self.name(b)} != 0 ? 1.0 : 0.0")

    def or_(self, a: Value, b: Value) -> _Name:
        """1 where one holds."""
        return self._kept(f"{self.name(a)} != 0 || {self.name(b)} != 0 ? 1.0 : 0.0")

    def not_(self, a: Value) -> _Name:
        """1 - a."""
        return self._kept(f"1.0 - {self.name(a)}")

    def select(self, condition: Value, a: Value, b: Value) -> _Name:
        """A where the condition holds, else b."""
        return self._kept(f"{self.name(condition)} != 0 ? {self.name(a)} : {self.name(b)}")

    def push(self, word: Value, bit: Value) -> _Name:
        """(2 word + bit) mod 2^32: whole numbers, which doubles hold."""
        pushed = f"((uint64_t){self.name(word)} << 1 | (uint64_t){self.name(bit)}) & 0xffffffffu"
        return self._kept(f"(double)({pushed})")

    def mask(self, word: Value, k: Shift) -> _Name:
        """Word mod 2^k."""
        return self._kept(f"(double)((uint64_t){self.name(word)} & (((uint64_t)1 << (int){self.name(k)}) - 1))")

    def table(self, index: Value, entries: Ints) -> _Name:
        """The entries at the index, linear in between, constant beyond the ends."""
        x, kept, last = self.name(index), self._constant(entries), len(entries) - 1
        if last == 0:
            return self._kept(f"{kept}[0]")
        at = self._kept(f"{x} <= 0 ? 0.0 : {x} >= {last}.0 ? {last - 1}.0 : __builtin_floor({x})").text
        low, high = f"{kept}[(int64_t){at}]", f"{kept}[(int64_t){at} + 1]"
        between = f"({high} - {low}) * ({x} - {at}) + {low}"
        return self._kept(f"{x} <= 0 ? {kept}[0] : {x} >= {last}.0 ? {kept}[{last}] : {between}")

    def name(self, value: Value) -> str:
        """An operand: a result of before, a number, or one for each neuron."""
        if isinstance(value, _Name):
            return value.text
        return f"({float(value)!r})" if np.ndim(value) == 0 else f"{self._constant(value)}[i]"

    def _scaled(self, a: Value, k: Shift, sign: int) -> _Name:
        return self._kept(f"{self.name(a)} * {self.name(2.0 ** (sign * np.asarray(k, np.float64)))}")

    def _constant(self, values: NDArray[Any]) -> str:
        self.constants.append(np.ascontiguousarray(values, np.float64))
        return f"k{len(self.constants) - 1}"

    def _kept(self, text: str) -> _Name:
        made = _Name(f"x{len(self.statements)}")
        self.statements.append(f"const double {made.text} = {text};")
        return made


def printed(layer: Layer, *, rounding: bool) -> PrintedStep:
    """The function of a layer::

        void asrc_unrounded_step(int64_t n, const double *a, double *const *states, const double *const *constants,
                                 uint8_t *sent, double *shown)

    advances n neurons by one step, given the sums ``a`` of their connections.
    """
    operations = UnroundedOperations(rounding=rounding)
    names = list(layer.neuron.states)
    before = {name: _Name(f"v{i}") for i, name in enumerate(names)}
    after = layer.neuron.of_kind.step(operations, for_each_neuron(layer), before, _Name("a[i]"))
    done = [operations.name(after.states[name]) for name in names]
    sent = [] if after.sent is None else [f"sent[i] = (uint8_t)({operations.name(after.sent)});"]
    outputs = [*sent, f"shown[i] = {operations.name(after.shown)};"]
    arrays = [f"double *restrict s{i} = states[{i}];" for i in range(len(names))]
    arrays += [f"const double *restrict k{i} = constants[{i}];" for i in range(len(operations.constants))]
    loads = [f"const double v{i} = s{i}[i];" for i in range(len(names))]
    stores = [f"s{i}[i] = {each};" for i, each in enumerate(done)]
    body = lines([*loads, *operations.statements, *stores, *outputs], 2)
    text = _TEXT.format(function=FUNCTION, arrays=lines(arrays, 1), body=body)
    return PrintedStep(text, tuple(operations.constants), len(names))


_TEXT = """\
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

void {function}(int64_t n, const double *restrict a, double *const *states, const double *const *constants,
                uint8_t *restrict sent, double *restrict shown);

void {function}(int64_t n, const double *restrict a, double *const *states, const double *const *constants,
                uint8_t *restrict sent, double *restrict shown) {{
{arrays}
    (void)states, (void)constants, (void)sent;
    for (int64_t i = 0; i < n; i++) {{
{body}
    }}
}}
"""
