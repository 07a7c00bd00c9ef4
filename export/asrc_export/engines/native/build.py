"""How the native engine is built: `python export/asrc_export/engines/native/build.py` does it at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from asrc_train.native_build import CannotBuild, NativeLibrary

_COMMON = ("-fno-tree-slp-vectorize",)  # vectors are written out; found ones turn eight stores into ten shuffles
_AVX2 = ("-mavx2", "-mbmi", "-mbmi2", "-mpopcnt")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
# Intel's cores up to Cascade Lake decode a branch that touches a 32-byte boundary anew each time, which costs short
# loops a fifth of their speed, by luck of where they lie. Assemblers from 2020 on know how to avoid it.
_ALIGNED = ("-Wa,-mbranches-within-32B-boundaries",)


def _library(x86_64: tuple[str, ...]) -> NativeLibrary:
    flags = (*_COMMON, *x86_64)
    return NativeLibrary(
        folder=Path(__file__).resolve().parent,
        name="libasrc_engine",
        common=("dispatch.cpp", "engine.cpp", "prepare.cpp", "runner.cpp", "sample.cpp"),
        stamped="engine.cpp",
        kernels={
            "x86_64": {
                "kernel_baseline.cpp": flags,
                "kernel_avx2.cpp": (*flags, *_AVX2),
                "kernel_avx512.cpp": (*flags, *_AVX512),
            },
            "aarch64": {"kernel_neon.cpp": _COMMON},
        },
        otherwise={"kernel_baseline.cpp": _COMMON},
    )


LIBRARY = _library(_ALIGNED)


def build(library: Path | None = None, extra: Sequence[str] = (), machine: str = "") -> Path:
    """As NativeLibrary.build, with a second attempt for compilers that do not know all flags. Raises CannotBuild."""
    try:
        return LIBRARY.build(library, extra, machine)
    except CannotBuild:
        return _library(()).build(library, extra, machine)


if __name__ == "__main__":
    try:
        print(build())
    except CannotBuild as error:
        sys.exit(f"the native engine was not built: {error}.")
