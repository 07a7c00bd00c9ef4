"""The compiled kernels for state-space neurons: their plain C interface as ctypes sees it (resonators_abi.h, field by
field).
"""

from __future__ import annotations

import ctypes
from functools import cache

from asrc_train.kernels.native.library import library


class CResonatorsCall(ctypes.Structure):
    """`asrc_resonators_call`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("element_bytes", "isa", "threads", "steps", "batch", "neurons")),
        *((name, ctypes.c_int64) for name in ("modes", "taps", "period", "masked")),
        ("threshold", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("constants", "input", "spikes", "kept")),
        ("above", ctypes.c_void_p),
        ("above_step", ctypes.c_int64),
        ("above_sample", ctypes.c_int64),
        ("grad_input", ctypes.c_void_p),
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
    for name in ("moments", "settle"):
        function = getattr(loaded, f"asrc_resonators_{name}")
        function.restype, function.argtypes = ctypes.c_int64, (ctypes.POINTER(CResonatorsCall), ctypes.c_void_p)
    return loaded
