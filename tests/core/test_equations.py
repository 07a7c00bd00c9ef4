"""docs/arithmetic.md: its equations are those of the code, and they compute what the code computes."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asrc_core.contract import neurons
from asrc_core.contract.neurons.kind import Choice, Columns, Kind, Number, Table, whole_range
from asrc_core.contract.numbers import CONTRACT_VERSION, STATE_MAX
from asrc_core.contract.operations import equations
from asrc_core.contract.operations.numpy import NumpyOperations

PAGE = (Path(__file__).parents[2] / "docs" / "arithmetic.md").read_text(encoding="utf-8")


def test_the_page_states_the_version_of_the_code() -> None:
    assert re.findall(r"^Version: (\d+)$", PAGE, re.MULTILINE) == [str(CONTRACT_VERSION)]


def test_the_page_holds_what_the_code_prints() -> None:
    printed = equations.page().strip()
    assert printed in PAGE, "print it again: python -m asrc_core.contract.operations.equations"


def number(value: Any) -> Any:
    """The printed divisions are exact: the roundings around them are the page's."""
    if isinstance(value, np.ndarray):
        return Entries(value.ravel().tolist())
    return Fraction(int(value)) if isinstance(value, int | np.integer) else value


class Entries(list[int]):
    """A table whose index may be an exact number of any type."""

    def __getitem__(self, index: Any) -> Any:
        assert index == int(index) >= 0, "the page asks for an entry that is there"
        return super().__getitem__(int(index))


def computed(lines: list[str], given: dict[str, Any]) -> dict[str, Any]:
    """What the printed lines say, in Python's own exact numbers."""
    names: dict[str, Any] = {
        "saturate": lambda a: max(-STATE_MAX, min(STATE_MAX, a)),
        "toward_zero": lambda a: Fraction(math.trunc(a)),
        "floor": lambda a: Fraction(math.floor(a)),
        "min": min,
        "max": max,
        "size": len,
        **{name: number(value) for name, value in given.items()},
    }
    for line in lines:
        name, right = line.split(" = ", 1)
        right = re.sub(r"(\w+)'", r"\1_next", right).replace("^", "**").replace(" mod ", " % ")
        names[name.replace("'", "_next")] = eval(right, {}, names)  # our own page's text
    return names


CASES = [(name, title) for name in neurons.OWN for title, _ in equations.variants(neurons.kind(name))]


def drawn(kind: Kind, symbols: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Numbers in place of the symbols of a variant."""
    parameters: dict[str, Any] = {}
    for name, form in kind.parameters.items():
        value = symbols[name]
        if isinstance(value, equations.TextColumns):
            assert isinstance(form, Columns)
            parameters[name] = rng.integers(form.low, form.high + 1, value.shape)
        elif not isinstance(value, equations.Text):
            parameters[name] = value
        elif isinstance(form, Table):
            parameters[name] = rng.integers(form.low, form.high + 1, 5)
        elif isinstance(form, Number):
            while parameters.get(name, form.default) == form.default:  # with it the neurons may have other states
                parameters[name] = int(rng.integers(form.low, form.high + 1))
        else:
            assert isinstance(form, Choice)
    return parameters


@pytest.mark.parametrize(("name", "title"), CASES)
def test_the_printed_equations_compute_what_the_step_computes(name: str, title: str) -> None:
    kind = neurons.kind(name)
    symbols = dict(equations.variants(kind))[title]
    lines = equations.lines_of(kind, symbols)
    assert f"{title[:1].upper()}{title[1:]}" in PAGE
    assert "\n".join(f"    {line}" for line in lines) in PAGE
    rng = np.random.default_rng(len(name) + len(title))
    for _ in range(200):
        parameters = drawn(kind, symbols, rng)
        states = {}
        for state, width in kind.states_of(parameters).items():
            low, high = whole_range(width)
            states[state] = int(rng.integers(0, 5)) if state == "step" else int(rng.integers(low, high + 1))
        a = int(rng.integers(-(2**14), 2**14))
        arrays = {state: np.array([value]) for state, value in states.items()}
        after = kind.step(NumpyOperations(), parameters, arrays, np.array([a]))
        read = computed(lines, {**parameters, **states, "a": a})
        assert read["shown"] == after.shown[0]
        assert after.sent is None or read["sent"] == after.sent[0]
        for state, value in after.states.items():
            assert read[f"{state}_next"] == value[0], state
