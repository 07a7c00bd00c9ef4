"""Lava on a Python other than the caller's: found or made once, fed by files, with the same bits."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lava_parity import assert_equal_to_reference

from asrc_core.contract.random_network import random_network
from asrc_core.errors import BackendFailed, BackendMissing
from asrc_lava.boards import sdk
from asrc_lava.host import interpreter, run

needs_lava = [pytest.mark.lava, pytest.mark.skipif(sdk.why_no_lava() is not None, reason=str(sdk.why_no_lava()))]


@pytest.fixture
def newer_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This interpreter believes itself to be one that Lava cannot be imported on; the cache folder it would use."""
    monkeypatch.delenv(interpreter.OVERRIDE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sdk, "why_no_lava", lambda: "lava-nc imports on Python 3.10 only and this is 3.13")
    monkeypatch.setattr(interpreter, "LAST_PYTHON", (3, 9))
    return tmp_path / "asrc"


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class TestOnLava:
    pytestmark = needs_lava

    def test_a_worker_on_a_named_python_gives_the_same_bits(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The named one records that it was called; it sees the caller's source and nothing of its PYTHONPATH."""
        named = program(tmp_path / "python", f'echo "$@" > {tmp_path}/called\nexec {sys.executable} "$@"')
        (tmp_path / "numpy.py").write_text("raise SystemExit('the PYTHONPATH of another Python')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv(interpreter.OVERRIDE, str(named))
        network = random_network(3, channels=2, widths=(9, 7), spans=(2, 5), steps=12)
        x = np.random.default_rng(0).integers(0, 256, (3, 12, 2), np.int32)
        assert_equal_to_reference([(network, x)], "single")
        assert_equal_to_reference([(network, x)], "batched")
        assert (tmp_path / "called").read_text().startswith("-E -m asrc_lava.host.worker ")

    def test_this_python_is_used_where_it_has_lava(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(interpreter.OVERRIDE, raising=False)
        assert interpreter.command() == (sys.executable,)


def test_a_worker_imports_the_callers_own_source_and_no_pytorch(tmp_path: Path) -> None:
    interpreter.link_packages(tmp_path)
    code = (
        "import asrc_core.contract.file.network_file, asrc_lava.host.exchange, sys; "
        "print(asrc_lava.__file__, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-E", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "asrc_lava" / "__init__.py"), "False"]


def test_its_environment_holds_what_this_distribution_asks_for() -> None:
    """One definition of the version limits would be out of reach of an uninstalled tree; two are held together."""

    def parts(requirement: str) -> tuple[str, frozenset[str]]:
        name, limits = re.fullmatch(r"([\w-]+)([^;]*).*", requirement).groups()  # type: ignore[union-attr]
        return name, frozenset(limit.strip() for limit in limits.split(","))

    ours = {parts(each) for each in importlib.metadata.requires("asrc-toolchain") or ()}
    assert {parts(each) for each in interpreter.REQUIREMENTS} <= ours


class TestMadeByUv:
    """With a program in uv's place that writes down how it was called and lays out a Python."""

    def uv(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: str = "") -> Path:
        folder = tmp_path / "programs"
        folder.mkdir()
        log = folder / "log"
        make = 'if [ "$1" = venv ]; then for last; do :; done; mkdir -p "$last/bin"; touch "$last/bin/python"; '
        program(folder / "uv", f'echo "$@" >> {log}\n{make}else true; {install} fi')
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
        return log

    def test_once_and_told_on_the_terminal(
        self,
        newer_python: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        log = self.uv(tmp_path, monkeypatch)
        python, flag = interpreter.command()
        assert flag == "-E"
        assert Path(python).is_relative_to(newer_python)
        assert Path(python).exists()
        assert "making an environment for it in" in capsys.readouterr().err
        venv, install = log.read_text().splitlines()
        assert "venv --python 3.10" in venv
        assert all(requirement in install for requirement in interpreter.REQUIREMENTS)
        assert interpreter.command() == (python, flag)
        assert capsys.readouterr().err == ""
        assert len(log.read_text().splitlines()) == 2
        assert [path.name for path in newer_python.iterdir()] == [Path(python).parent.parent.name]

    def test_a_failure_is_one_sentence_and_leaves_nothing_half_made(
        self, newer_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.uv(tmp_path, monkeypatch, install="echo no such package >&2; exit 2;")
        with pytest.raises(
            BackendMissing, match=r"uv could not make an environment for it .*no such package"
        ) as raised:
            interpreter.command()
        assert "\n" not in str(raised.value)
        assert list(newer_python.iterdir()) == []

    def test_a_cache_folder_that_cannot_be_written(
        self, newer_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.uv(tmp_path, monkeypatch)
        newer_python.write_text("a file in its place")
        with pytest.raises(BackendMissing, match=f"no environment for it could be made in '{newer_python}'"):
            interpreter.command()

    def test_without_uv_the_sentence_says_what_to_install(
        self, newer_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.uv(tmp_path, monkeypatch)
        shutil.rmtree(tmp_path / "programs")
        with pytest.raises(BackendMissing, match="uv, which could make one, is not installed; install uv, or name"):
            interpreter.command()


def test_a_named_python_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(interpreter.OVERRIDE, "no-such-python")
    with pytest.raises(BackendMissing, match="names 'no-such-python', which is not a program"):
        interpreter.command()


def test_a_named_python_without_lava_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = program(tmp_path / "python", "echo \"ModuleNotFoundError: No module named 'lava'\" >&2; exit 1")
    monkeypatch.setenv(interpreter.OVERRIDE, str(named))
    network = random_network(0, widths=(2,), spans=(1,), steps=2)
    with pytest.raises(BackendFailed, match="No module named 'lava'"):
        run.run(network, np.ones((1, 2, 1), int))
