"""Compile the native engine beside its sources, with nothing but a C++17 compiler.

The package's build calls `build`, so `uv sync` and `pip install` compile it; while working on the C++,
`python export/asrc_export/engines/native/build.py` does the same at once. A library carries the hash of the sources it
was built from: `build` does nothing when they still agree, and a stale library is refused when it is loaded.
This file uses the standard library only and nothing of the package, as the build runs before it is installed.
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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
LIBRARY = SOURCES / ("libasrc_engine.dylib" if sys.platform == "darwin" else "libasrc_engine.so")

_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra")
_KERNEL_FLAGS = ("-fno-tree-slp-vectorize",)  # vectors are written out; found ones turn eight stores into ten shuffles
_AVX2 = ("-mavx2", "-mbmi", "-mbmi2", "-mpopcnt")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
_KERNELS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {"kernel_baseline.cpp": (), "kernel_avx2.cpp": _AVX2, "kernel_avx512.cpp": _AVX512},
    "aarch64": {"kernel_neon.cpp": ()},
}
"""Flags of each kernel file, which the machine is asked about at run time. Nothing else is compiled for more than
the architecture's baseline."""
_SAME_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}
_COMMON = ("engine.cpp", "prepare.cpp", "dispatch.cpp")


class CannotBuild(Exception):
    """There is no compiler, or it failed; ``str`` says which in one line."""


def source_hash() -> str:
    """SHA-256 over everything that a library depends on."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h"), SOURCES / "build.py"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def compiler() -> list[str] | None:
    """The command of $CXX, or of the first of c++, g++ and clang++ that is installed."""
    chosen = shlex.split(os.environ.get("CXX", ""))
    if chosen:
        return chosen
    found = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    return [found] if found else None


def build(library: Path = LIBRARY, extra: Sequence[str] = (), machine: str = "") -> Path:
    """Compile ``library`` unless it is up to date, and return it; it is replaced only once the new one is whole.

    ``extra`` flags come last; ``machine`` is the architecture to compile for, this one's unless $CXX is a cross
    compiler. Raises CannotBuild.
    """
    stamp = source_hash()
    if not extra and library.exists() and stamp.encode() in library.read_bytes():
        return library
    command = compiler()
    if command is None:
        raise CannotBuild("there is no C++ compiler (c++, g++ or clang++, or the one that CXX names)")
    machine = machine or platform.machine().lower()
    kernels = _KERNELS.get(_SAME_MACHINE.get(machine, machine), {"kernel_baseline.cpp": ()})
    files = {name: (*_KERNEL_FLAGS, *flags) for name, flags in kernels.items()} | dict.fromkeys(_COMMON, ())
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".building-") as folder:
        objects = {name: str(Path(folder, f"{name}.o")) for name in files}

        def compile_one(name: str) -> None:
            stamped = (f'-DASRC_SOURCE_HASH="{stamp}"',) if name == "engine.cpp" else ()
            source = str(SOURCES / name)
            _run([*command, *_FLAGS, *files[name], *stamped, *extra, "-c", source, "-o", objects[name]])

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, files))
        linked = Path(folder, library.name)
        _run([*command, "-shared", "-pthread", *extra, *objects.values(), "-o", str(linked)])
        os.replace(linked, library)
    return library


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 the user's compiler
    except OSError as error:
        raise CannotBuild(f"'{command[0]}' does not start ({error.strerror})") from error
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise CannotBuild(f"'{command[0]}' failed: {first}")


if __name__ == "__main__":
    try:
        print(build())
    except CannotBuild as error:
        sys.exit(f"the native engine was not built: {error}.")
