"""Other frameworks' own environments, made when a test asks for one, and what their peers there wrote.

Pure packages go without their dependencies into a folder of their own, in front of this environment's packages, of
which they use PyTorch. A framework that needs a newer Python gets an environment. Folders are kept between runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "interop"
USERS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = Path(os.environ.get("ASRC_FRAMEWORKS") or USERS / "asrc" / "frameworks")


@dataclass(frozen=True)
class Peer:
    """A framework with the packages that it takes; ``python``: the version of an environment of its own."""

    name: str
    packages: tuple[str, ...] = ()
    python: str | None = None


@dataclass(frozen=True)
class Network:
    """One of a peer's networks: its file, its input (T, B, channels), its layers' spikes (T, B, N), how to read it."""

    seed: int
    path: Path
    x: Any
    spikes: list[Any]
    how: dict[str, Any]


PEERS = (
    Peer("snntorch"),
    Peer("norse"),
    Peer("sinabs", ("sinabs==3.1.3", "pbr==6.1.1")),
    Peer("rockpool", ("rockpool==3.1.0",)),
    Peer("spikingjelly", ("spikingjelly==2.0.0", "loguru==0.7.3")),
    Peer("spyx", ("spyx==1.0.0", "nir==1.0.8"), python="3.12"),
    Peer("nengo", ("nengo==4.1.0",)),
    Peer("brian2", ("brian2==2.9.0", "numpy==1.26.4", "nir==1.0.8"), python="3.12"),
)


LAVA = Peer("lava-dl")


def networks(peer: Peer, folder: Path) -> Iterator[Network]:
    """What the peer makes in its environment. Skips the test, with the reason, where packages cannot be had."""
    yield from written(peer, folder, ".nir")


def written(peer: Peer, folder: Path, suffix: str) -> Iterator[Network]:
    """The same of a peer whose files end otherwise."""
    _script(peer, "peers", folder)
    for file in sorted(folder.glob(f"*{suffix}"), key=lambda each: int(each.stem)):
        arrays, how = np.load(file.with_suffix(".npz")), file.with_suffix(".json")
        spikes = [arrays[f"layer{i}"] for i in range(len(arrays.files) - 1)]
        told = json.loads(how.read_text()) if how.exists() else {}
        yield Network(int(file.stem), file, arrays["x"], spikes, told)


def read_there(peer: Peer, folder: Path) -> dict[int, Any]:
    """What the networks of a folder's graphs put out in the framework that reads them, by the graphs' numbers."""
    _script(peer, "readers", folder)
    return {int(each.name.split(".")[0]): np.load(each) for each in folder.glob("*.out.npy")}


def _script(peer: Peer, kind: str, folder: Path) -> None:
    python, path = _environment(peer)
    done = subprocess.run(
        [python, "-W", "ignore", str(FOLDER / kind / f"{peer.name}.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{kind} of {peer.name} failed:\n{done.stderr[-3000:]}"


def _environment(peer: Peer) -> tuple[str, str]:
    """Its Python, and the folder of its packages."""
    if not peer.packages:
        return sys.executable, ""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip(f"{peer.name} needs an environment, which takes uv; install it")
    where = CACHE / f"{peer.name}-{'-'.join(peer.packages).replace('==', '-')}"
    if peer.python is not None:
        python = where / "bin" / "python"
        if not python.exists():
            _run(peer, where, [uv, "venv", "-q", "--no-project", "--python", _interpreter(peer.python), str(where)])
            _run(peer, where, [uv, "pip", "install", "-q", "--python", str(python), *peer.packages])
        return str(python), ""
    if not where.exists():
        into = ["--target", str(where), "--no-deps", "--python-version", "3.12", "--python", sys.executable]
        _run(peer, where, [uv, "pip", "install", "-q", *into, *peer.packages])
    return sys.executable, str(where)


def _interpreter(version: str) -> str:
    """One that pyenv keeps, which need not be on the path; else the version, which uv looks for."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
    return str(kept[-1]) if kept else version


def _run(peer: Peer, where: Path, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(where, ignore_errors=True)
        pytest.skip(f"the packages of {peer.name} ({', '.join(peer.packages)}) cannot be had: {done.stderr[-300:]}")
