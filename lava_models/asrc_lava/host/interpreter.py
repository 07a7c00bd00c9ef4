"""Which Python Lava runs in: this one, or on Python 3.11 and later one of version 3.10, made by uv once.

Lava imports on Python 3.10 only and its upstream is archived, so whoever uses a newer Python gets an environment
beside their own: Lava and the few packages that the worker needs (no PyTorch), in the user's cache folder. The
toolchain itself is not installed there: the worker imports the caller's own source (see `link_packages`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from asrc_core.contract import neurons
from asrc_core.errors import BackendMissing
from asrc_core.files.user_cache import user_cache
from asrc_lava.boards import sdk

OVERRIDE = "ASRC_LAVA_PYTHON"
"""An environment variable that names the Python to use instead, for machines that uv cannot download to."""
LAST_PYTHON = (3, 10)
REQUIREMENTS = ("lava-nc>=0.10,<0.11", "numpy>=1.26", "pydantic>=2.12", "safetensors>=0.5")
"""What the worker imports, with the version limits of this distribution."""
PACKAGES = ("asrc_core", "asrc_lava")
WAY_OUT = f"install uv, or name a Python 3.10 that has lava-nc, pydantic and safetensors in {OVERRIDE}"


def command() -> tuple[str, ...]:
    """The interpreter for Lava's worker and its flags.

    Makes the environment if there is none yet, and says so on stderr. Raises BackendMissing.
    """
    if named := os.environ.get(OVERRIDE):
        if shutil.which(named) is None:
            raise BackendMissing("lava", f"{OVERRIDE} names '{named}', which is not a program", WAY_OUT)
        return _isolated(os.path.abspath(shutil.which(named) or named))
    if sdk.why_no_lava() is None or sys.version_info[:2] <= LAST_PYTHON:
        sdk.require_lava()
        return (sys.executable,)
    return _isolated(str(_environment()))


def link_packages(folder: Path) -> None:
    """Links to this toolchain's packages in ``folder``, from which a worker that starts there imports them.

    So caller and worker are of one version, and nothing else of the caller's Python is visible to the worker's but
    further kinds of neurons: the files of all folders `asrc_kinds` on the caller's path, linked into one.
    """
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        (folder / package).symlink_to(Path(spec.origin).resolve().parent, target_is_directory=True)
    kinds = folder / neurons.MORE
    kinds.mkdir()
    for each in neurons.folders():
        for file in Path(each).iterdir():
            # The first on the path counts, as in an import.
            if file.name != "__pycache__" and not (kinds / file.name).exists():
                (kinds / file.name).symlink_to(file.resolve())


def _isolated(python: str) -> tuple[str, ...]:
    return python, "-E"  # PYTHONPATH and PYTHONHOME are meant for the caller's Python


def environments() -> Path:
    """The folder that the environments are kept in; anything in it may be deleted."""
    return user_cache()


def _environment() -> Path:
    """The Python of the environment for these requirements, made if it is not there yet."""
    mark = hashlib.sha256("\n".join(REQUIREMENTS).encode()).hexdigest()[:8]
    finished = environments() / f"lava-python3.10-{mark}"
    python = finished / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
        if uv is None:
            raise BackendMissing(
                "lava", f"{sdk.why_no_lava()}, and uv, which could make one, is not installed", WAY_OUT
            )
        print(
            f"asrc: Lava needs Python 3.10; making an environment for it in {finished} (once, about a minute)",
            file=sys.stderr,
            flush=True,
        )
        _make(uv, finished)
    return python


def _make(uv: str, finished: Path) -> None:
    """Make the environment under another name and rename it when it is whole: whoever comes first wins."""
    try:
        finished.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=finished.parent) as folder:
            made = Path(folder) / "environment"
            _run(uv, "venv", "--python", "3.10", "--no-project", str(made))
            _run(uv, "pip", "install", "--python", str(made / "bin" / "python"), *REQUIREMENTS)
            try:
                made.rename(finished)
            except OSError:
                if not finished.exists():  # it does if another run was faster
                    raise
    except OSError as error:
        why = f"no environment for it could be made in '{finished.parent}' ({error.strerror})"
        raise BackendMissing("lava", why, WAY_OUT) from error


def _run(uv: str, *arguments: str) -> None:
    # Not in the caller's folder: its .python-version and uv settings are about another environment.
    done = subprocess.run(  # noqa: S603  # no shell
        [uv, *arguments], cwd=environments(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        why = f"uv could not make an environment for it ({said[max(0, said.find('error')) :][:300]})"
        raise BackendMissing("lava", why, WAY_OUT)
