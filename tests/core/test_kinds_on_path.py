"""Kinds of one's own: files in folders `asrc_kinds` while these are on Python's path; none of them is trusted."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from asrc_core.contract import neurons
from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
from asrc_core.contract.synapses.connection import Connection
from asrc_core.errors import AsrcError, UnknownName

TOY = """
from asrc_core.contract.neurons.kind import Kind, Step
KIND = Kind({}, {}, lambda o, p, state, a: Step({}, o.ge(a, 1), a))
"""


def test_a_kind_is_there_while_its_folder_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "asrc_kinds").mkdir()
    (tmp_path / "asrc_kinds" / "passing_by.py").write_text(TOY)
    before = neurons.names()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        assert set(neurons.names()) == {*before, "passing-by"}
        assert neurons.folders()[0] == str(tmp_path / "asrc_kinds")
        assert neurons.kind("passing-by").sends == (0, 1)
    assert neurons.names() == before
    neurons.kind.cache_clear()
    with pytest.raises(UnknownName, match="passing-by"):
        neurons.kind("passing-by")
    del sys.modules["asrc_kinds.passing_by"]


HEAD = """
import numpy as np
from asrc_core.contract.neurons.kind import Kind, Number, Step
def after(o, state, a, **changes):
    return Step(**{"states": {"v": state["v"]}, "sent": o.ge(a, 1), "shown": a, **changes})
"""
LIES = {
    "raises": ("raise RuntimeError('boom')", r"'asrc_kinds.liar' does not load \(RuntimeError: boom\)"),
    "no kind": ("x = 1", r"does not load \(AttributeError: .* has no attribute 'KIND'\)"),
    "no Kind": ("KIND = {}", "KIND of 'asrc_kinds.liar' is of type dict, not Kind"),
    "step raises": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: 1 / 0)",
        "'step' of its kind 'liar' fails .ZeroDivision",
    ),
    "no step": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: None)",
        "'step' of its kind 'liar' fails .AttributeError",
    ),
    "loses a state": (
        "KIND = Kind({}, {'v': 24, 'c': 24}, lambda o, p, s, a: after(o, s, a))",
        "'step' of its kind 'liar' fails .it has states v, and the kind c, v",
    ),
    "a state of a shape of its own": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a, states={'v': np.arange(3)}))",
        "'step' of its kind 'liar' fails .ValueError: .*broadcast",
    ),
    "sends nothing": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a, sent=None))",
        "its kind sends nothing and says that it does",
    ),
    "sends a constant": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a, sent=1))",
        "what it sends is a constant, not the result of an operation",
    ),
    "sends more": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a, sent=o.add(o.ge(a, 1), 1)))",
        "it could send 2, and its kind sends 0 to 1",
    ),
    "shifts too far": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a, sent=o.ge(o.floor(a, 64), 0)))",
        "`floor by k` takes 0 to 62, and could get 64",
    ),
    "a width that is none": ("KIND = Kind({}, {'v': 'wide'}, after)", "'states' of its kind 'liar' fails .ValueError"),
    "an invariant that raises": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a), invariant=lambda p, low, high: 1 / 0)",
        "'invariant' of its kind 'liar' fails .ZeroDivision",
    ),
    "an invariant of no state": (
        "KIND = Kind({}, {'v': 24}, lambda o, p, s, a: after(o, s, a), invariant=lambda p, *ends: {'q': ends})",
        "'invariant' of its kind 'liar' fails .it has states q, v, and the kind v",
    ),
}


@pytest.mark.parametrize("case", LIES)
def test_a_kind_that_fails_or_lies_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    body, says = LIES[case]
    (tmp_path / "asrc_kinds").mkdir()
    (tmp_path / "asrc_kinds" / "liar.py").write_text(f"{HEAD}\n{body}\n")
    weights = np.full((4, 4), 20)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        layers = (
            Layer("hidden", (Connection("input", weights, 0, 8),), Neuron("liar", {})),
            Layer("out", (Connection("hidden", weights, 0, 8),), Neuron("integrator", {"bias": 0})),
        )
        try:
            with pytest.raises(AsrcError, match=says) as refused:
                IntegerNetwork(InputFormat(4, 0, 1, 1.0), layers, "loihi2", 5)
        finally:
            neurons.kind.cache_clear()
            sys.modules.pop("asrc_kinds.liar", None)
    assert "\n" not in str(refused.value)
