"""Kinds of one's own: files in folders `asrc_kinds` on Python's path, for as long as these are on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asrc_core.contract import neurons
from asrc_core.errors import UnknownName

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
