"""What every package stands on: the integer contract, errors, files, and what command lines share; free of PyTorch.

`asrc_core.load(path)` is an integer network, `asrc_core.run(network, x)` what it computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asrc_core import front_door

if TYPE_CHECKING:
    from asrc_core.contract.chain import Chain, Readout, SkipLayer, chain
    from asrc_core.contract.file.network_file import load, save
    from asrc_core.contract.interpreter import Hooks, Session, run
    from asrc_core.contract.network import InputFormat, IntegerNetwork, Layer, Neuron
    from asrc_core.contract.neurons.kind import Kind
    from asrc_core.contract.parity import first_difference, require_equal
    from asrc_core.contract.result import LayerCounts, Result, Trace
    from asrc_core.contract.synapses.connection import Connection, Tap
    from asrc_core.errors import AsrcError

__version__ = "0.2.0"
__all__ = [
    "AsrcError",
    "Chain",
    "Connection",
    "Hooks",
    "InputFormat",
    "IntegerNetwork",
    "Kind",
    "Layer",
    "LayerCounts",
    "Neuron",
    "Readout",
    "Result",
    "Session",
    "SkipLayer",
    "Tap",
    "Trace",
    "__version__",
    "chain",
    "first_difference",
    "load",
    "require_equal",
    "run",
    "save",
]

_CONTRACT = "asrc_core.contract"
__getattr__ = front_door.opened(
    __name__,
    {
        "AsrcError": "asrc_core.errors",
        "Kind": f"{_CONTRACT}.neurons.kind",
        **dict.fromkeys(("Chain", "Readout", "SkipLayer", "chain"), f"{_CONTRACT}.chain"),
        **dict.fromkeys(("Connection", "Tap"), f"{_CONTRACT}.synapses.connection"),
        **dict.fromkeys(("Hooks", "Session", "run"), f"{_CONTRACT}.interpreter"),
        **dict.fromkeys(("InputFormat", "IntegerNetwork", "Layer", "Neuron"), f"{_CONTRACT}.network"),
        **dict.fromkeys(("LayerCounts", "Result", "Trace"), f"{_CONTRACT}.result"),
        **dict.fromkeys(("first_difference", "require_equal"), f"{_CONTRACT}.parity"),
        **dict.fromkeys(("load", "save"), f"{_CONTRACT}.file.network_file"),
    },
)
