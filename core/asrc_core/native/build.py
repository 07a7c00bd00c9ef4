"""Compile a native library beside its sources, with nothing but a C++17 compiler.

The package's build calls this before the package is installed, so it uses the standard library only. A library carries
the hash of the sources it was built from: `build` does nothing when they still agree, and a stale library is refused
when it is loaded.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"

_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra")
SHARED = Path(__file__).resolve().parent
"""The folder of the headers that all native libraries share."""
_SAME_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}


class CannotBuild(Exception):
    """There is no compiler, or it failed; ``str`` says which in one line."""


@dataclass(frozen=True)
class NativeLibrary:
    """Sources in ``folder``: files compiled for the architecture's baseline, and for each architecture those that are
    compiled with flags of their own, which the machine is asked about at run time.

    The file ``stamped`` is compiled with ``ASRC_SOURCE_HASH`` defined. Kernels get their architecture's ``if_known``
    flags, too, unless the compiler fails with them.
    """

    folder: Path
    name: str
    common: tuple[str, ...]
    stamped: str
    kernels: Mapping[str, Mapping[str, tuple[str, ...]]]
    otherwise: Mapping[str, tuple[str, ...]]
    if_known: Mapping[str, tuple[str, ...]]

    @property
    def path(self) -> Path:
        """Where the library lies."""
        return self.folder / f"{self.name}{SUFFIX}"

    def source_hash(self) -> str:
        """SHA-256 over everything that the library depends on."""
        digest = hashlib.sha256()
        sources = [*self.folder.glob("*.cpp"), *self.folder.glob("*.h"), self.folder / "build.py"]
        sources += [*SHARED.glob("*.h"), Path(__file__)]
        for path in sorted(sources):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def build(self, library: Path | None = None, extra: Sequence[str] = (), machine: str = "") -> Path:
        """Compile unless it is up to date, and return the library; it is replaced only once the new one is whole.

        ``library`` is another place to put it; ``extra`` flags come last; ``machine`` is the architecture to compile
        for, this one's unless $CXX is a cross compiler. Raises CannotBuild.
        """
        library = library or self.path
        if not extra and library.exists() and self.source_hash().encode() in library.read_bytes():
            return library
        command = compiler()
        machine = machine or platform.machine().lower()
        architecture = _SAME_MACHINE.get(machine, machine)
        kernels, more = self.kernels.get(architecture, self.otherwise), self.if_known.get(architecture, ())
        if more:
            try:
                return self._compile(library, command, {n: (*f, *more) for n, f in kernels.items()}, extra)
            except CannotBuild:
                pass
        return self._compile(library, command, kernels, extra)

    def _compile(
        self, library: Path, command: list[str], kernels: Mapping[str, tuple[str, ...]], extra: Sequence[str]
    ) -> Path:
        stamp = self.source_hash()
        files = {**kernels, **dict.fromkeys(self.common, ())}
        files[self.stamped] = (*files[self.stamped], f'-DASRC_SOURCE_HASH="{stamp}"')
        with tempfile.TemporaryDirectory(dir=library.parent, prefix=".building-") as folder:
            objects = {name: str(Path(folder, f"{name}.o")) for name in files}

            def compile_one(name: str) -> None:
                source = str(self.folder / name)
                _run([*command, *_FLAGS, f"-I{SHARED}", *files[name], *extra, "-c", source, "-o", objects[name]])

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(compile_one, files))
            linked = Path(folder, library.name)
            _run([*command, "-shared", "-pthread", *extra, *objects.values(), "-o", str(linked)])
            os.replace(linked, library)
        return library


def compiler() -> list[str]:
    """The command of $CXX, or of the first of c++, g++ and clang++ that is installed. Raises CannotBuild."""
    chosen = named_compiler("CXX")
    if chosen:
        return chosen
    found = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    if found is None:
        raise CannotBuild("there is no C++ compiler (c++, g++ or clang++, or the one that CXX names)")
    return [found]


def named_compiler(variable: str) -> list[str]:
    """The command in an environment variable, as a shell splits it; empty if there is none. Raises CannotBuild."""
    try:
        return shlex.split(os.environ.get(variable, ""))
    except ValueError as error:  # a quotation without its end
        raise CannotBuild(f"{variable} is no command ({error})") from error


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 the user's compiler
    except OSError as error:
        raise CannotBuild(f"'{command[0]}' does not start ({error.strerror})") from error
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise CannotBuild(f"'{command[0]}' failed: {first}")
