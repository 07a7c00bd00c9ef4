"""The step of a layer's neurons as a C function over all of them.

What a kind's file says stands in the text; what a network's file says does not: parameters go to the function as
arrays, one number for each neuron. So all layers whose kind, choices and register widths agree share one compiled
function, whatever network they are in, and nothing from a network's file ever reaches the compiler.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import Layer
from asrc_core.contract.neurons.kind import Number, Parameters, Step
from asrc_core.contract.numbers import REGISTER_MAX, Ints
from asrc_core.contract.operations.intervals import Interval
from asrc_core.contract.proof import LayerRanges
from asrc_export.codegen.c.operations import COperations, Term, c_type, register_bits

FUNCTION = "asrc_step"


@dataclass(frozen=True, eq=False)
class PrintedStep:
    """A layer's step: the text of the function `FUNCTION`, and the data to call it with."""

    text: str
    constants: tuple[NDArray[np.signedinteger[Any]], ...]
    """As wide as the text takes them: a number for each neuron, or the entries of a table."""
    states: tuple[type[np.signedinteger[Any]], ...]
    """Types of the states' arrays, in the kind's order."""


def printed(layer: Layer, ranges: LayerRanges, order: Ints | None = None) -> PrintedStep:
    """The function of a layer::

        int64_t asrc_step(int64_t from, int64_t end, const int32_t *a, void *const *states,
                          const void *const *constants, int8_t *sent, int32_t *shown)

    advances neurons ``from`` to ``end`` by one step, given the sums ``a`` of the connections of these, and tells what
    they show; it returns how many saturations there were. ``sent`` is not written to if the kind sends nothing.
    ``order``: the neurons in the order in which they lie there, if not that of the network.
    """
    kept = _Constants(order)
    operations = COperations(kept.each_neuron, kept.table)
    names = list(ranges.states)
    before = {name: Term(f"v{i}", Interval(*ranges.each_state[name])) for i, name in enumerate(names)}
    total = Term("a[i - from]", Interval(*ranges.each_total))
    after = layer.neuron.of_kind.step(operations, for_each_neuron(layer, once=True), before, total)
    done = [operations.term(after.states[name]).text for name in names]
    widths = [register_bits(before[name].bounds) for name in names]
    arrays = [f"{c_type(bits)} *restrict s{i} = states[{i}];" for i, bits in enumerate(widths)]
    arrays += [kept.declared(i) for i in range(len(kept.arrays))]
    loads = [f"const {c_type(bits)} v{i} = s{i}[i];" for i, bits in enumerate(widths)]
    stores = [f"s{i}[i] = ({c_type(bits)})({each});" for i, (bits, each) in enumerate(zip(widths, done, strict=True))]
    text = _TEXT.format(
        function=FUNCTION,
        arrays=lines(arrays, 1),
        body=lines([*loads, *operations.statements, *stores, *_outputs(operations, after)], 2),
    )
    return PrintedStep(text, tuple(kept.arrays), tuple(_TYPES[bits] for bits in widths))


_TYPES: dict[int, type[np.signedinteger[Any]]] = {32: np.int32, 64: np.int64}

_TEXT = """\
#include <stdint.h>

int64_t {function}(int64_t from, int64_t end, const int32_t *restrict a, void *const *states,
                  const void *const *constants, int8_t *restrict sent, int32_t *restrict shown);

int64_t {function}(int64_t from, int64_t end, const int32_t *restrict a, void *const *states,
                  const void *const *constants, int8_t *restrict sent, int32_t *restrict shown) {{
{arrays}
    int32_t saturated = 0;
    (void)states, (void)constants, (void)sent;
    for (int64_t i = from; i < end; i++) {{
{body}
    }}
    return saturated;
}}
"""


class _Constants:
    """Arrays that the text needs, each as wide as it has to be; one that comes twice is kept once. Of one entry are
    those that all neurons share: they are read once, and not for each neuron.
    """

    def __init__(self, order: Ints | None) -> None:
        self.arrays: list[NDArray[np.signedinteger[Any]]] = []
        self._given: list[Ints] = []
        self._tables: set[int] = set()
        self._order = slice(None) if order is None else order

    def each_neuron(self, values: Ints) -> str:
        return self._kept(values, slice(None)) if values.size == 1 else f"{self._kept(values, self._order)}[i]"

    def table(self, entries: Ints) -> str:
        name = self._kept(entries, slice(None))
        self._tables.add(int(name[1:]))
        return name

    def declared(self, i: int) -> str:
        """The array, or the one number of it, as the text begins with it."""
        form = c_type(_bits(self.arrays[i]))
        if i in self._tables or self.arrays[i].size > 1:
            return f"const {form} *restrict k{i} = constants[{i}];"
        return f"const {form} k{i} = *(const {form} *)constants[{i}];"

    def _kept(self, entries: Ints, order: slice | Ints) -> str:
        found = next((i for i, each in enumerate(self._given) if each is entries), len(self._given))
        if found == len(self._given):
            self._given.append(entries)
            fits = int(np.abs(entries).max()) <= REGISTER_MAX
            self.arrays.append(np.ascontiguousarray(entries[order], np.int32 if fits else np.int64))
        return f"k{found}"


def for_each_neuron(layer: Layer, *, once: bool = False) -> Parameters:
    """The parameters with one number for each neuron wherever the kind takes that, so that none stands in the text but
    the 0 of what does not decay, of which a step is shorter. ``once``: an array of one number where all share it.
    """
    forms = layer.neuron.of_kind.parameters
    return {
        name: _spread(value, 1 if once else layer.neurons)
        if _may_differ(forms[name]) and not (name == "decay" and np.ndim(value) == 0 and value == 0)
        else value
        for name, value in layer.neuron.parameters.items()
    }


def _spread(value: Any, many: int) -> Any:
    """A number as an array of so many. One number for each neuron stays, but once where all are the same."""
    if np.ndim(value) == 0:
        return np.full(many, value, np.int64)
    return value[:1] if many == 1 and (value == value[0]).all() else value


def _may_differ(form: object) -> bool:
    return isinstance(form, Number) and form.each


def _outputs(operations: COperations, after: Step) -> list[str]:
    sent = [] if after.sent is None else [f"sent[i] = (int8_t)({operations.term(after.sent).text});"]
    return [*sent, f"shown[i - from] = (int32_t)({operations.term(after.shown).text});"]


def _bits(values: NDArray[np.signedinteger[Any]]) -> int:
    return 8 * values.dtype.itemsize


def lines(statements: Iterable[str], depth: int) -> str:
    """One below the other, indented."""
    return "\n".join("    " * depth + each for each in statements)
