"""How the native engine is built: `python export/asrc_export/engines/native/build.py` does it at once."""

from __future__ import annotations

import sys
from pathlib import Path

from asrc_train.native_build import CannotBuild, NativeLibrary

_FLAGS = (
    "-fno-tree-slp-vectorize",
)  # vectors are written out; those that are found turn eight stores into ten shuffles
_AVX2 = (*_FLAGS, "-mavx2", "-mbmi", "-mbmi2", "-mpopcnt")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")

LIBRARY = NativeLibrary(
    folder=Path(__file__).resolve().parent,
    name="libasrc_engine",
    common=("dispatch.cpp", "engine.cpp", "prepare.cpp"),
    stamped="engine.cpp",
    kernels={
        "x86_64": {"kernel_baseline.cpp": _FLAGS, "kernel_avx2.cpp": _AVX2, "kernel_avx512.cpp": _AVX512},
        "aarch64": {"kernel_neon.cpp": _FLAGS},
    },
    otherwise={"kernel_baseline.cpp": _FLAGS},
)

build = LIBRARY.build

if __name__ == "__main__":
    try:
        print(build())
    except CannotBuild as error:
        sys.exit(f"the native engine was not built: {error}.")
