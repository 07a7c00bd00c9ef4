"""The operations as text: the equations of every kind of neuron in docs/arithmetic.md are its step, run on words.

`python -m asrc_core.contract.operations.equations` prints them; a test holds the page to what it prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from itertools import product
from typing import Any

from asrc_core.contract.neurons import OWN, kind
from asrc_core.contract.neurons.kind import Choice, Columns, Form, Kind, Table
from asrc_core.contract.numbers import WORD
from asrc_core.contract.operations.operations import Operations, Shift, Value

_SUM, _PRODUCT, _WHOLE = 1, 2, 3
"""How tightly a text binds: what binds less than its place asks for is put in parentheses."""


@dataclass(frozen=True, eq=False)
class Text:
    """An expression: a template over its parts, and how tightly it binds."""

    form: str
    parts: tuple[Value, ...] = ()
    binds: int = _WHOLE
    within: int = 0
    """How tightly its parts have to bind."""

    def __rsub__(self, number: int) -> Text:
        return Text("{} - {}", (number, self), _SUM, _PRODUCT)

    @property
    def size(self) -> Text:
        """Entries of a table."""
        return Text("size({})", (self,))

    def __sub__(self, number: int) -> Text:
        return Text("{} - {}", (self, number), _SUM, _PRODUCT)


class TextColumns:
    """Several numbers of a neuron, (1, K): name[0], name[1], ..."""

    def __init__(self, name: str, count: int) -> None:
        self.shape = 1, count
        self._name = name

    def __getitem__(self, place: tuple[slice, int]) -> Text:
        return Text(f"{self._name}[{place[1]}]")


class EquationOperations:
    """Every operation gives the text of itself."""

    def add(self, a: Value, b: Value) -> Text:
        """`a + b`."""
        return Text("{} + {}", (a, b), _SUM, _SUM)

    def sub(self, a: Value, b: Value) -> Text:
        """`a - b`."""
        return Text("{} - {}", (a, b), _SUM, _PRODUCT)

    def mul(self, a: Value, b: Value) -> Text:
        """`a b`."""
        return Text("{} * {}", (a, b), _PRODUCT, _PRODUCT)

    def shl(self, a: Value, k: Shift) -> Text:
        """`a 2^k`."""
        return Text("{} * 2^{}", (a, k), _PRODUCT, _PRODUCT)

    def floor(self, a: Value, k: Shift) -> Text:
        """`floor(a / 2^k)`."""
        return Text("floor({} / 2^{})", (a, k), _WHOLE, _PRODUCT)

    def toward_zero(self, a: Value, k: Shift) -> Text:
        """`a / 2^k`, rounded toward zero."""
        return Text("toward_zero({} / 2^{})", (a, k), _WHOLE, _PRODUCT)

    def saturate(self, a: Value, bits: int = 24) -> Text:
        """A within its bits."""
        return Text("saturate({})", (a,)) if bits == 24 else Text("saturate({}, {} bits)", (a, bits))

    def min(self, a: Value, b: Value) -> Text:
        """The smaller one."""
        return Text("min({}, {})", (a, b))

    def max(self, a: Value, b: Value) -> Text:
        """The greater one."""
        return Text("max({}, {})", (a, b))

    def ge(self, a: Value, b: Value) -> Text:
        """1 where a >= b."""
        return Text("1 if {} >= {} else 0", (a, b), 0, _SUM)

    def and_(self, a: Value, b: Value) -> Text:
        """1 where both hold."""
        return Text("{} and {}", (a, b), 0, _WHOLE)

    def or_(self, a: Value, b: Value) -> Text:
        """1 where one holds."""
        return Text("{} or {}", (a, b), 0, _WHOLE)

    def not_(self, a: Value) -> Text:
        """`1 - a`."""
        return Text("1 - {}", (a,), _SUM, _PRODUCT)

    def select(self, condition: Value, a: Value, b: Value) -> Text:
        """`a` where the condition holds, else `b`."""
        return Text("{1} if {0} else {2}", (condition, a, b), 0, _SUM)

    def push(self, word: Value, bit: Value) -> Text:
        """The word of spikes takes in one more."""
        return Text("(2 * {} + {}) mod 2^32", (word, bit), _PRODUCT, _PRODUCT)

    def mask(self, word: Value, k: Shift) -> Text:
        """Its latest k spikes."""
        return Text("{} mod 2^{}", (word, k), _PRODUCT, _WHOLE)

    def table(self, index: Value, entries: Value) -> Text:
        """An entry of a table."""
        return Text("{1}[{0}]", (index, entries))


def lines_of(of: Kind, parameters: Mapping[str, Any]) -> list[str]:
    """The equations of one step for these parameters, one a line, in an order in which they can be computed.

    ``a`` is the sum of all connections, and v' is what state v is after the step.
    """
    states = {name: Text(name) for name in of.states_of(parameters)}
    after = of.step(EquationOperations(), parameters, states, Text("a"))
    roots = {"shown": after.shown, **({} if after.sent is None else {"sent": after.sent})}
    roots |= {f"{name}'": value for name, value in after.states.items()}
    counted = Counter(_uses(list(roots.values())))
    names: dict[int, str] = {}
    for name, value in roots.items():
        if isinstance(value, Text) and value.parts:
            names.setdefault(id(value), name)
    printer = _Printer(names, counted)
    for name, value in roots.items():
        printer.define(name, value)
    return printer.lines


class _Printer:
    """Prints what is used more than once under a name of its own, before its first use."""

    def __init__(self, names: dict[int, str], counted: Counter[int]) -> None:
        self.lines: list[str] = []
        self._names, self._counted = names, counted
        self._defined: set[str] = set()

    def define(self, name: str, value: Value) -> None:
        """A line that gives the value its name."""
        if name in self._defined:
            return
        self._defined.add(name)
        known_as = self._names.get(id(value), name)
        if known_as != name:
            self.define(known_as, value)
        right = known_as if known_as != name else self._form(value) if isinstance(value, Text) else str(value)
        self.lines.append(f"{name} = {right}")

    def text(self, value: Value, binds: int) -> str:
        """The value in a place that asks for so tight a binding."""
        if not isinstance(value, Text):
            return str(value)
        if not value.parts:
            return value.form
        if id(value) in self._names or self._counted[id(value)] > 1:
            name = self._names.setdefault(id(value), f"t{len(self._names) + 1}")
            self.define(name, value)
            return name
        form = self._form(value)
        return f"({form})" if value.binds < binds else form

    def _form(self, value: Text) -> str:
        if not value.parts:
            return value.form
        return value.form.format(*(self.text(part, value.within) for part in value.parts))


def _uses(values: list[Value]) -> Iterator[int]:
    """The id of every expression once for each place in which it stands; what is inside it is counted once."""
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Text) and value.parts:
            yield id(value)
            if id(value) not in seen:
                seen.add(id(value))
                waiting.extend(value.parts)


def variants(of: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
    """The forms that a kind's equations take, each with its title: by its choices, and by what may be left out."""
    symbols: dict[str, Any] = {name: Text(name) for name in of.parameters}
    options: dict[str, list[tuple[str, Any]]] = {}
    same: dict[str, str] = {}
    for name, form in of.parameters.items():
        if isinstance(form, Columns):
            symbols[name] = TextColumns(name, 1)
            if same.setdefault(form.of, name) != name:
                continue  # as many as those before it
            few: tuple[str, int | None] = ("", None) if form.optional else (f"1 {form.of}", 1)
            options[name] = [few, (f"2 {form.of}s", 2)]
        elif isinstance(form, Choice):
            options[name] = [(f"{name} {value}", value) for value in form.names]
        elif isinstance(form, Table):
            options[name] = [*([("", None)] if form.optional else []), (f"with {name}", symbols[name])]
        elif form.default is not None and _changes_states(of, symbols, name, form.default):
            options[name] = [("", form.default), (f"with {name} other than {form.default}", symbols[name])]
    for chosen in product(*options.values()):
        title = ", ".join(words for words, _ in chosen if words)
        picked = {name: value for name, (_, value) in zip(options, chosen, strict=True)}
        for name, form in of.parameters.items():
            if isinstance(form, Columns):
                count = dict(zip(options, chosen, strict=True))[same[form.of]][1]
                picked[name] = None if count is None else TextColumns(name, count)
        yield title, {**symbols, **picked}


