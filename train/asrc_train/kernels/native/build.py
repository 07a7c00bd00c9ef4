"""How the native kernels are built: `python train/asrc_train/kernels/native/build.py` does it at once."""

from __future__ import annotations

import sys
from pathlib import Path

from asrc_core.native.build import CannotBuild, NativeLibrary

# Sums may be contracted to fused multiply-adds; nothing else is reordered, and NaN stays NaN.
_FLAGS = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_AVX2 = (*_FLAGS, "-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mpopcnt")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")

# Intel's cores up to Cascade Lake decode a branch that touches a 32-byte boundary anew each time; assemblers from
# 2020 on know how to keep short loops off them.
_ALIGNED = ("-Wa,-mbranches-within-32B-boundaries",)

LIBRARY = NativeLibrary(
    folder=Path(__file__).resolve().parent,
    name="libasrc_kernels",
    common=("run.cpp", "delays.cpp", "projection.cpp", "resonators.cpp"),
    stamped="run.cpp",
    kernels={
        "x86_64": {"kernels_baseline.cpp": _FLAGS, "kernels_avx2.cpp": _AVX2, "kernels_avx512.cpp": _AVX512},
        "aarch64": {"kernels_neon.cpp": _FLAGS},
    },
    otherwise={"kernels_baseline.cpp": _FLAGS},
    if_known={"x86_64": _ALIGNED},
)

build = LIBRARY.build

if __name__ == "__main__":
    try:
        print(build())
    except CannotBuild as error:
        sys.exit(f"the native kernels were not built: {error}.")
