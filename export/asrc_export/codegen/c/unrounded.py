"""An integer network on real numbers, compiled: what `report.unrounded` computes in NumPy, at many times the speed."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.result import checked_input
from asrc_core.cores import usable_cores
from asrc_export.codegen.c import cache
from asrc_export.codegen.c.unrounded_step import FUNCTION, printed

TEXT = Path(__file__).with_name("unrounded.c").read_text()
BLOCK = 16
"""Samples that a thread takes at a time."""


class Connection(c.Structure):
    """``struct connection``."""

    _fields_ = [
        ("source", c.c_int64),
        ("inputs", c.c_int64),
        ("scale", c.c_double),
        ("weights", c.c_void_p),
        ("tap_count", c.c_int64),
        ("spans", c.c_void_p),
        ("tap_weights", c.c_void_p),
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
        ("states", c.c_void_p),
        ("constants", c.c_void_p),
        ("total", c.c_void_p),
        ("shown", c.c_void_p),
        ("nothing", c.c_void_p),
        ("sent", c.c_void_p),
    ]


class Network(c.Structure):
    """``struct network``."""

    _fields_ = [
        ("channels", c.c_int64),
        ("layer_count", c.c_int64),
        ("layers", c.POINTER(Layer)),
        ("places", c.c_void_p),
    ]


def why_not(network: IntegerNetwork) -> str | None:
    """Why a network is left to NumPy, as a clause; None if it is not."""
    for layer in network.hidden:
        sends = layer.neuron.sends
        if sends is None or not sends.is_bit:
            return f"layer '{layer.name}' sends more than spikes"
    for layer in network.layers:
        if any(each.delays is not None for each in layer.connections):
            return f"layer '{layer.name}' has a delay for each synapse"
    return None


def _narrow(network: IntegerNetwork) -> bool:
    """Whether the weights of every neuron add up to what 16 bits hold, whichever of its inputs fire."""
    connections = (each for layer in network.layers for each in layer.connections)
    return all(int(np.abs(each.weights).sum(axis=1, dtype=np.int64).max(initial=0)) < 2**15 for each in connections)


class Unrounded:
    """A network compiled, its roundings taken away; ``integer_state`` leaves those of the states.

    Raises CannotBuild without a compiler.
    """

    def __init__(self, network: IntegerNetwork, *, integer_state: bool) -> None:
        self._network = network
        self._steps = [printed(layer, rounding=integer_state) for layer in network.layers]
        self._weight = np.dtype(np.int16 if _narrow(network) else np.int32)
        text = f"#define weight {self._weight}_t\n{TEXT}"
        self._library, *steps = cache.libraries([text, *(each.text for each in self._steps)])
        function = self._library.asrc_unrounded
        function.restype = None
        whole = c.c_int64
        function.argtypes = [c.POINTER(Network), c.c_void_p, whole, whole, whole, c.c_void_p]
        self._functions = [c.cast(getattr(each, FUNCTION), c.c_void_p).value for each in steps]

    def run(self, x: NDArray[np.generic]) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]]]:
        """Logits (B, C) and what each hidden layer sends (T, B, N), for samples (B, T, channels), on all usable cores.

        Raises InvalidData when the samples do not fit the network's input.
        """
        samples = checked_input(self._network, x)
        batch, steps, _ = samples.shape
        logits = np.zeros((batch, self._network.classes))
        sent = [np.empty((batch, steps, layer.neurons), np.uint8) for layer in self._network.hidden]
        blocks = iter(range(0, batch, BLOCK))
        workers = min(usable_cores(), -(-batch // BLOCK))

        def work(_: int) -> None:
            self._run(samples, blocks, logits, sent)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        return logits, [each.swapaxes(0, 1) for each in sent]

    def _run(
        self, samples: NDArray[np.int32], blocks: Iterator[int], logits: NDArray[Any], sent: list[NDArray[np.uint8]]
    ) -> None:
        memory = _Memory(self, sent)
        batch, steps, _ = samples.shape
        for first in blocks:
            end = min(first + BLOCK, batch)
            self._library.asrc_unrounded(memory.described, samples.ctypes.data, first, end, steps, logits.ctypes.data)

    def described(self, keep: _Memory, sent: list[NDArray[np.uint8]]) -> Network:
        """The network as C takes it, with memory of one thread's own."""
        network = self._network
        layers = (Layer * len(network.layers))()
        for i, (to, layer, step) in enumerate(zip(layers, network.layers, self._steps, strict=True)):
            connections = (Connection * len(layer.connections))()
            for described, each in zip(connections, layer.connections, strict=True):
                spans, weights = (np.array([tap[i] for tap in each.taps], np.int32) for i in (0, 1))
                described.source, described.inputs = network.place(each.source), each.inputs
                described.scale = 2.0**each.exponent
                described.weights = keep.address(np.ascontiguousarray(each.weights.T, self._weight))
                described.tap_count = len(each.taps)
                described.spans, described.tap_weights = keep.address(spans), keep.address(weights)
            n = layer.neurons
            states = [keep.address(np.zeros(n)) for _ in range(step.states)]
            to.neurons, to.sends = n, i < len(sent)
            to.connection_count, to.connections = len(connections), connections
            to.step, to.state_count = self._functions[i], step.states
            to.states = keep.address(np.array(states, np.uintp))
            to.constants = keep.address(np.array([keep.address(each) for each in step.constants], np.uintp))
            to.total, to.shown = keep.address(np.zeros(n)), keep.address(np.zeros(n))
            to.nothing = keep.address(np.zeros(n, np.uint8))
            to.sent = keep.address(sent[i]) if i < len(sent) else None
        widest = max(each.inputs for layer in network.layers for each in layer.connections)
        return Network(network.input.channels, len(layers), layers, keep.address(np.zeros(widest + 1, np.int32)))


class _Memory:
    """A network described for one thread, and the arrays that its structures point into."""

    def __init__(self, code: Unrounded, sent: list[NDArray[np.uint8]]) -> None:
        self._kept: list[NDArray[Any]] = []
        self.described = code.described(self, sent)

    def address(self, array: NDArray[Any]) -> int:
        """Where an array lies, which is kept for as long as this lives."""
        self._kept.append(array)
        return array.ctypes.data
