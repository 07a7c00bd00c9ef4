"""How the native engine is built: `python export/asrc_export/engines/native/build.py` does it at once."""

from __future__ import annotations

import sys
from pathlib import Path

from asrc_core.native.build import CannotBuild, NativeLibrary

_COMMON = ("-fno-tree-slp-vectorize",)  # vectors are written out; found ones turn eight stores into ten shuffles
_AVX2 = ("-mavx2", "-mbmi", "-mbmi2", "-mpopcnt")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
# Intel's cores up to Cascade Lake decode a branch that touches a 32-byte boundary anew each time, which costs short
# loops a fifth of their speed, by luck of where they lie. Assemblers from 2020 on know how to avoid it.
_ALIGNED = ("-Wa,-mbranches-within-32B-boundaries",)


LIBRARY = NativeLibrary(
    folder=Path(__file__).resolve().parent,
    name="libasrc_engine",
    common=("dispatch.cpp", "engine.cpp", "prepare.cpp", "runner.cpp", "sample.cpp"),
    stamped="engine.cpp",
    kernels={
        "x86_64": {
            "kernel_baseline.cpp": _COMMON,
            "kernel_avx2.cpp": (*_COMMON, *_AVX2),
            "kernel_avx512.cpp": (*_COMMON, *_AVX512),
        },
        "aarch64": {"kernel_neon.cpp": _COMMON},
    },
    otherwise={"kernel_baseline.cpp": _COMMON},
    if_known={"x86_64": _ALIGNED},
)

build = LIBRARY.build

if __name__ == "__main__":
    try:
        print(build())
    except CannotBuild as error:
        sys.exit(f"the native engine was not built: {error}.")
