"""The structures and functions of network.c in ctypes."""

from __future__ import annotations

import ctypes as c
from pathlib import Path

from asrc_export.codegen.c import cache

LAGS = 64
"""A power of two beyond the longest lag."""
LANES = 8
"""Samples side by side where synapses have delays."""
TILE = 8
"""Neurons whose delayed synapses lie together, or whose few synapses from one source do."""


class Source(c.Structure):
    """``struct source``."""

    _fields_ = [
        ("size", c.c_int64),
        ("mask", c.c_int64),
        ("binary", c.c_int64),
        ("counts", c.c_void_p),
        ("places", c.c_void_p),
        ("values", c.c_void_p),
        ("together", c.c_void_p),
        ("heard", c.c_void_p),
        ("touched", c.c_void_p),
    ]


class Connection(c.Structure):
    """``struct connection``."""

    _fields_ = [
        ("source", c.c_int64),
        ("recurrent", c.c_int64),
        ("exponent", c.c_int64),
        ("weights", c.c_void_p),
        ("starts", c.c_void_p),
        ("runs", c.c_void_p),
        ("block_weights", c.c_void_p),
        ("tiles", c.c_void_p),
        ("fan_out", c.c_void_p),
        ("ring_mask", c.c_int64),
        ("ring", c.c_void_p),
        ("arriving", c.c_void_p),
        ("tap_count", c.c_int64),
        ("spans", c.c_void_p),
        ("tap_weights", c.c_void_p),
        ("message", c.c_void_p),
        ("touched", c.c_void_p),
    ]


class Layer(c.Structure):
    """``struct layer``."""

    _fields_ = [
        ("neurons", c.c_int64),
        ("sends", c.c_int64),
        ("connection_count", c.c_int64),
        ("connections", c.POINTER(Connection)),
        ("step", c.c_void_p),
        ("state_count", c.c_int64),
        ("state_bytes", c.c_void_p),
        ("states", c.c_void_p),
        ("constants", c.c_void_p),
        ("sum", c.c_void_p),
        ("total", c.c_void_p),
        ("shown", c.c_void_p),
        ("sent", c.c_void_p),
        ("order", c.c_void_p),
    ]


class Network(c.Structure):
    """``struct network``."""

    _fields_ = [
        ("t", c.c_int64),
        ("traced", c.c_int64),
        ("lanes", c.c_int64),
        ("channels", c.c_int64),
        ("layer_count", c.c_int64),
        ("sources", c.POINTER(Source)),
        ("layers", c.POINTER(Layer)),
    ]


class Counts(c.Structure):
    """``struct counts``."""

    _fields_ = [
        ("spikes", c.c_int64),
        ("feedforward", c.c_int64),
        ("recurrent", c.c_int64),
        ("saturations", c.c_int64),
    ]


class Trace(c.Structure):
    """``struct trace``."""

    _fields_ = [("wide", c.c_int64), ("sent", c.c_void_p), ("shown", c.c_void_p)]


TEXT = Path(__file__).with_name("network.c").read_text()

_FUNCTIONS: dict[str, list[type]] = {
    "asrc_begin": [c.POINTER(Network)],
    "asrc_feed": [c.POINTER(Network), c.c_void_p, c.c_int64, c.c_int64, c.POINTER(Counts)],
    "asrc_run": [
        c.POINTER(Network),
        c.c_void_p,
        c.c_int64,
        c.c_int64,
        c.c_int64,
        c.c_int64,
        c.c_void_p,
        c.POINTER(Counts),
        c.POINTER(Trace),
    ],
}


def library() -> c.CDLL:
    """network.c, compiled and loaded. Raises CannotBuild."""
    loaded = cache.library(TEXT)
    for name, arguments in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = None, arguments
    return loaded
