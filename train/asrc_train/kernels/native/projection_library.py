"""The compiled kernels for W x + b: their plain C interface as ctypes sees it (projection_abi.h, field by field)."""

from __future__ import annotations

import ctypes
from functools import cache

from asrc_train.kernels.native.library import library
from asrc_train.kernels.native.rows import CRows


class CProjectionCall(ctypes.Structure):
    """`asrc_projection_call`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("element_bytes", "isa", "threads", "steps", "batch")),
        *((name, ctypes.c_int64) for name in ("inputs", "neurons")),
        *((name, ctypes.c_void_p) for name in ("weight", "bias")),
        ("heard", CRows),
        *((name, ctypes.c_void_p) for name in ("bits", "made", "origin", "moments")),
        *((name, ctypes.c_void_p) for name in ("above", "settle", "grad_weight", "grad_bias")),
        ("below", CRows),
    )


@cache
def functions() -> ctypes.CDLL:
    """The library, which is there (`library.library`), with the types of what it has for W x + b."""
    loaded = library()
    assert loaded is not None, "why_not comes first"
    for name in ("forward", "backward"):
        function = getattr(loaded, f"asrc_projection_{name}")
        function.restype, function.argtypes = ctypes.c_int64, (ctypes.POINTER(CProjectionCall),)
    return loaded
