"""The compiled kernels for state-space neurons: their plain C interface as ctypes sees it (resonators_abi.h, field by
field).
"""

from __future__ import annotations

import ctypes
from functools import cache

from asrc_train.kernels.native.library import library
from asrc_train.kernels.native.rows import CRows


class CResonatorsCall(ctypes.Structure):
    """`asrc_resonators_call`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("element_bytes", "isa", "threads", "steps", "batch", "neurons")),
        *((name, ctypes.c_int64) for name in ("modes", "taps", "period", "masked")),
        ("threshold", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("constants", "gain")),
        ("input", CRows),
        ("spikes", CRows),
        *((name, ctypes.c_void_p) for name in ("bits", "counts", "kept")),
        ("above", CRows),
        ("grad_input", CRows),
        ("grad_constants", ctypes.c_void_p),
    )


@cache
def functions() -> ctypes.CDLL:
    """The library, which is there (`library.library`), with the types of what it has for state-space neurons."""
    loaded = library()
    assert loaded is not None, "why_not comes first"
    for name in ("words", "forward", "backward"):
        function = getattr(loaded, f"asrc_resonators_{name}")
        function.restype, function.argtypes = ctypes.c_int64, (ctypes.POINTER(CResonatorsCall),)
    return loaded
