"""All backends that run any network in this process, against the interpreter: not one differing integer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import interpreter
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.parity import require_equal
from asrc_core.contract.result import LayerTrace, Result, Trace

Run = Callable[[IntegerNetwork, NDArray[np.generic]], Result]


def _engine(name: str) -> Run:
    def run(network: IntegerNetwork, x: NDArray[np.generic]) -> Result:
        from asrc_export.engines import select

        engine = select.engine(name, network)
        assert engine.name == name, "the backend itself is asked for, not what takes over"
        return engine.run(network, x, trace=True)

    return run


def _torch(network: IntegerNetwork, x: NDArray[np.generic]) -> Result:
    """Fine-tuning's network before its first step: it keeps spikes and logits; the rest is the interpreter's."""
    import torch

    from asrc_export.quantization.training.learning_network import LearningNetwork

    like = interpreter.run(network, x, trace=True)
    assert like.trace is not None
    with torch.no_grad():
        y, sent = LearningNetwork(network).accumulated(torch.from_numpy(x.astype(np.float64)).transpose(0, 1))
    layers = (
        LayerTrace(mine.numpy().astype(same.spikes.dtype), same.membrane)
        for mine, same in zip(sent, like.trace.layers, strict=True)
    )
    return Result(y.numpy().astype(np.int64), like.counts, Trace(tuple(layers), like.trace.readout))


BACKENDS: dict[str, Run] = {
    "c": _engine("c"),
    "generated": _engine("generated"),
    "onnx": _engine("onnx"),
    "torch": _torch,
}


def equal_on(names: Iterable[str], networks: Iterable[IntegerNetwork]) -> None:
    """Raise ParityBroken, naming the first difference, unless these backends compute what the interpreter does."""
    for seed, network in enumerate(networks):
        entry = network.input
        shape = (2, network.steps, entry.channels)
        x = np.random.default_rng(seed).integers(entry.minimum, entry.maximum + 1, shape)
        expected = interpreter.run(network, x, trace=True)
        for name in names:
            require_equal(network, BACKENDS[name](network, x), expected, (name, "numpy"))
