"""The compiled kernels for delays: their plain C interface as ctypes sees it (delays_abi.h, field by field)."""

from __future__ import annotations

import ctypes
from functools import cache

from asrc_train.kernels.native.library import library

READOUTS = {"weighted": 0, "maximum": 1, "first-spike": 2}


class CSynapses(ctypes.Structure):
    """`asrc_delays_synapses`."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("weight", "delay", "grad_weight", "grad_delay"))


class CDelayLayer(ctypes.Structure):
    """`asrc_delays_layer`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("inputs", "neurons", "fires")),
        ("threshold", ctypes.c_double),
        ("forward", CSynapses),
        ("back", CSynapses),
        ("counts", ctypes.c_void_p),
        ("grad_counts", ctypes.c_void_p),
    )


class CDelayCall(ctypes.Structure):
    """`asrc_delays_call`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("element_bytes", "isa", "threads", "steps", "batch", "layer_count")),
        ("layers", ctypes.POINTER(CDelayLayer)),
        *((name, ctypes.c_void_p) for name in ("first", "step", "channel", "value")),
        *((name, ctypes.c_double) for name in ("alpha", "beta", "gain", "mean_current")),
        *((name, ctypes.c_double) for name in ("tau_membrane", "tau_synapse", "grazing")),
        ("plain", ctypes.c_int64),
        ("whole", ctypes.c_int64),
        ("readout", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("time_weights", "answers", "grad_answers")),
        ("grazing_spikes", ctypes.c_int64),
        ("late_arrivals", ctypes.c_int64),
    )


@cache
def functions() -> ctypes.CDLL:
    """The library, which is there (`library.library`), with the types of what it has for delays."""
    loaded = library()
    assert loaded is not None, "why_not comes first"
    loaded.asrc_delays_forward.restype = ctypes.c_void_p
    loaded.asrc_delays_forward.argtypes = (ctypes.POINTER(CDelayCall),)
    loaded.asrc_delays_backward.restype = ctypes.c_int64
    loaded.asrc_delays_backward.argtypes = (ctypes.POINTER(CDelayCall), ctypes.c_void_p)
    loaded.asrc_delays_spikes.restype = ctypes.c_int64
    loaded.asrc_delays_spikes.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
    loaded.asrc_delays_free.restype = None
    loaded.asrc_delays_free.argtypes = (ctypes.c_void_p,)
    return loaded
