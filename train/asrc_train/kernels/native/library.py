"""The compiled kernels: finding the library, and its plain C interface as ctypes sees it (abi.h, field by field)."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

from asrc_core.errors import BackendMissing
from asrc_core.native.instruction_sets import chosen
from asrc_train.kernels.native.build import LIBRARY

NO_MEMORY, NOT_FINITE = 1, 2


class CLayer(ctypes.Structure):
    """`asrc_layer`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("inputs", "neurons", "lags", "span", "hard_reset", "detach_reset")),
        ("decay", ctypes.c_double),
        ("threshold", ctypes.c_double),
        ("resolution", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("weight", "bias", "recurrent", "mixture", "gain", "spikes")),
        *((f"grad_{name}", ctypes.c_void_p) for name in ("weight", "bias", "recurrent", "mixture", "dynamics")),
    )


class CCall(ctypes.Structure):
    """`asrc_call`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("element_bytes", "isa", "threads", "steps", "batch", "layer_count")),
        ("layers", ctypes.POINTER(CLayer)),
        ("feed", ctypes.c_int64),
        ("input", ctypes.c_void_p),
        ("input_step", ctypes.c_int64),
        ("input_sample", ctypes.c_int64),
        ("spike_value", ctypes.c_double),
        ("spikes", ctypes.c_void_p),
        ("counts", ctypes.c_void_p),
        ("above", ctypes.c_void_p),
        ("above_step", ctypes.c_int64),
        ("above_sample", ctypes.c_int64),
        ("grad_input", ctypes.c_void_p),
    )


@cache
def library() -> ctypes.CDLL | None:
    """The library, or None if there is none, or one built from other sources than these."""
    try:
        loaded = ctypes.CDLL(str(LIBRARY.path))
        loaded.asrc_source_hash.restype = ctypes.c_char_p
        stamp: bytes = loaded.asrc_source_hash()
    except (OSError, AttributeError):
        return None
    if stamp.decode() != LIBRARY.source_hash():
        return None
    for name in ("asrc_forward", "asrc_backward"):
        getattr(loaded, name).restype = ctypes.c_int64
        getattr(loaded, name).argtypes = (ctypes.POINTER(CCall),)
    loaded.asrc_pack.restype = ctypes.c_double
    loaded.asrc_pack.argtypes = (ctypes.POINTER(CCall), ctypes.c_void_p)
    loaded.asrc_isa_name.restype = ctypes.c_char_p
    loaded.asrc_isa_name.argtypes = (ctypes.c_int64,)
    return loaded


def why_not(given: Tensor) -> str | None:
    """Why nothing that is compiled can compute on such a tensor here, or None."""
    if library() is None:
        return "it was not built here (no C++ compiler when the package was installed)"
    if given.device.type != "cpu":
        return f"the tensors are on {given.device.type}, and it runs on the CPU only"
    if given.dtype not in (torch.float32, torch.float64):
        return f"it computes in float32 and float64, not in {str(given.dtype).removeprefix('torch.')}"
    return None


def require_memory(enough: bool) -> None:
    """Raise BackendMissing unless there was enough of it."""
    if not enough:
        raise BackendMissing("native", "out of memory", "use fewer threads, smaller batches or shorter sequences")


@cache
def instruction_sets() -> tuple[str, ...]:
    """Names of the instruction sets that the library has kernels for and this machine runs, best first."""
    loaded = library()
    names: list[str] = []
    while loaded is not None and (name := loaded.asrc_isa_name(len(names))) is not None:
        names.append(name.decode())
    return tuple(names)


def instruction_set() -> int:
    """Index of the instruction set that ``ASRC_ISA`` asks for, else of the best. Raises UnknownName, InvalidSetting."""
    return instruction_sets().index(chosen(instruction_sets()))


def run(function: str, call: CCall) -> bool:
    """Run `asrc_<function>`: whether all numbers given were finite. Raises BackendMissing without memory for it."""
    loaded = library()
    assert loaded is not None, "why_not comes first"
    status = getattr(loaded, f"asrc_{function}")(call)
    require_memory(status != NO_MEMORY)
    assert status in (0, NOT_FINITE), f"status {status}"
    return bool(status == 0)


def pack(call: CCall, words: int) -> float:
    """Run `asrc_pack` into the memory at ``words``."""
    loaded = library()
    assert loaded is not None, "why_not comes first"
    return float(loaded.asrc_pack(call, words))
