"""The C interface of abi.h in ctypes, and the library that provides it."""

from __future__ import annotations

import ctypes as c
from functools import cache

from asrc_core.errors import BackendMissing
from asrc_export.engines.native import build

Int64s = c.POINTER(c.c_int64)
Int32s = c.POINTER(c.c_int32)
Int16s = c.POINTER(c.c_int16)
Bytes = c.POINTER(c.c_uint8)


class Layer(c.Structure):
    """``struct asrc_layer``."""

    _fields_ = [
        ("neurons", c.c_int64),
        ("inputs", c.c_int64),
        ("feedforward", Int16s),
        ("recurrent", Int16s),
        ("bias", Int32s),
        ("feedforward_exponent", c.c_int32),
        ("recurrent_exponent", c.c_int32),
        ("decay", c.c_int32),
        ("threshold", c.c_int32),
        ("span", c.c_int32),
        ("activation_shift", c.c_int32),
        ("soft_reset", c.c_int32),
        ("fires_above", c.c_int32),
        ("may_saturate", c.c_int32),
        ("tap_count", c.c_int32),
        ("taps", Int32s),
    ]


class Readout(c.Structure):
    """``struct asrc_readout``."""

    _fields_ = [
        ("classes", c.c_int64),
        ("inputs", c.c_int64),
        ("weight", Int16s),
        ("bias", Int32s),
        ("exponent", c.c_int32),
    ]


class Network(c.Structure):
    """``struct asrc_network``."""

    _fields_ = [
        ("channels", c.c_int64),
        ("minimum", c.c_int32),
        ("maximum", c.c_int32),
        ("layer_count", c.c_int64),
        ("layers", c.POINTER(Layer)),
        ("readout", Readout),
    ]


class Counts(c.Structure):
    """``struct asrc_counts``."""

    _fields_ = [
        ("inputs", c.c_int64),
        ("delivered", c.c_int64),
        ("spikes", c.c_int64),
        ("saturations", c.c_int64),
    ]


class TraceTarget(c.Structure):
    """``struct asrc_trace``."""

    _fields_ = [
        ("spikes", c.POINTER(Bytes)),
        ("membranes", c.POINTER(Int32s)),
        ("readout", Int32s),
    ]


OK = 0
OUT_OF_MEMORY = 1

_Handle = c.c_void_p
_FUNCTIONS: dict[str, tuple[type | None, list[type]]] = {
    "asrc_source_hash": (c.c_char_p, []),
    "asrc_instruction_sets": (c.c_char_p, []),
    "asrc_engine_new": (c.c_int, [c.POINTER(Network), c.c_char_p, c.POINTER(_Handle)]),
    "asrc_engine_free": (None, [_Handle]),
    "asrc_engine_run": (
        c.c_int,
        [_Handle, Int32s, c.c_int64, c.c_int64, c.c_int32, Int64s, c.POINTER(Counts), c.POINTER(TraceTarget)],
    ),
    "asrc_stream_new": (c.c_int, [_Handle, c.POINTER(_Handle)]),
    "asrc_stream_free": (None, [_Handle]),
    "asrc_stream_reset": (None, [_Handle]),
    "asrc_stream_feed": (None, [_Handle, Int32s, c.c_int64, Int64s, c.POINTER(Counts), c.POINTER(Bytes)]),
}


@cache
def library() -> c.CDLL:
    """The library, loaded once. Its calls release the GIL.

    Raises BackendMissing if it was not built, does not load, or is older than the sources beside it.
    """
    path = build.LIBRARY.path
    if not path.exists():
        raise _missing("the package was installed without a C++ compiler")
    try:
        loaded = c.CDLL(str(path))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise _missing(f"its library does not load ({error})") from error
    if loaded.asrc_source_hash().decode() != build.LIBRARY.source_hash():
        raise _missing("its library is not of these sources")
    return loaded


def _missing(why: str) -> BackendMissing:
    return BackendMissing("native", why, "install a compiler if there is none, and install the package again")