def _changes_states(of: Kind, symbols: Mapping[str, Any], name: str, default: int) -> bool:
    """Whether neurons that leave a parameter out have other states."""
    optional = {each for each in symbols if getattr(of.parameters[each], "optional", False)}
    tables = {each for each in symbols if isinstance(of.parameters[each], Table)}
    given = {**symbols, **dict.fromkeys(optional | tables)}
    return of.states_of(given) != of.states_of({**given, name: default})


def page() -> str:
    """The sections on operations and kinds of docs/arithmetic.md."""
    return _operations() + "\n## Kinds of neurons\n\n" + "\n".join(_section(each, kind(each)) for each in OWN)


def _operations() -> str:
    rows = ["## Operations", "", "| operation | value |", "| --- | --- |"]
    for name, operation in vars(Operations).items():
        if not name.startswith("_") and callable(operation):
            operands = ", ".join(list(signature(operation).parameters)[1:])
            rows.append(f"| `{name.rstrip('_')}({operands})` | {(operation.__doc__ or '').strip()} |")
    return "\n".join([*rows, ""])


def _section(name: str, of: Kind) -> str:
    rows = [f"### `{name}`", "", "| parameter | values |", "| --- | --- |"]
    rows += [f"| `{each}` | {_described(form)} |" for each, form in of.parameters.items()]
    sends = "nothing: it is a readout" if of.sends is None else f"{of.sends[0]} to {of.sends[1]}"
    rows += ["", f"Sends {sends}."]
    for title, parameters in variants(of):
        widths = of.states_of(parameters).items()
        states = ", ".join(f"`{each}` ({'32 spikes' if width == WORD else f'{width} bits'})" for each, width in widths)
        equations = lines_of(of, parameters)
        rows += [
            "",
            f"{title[:1].upper()}{title[1:]}{'; states' if title else 'States'} {states}:",
            "",
            *(f"    {line}" for line in equations),
        ]
    return "\n".join([*rows, ""])


def _described(form: Form) -> str:
    if isinstance(form, Choice):
        return " or ".join(form.names)
    if isinstance(form, Table):
        return f"1 to 1,024 numbers from {form.low} to {form.high}{', or none' if form.optional else ''}"
    if isinstance(form, Columns):
        some = f"1 to {form.most} for each neuron, one for each {form.of}{', or none' if form.optional else ''}"
        return f"{form.low:,} to {form.high:,}, {some}"
    default = "" if form.default is None else f"; {form.default} if left out"
    return f"{form.low:,} to {form.high:,}, {'one for all neurons or one for each' if form.each else 'one'}{default}"


if __name__ == "__main__":
    print(page(), end="")
