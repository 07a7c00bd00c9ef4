"""Both networks with links that lose or delay spikes: the same loop for integers and floats, only the neurons differ.

Spikes leave a neuron as ever; what arrives, at the next layer and back at its own, goes through a link each. With links
that do nothing, the integers are those of every engine, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import accumulate, fire, product, shift
from asrc_core.contract.chain import SkipLayer
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import Ints
from asrc_core.contract.result import checked_input
from asrc_export.robustness.subject import Links
from asrc_train.trained.freeze import FrozenLayer, FrozenNetwork

BATCH = 256
Cells = NDArray[np.uint8]


class Neurons(Protocol):
    """One layer's neurons."""

    @property
    def count(self) -> int:
        """How many."""

    @property
    def taps(self) -> Sequence[tuple[int, float]]:
        """Which past spikes come back to them, and how much each weighs."""

    def step(self, v: NDArray[Any], x: NDArray[Any], r: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Spikes and membranes (B, N) from membranes, input (B, I) and what comes back (B, N)."""


class IntegerNeurons:
    """Those of docs/arithmetic.md."""

    def __init__(self, layer: SkipLayer) -> None:
        self.count, self._layer = layer.neurons, layer
        self.taps: Sequence[tuple[int, float]] = layer.heard
        self._w, self._u = layer.feedforward.T.astype(np.float64), layer.recurrent.T.astype(np.float64)

    def step(self, v: Ints, x: NDArray[Any], r: NDArray[Any]) -> tuple[Ints, Ints]:
        """The contract's step."""
        layer = self._layer
        fired = fire(
            v,
            shift(product(x, self._w), layer.feedforward_exponent),
            shift(product(r, self._u), layer.recurrent_exponent),
            bias=layer.bias,
            decay_constant=layer.decay,
            activation_shift=layer.activation_shift,
            threshold=layer.threshold,
            reset=layer.reset,
        )
        return fired.s, fired.v


class FloatNeurons:
    """u = alpha v + W x + b + U r, in single precision as the kernels have it; ``unit`` scales what is fed."""

    def __init__(self, layer: FrozenLayer, unit: float = 1.0) -> None:
        self.count, self._layer = len(layer.bias), layer
        self.taps: Sequence[tuple[int, float]] = layer.heard
        self._unit, single = np.float32(unit), np.float32
        self._w, self._u = layer.weight.T.astype(single), layer.recurrent.T.astype(single)
        self._bias, self._decay, self._threshold = (
            layer.bias.astype(single),
            single(layer.decay),
            single(layer.threshold),
        )

    def step(self, v: NDArray[Any], x: NDArray[Any], r: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The float network's step."""
        driven = (x.astype(np.float32) * self._unit) @ self._w + self._bias
        u = self._decay * v.astype(np.float32) + driven + r.astype(np.float32) @ self._u
        s = u >= self._threshold
        return s, u - self._threshold * s if self._layer.reset == "soft" else u * ~s


class Link:
    """One connection's spikes under way; ``arrived`` (T, B, N) counts those that come in at each step."""

    def __init__(self, links: Links, stream: tuple[int, ...], shape: tuple[int, int, int]) -> None:
        self.arrived: Cells = np.zeros(shape, np.uint8)
        self._loss, self._jitter = np.float32(links.loss), links.jitter
        self._rng = np.random.default_rng((links.seed, *stream))

    def send(self, t: int, s: NDArray[Any]) -> None:
        """Take in the spikes (B, N) of step t."""
        kept = s.astype(np.uint8)
        if self._loss:
            kept &= self._rng.random(s.shape, np.float32) >= self._loss
        if not self._jitter:
            self.arrived[t] += kept
            return
        late = self._rng.integers(0, self._jitter + 1, s.shape, np.uint8)
        for delay in range(min(self._jitter, len(self.arrived) - 1 - t) + 1):
            self.arrived[t + delay] += kept & (late == delay)


def integer_logits(network: IntegerNetwork, x: NDArray[np.generic], links: Links) -> Ints:
    """Logits (n, C) of the integer network on samples (n, T, channels). Raises InvalidData."""
    samples = checked_input(network, x)
    neurons = [IntegerNeurons(layer) for layer in network.layers]
    out = network.readout
    w = out.weight.T.astype(np.float64)
    answers = []
    for start in range(0, len(samples), BATCH):
        arrived = _last_layer(neurons, samples[start : start + BATCH], links, start)
        y: Ints = np.zeros((arrived.shape[1], out.classes), np.int64)
        for spikes in arrived:
            y, _ = accumulate(y, shift(product(spikes, w), out.exponent), out.bias)
        answers.append(y)
    return np.concatenate(answers)


def float_logits(network: FrozenNetwork, x: NDArray[np.generic], links: Links) -> NDArray[np.float32]:
    """Logits (n, C) of the float network on integer samples (n, T, channels)."""
    neurons = [FloatNeurons(layer, 1.0 if i else network.scale) for i, layer in enumerate(network.layers)]
    weight, bias = network.readout_weight.T.astype(np.float32), network.readout_bias.astype(np.float32)
    answers = []
    for start in range(0, len(x), BATCH):
        arrived = _last_layer(neurons, x[start : start + BATCH], links, start)
        answers.append(arrived.sum(0, dtype=np.float32) @ weight + np.float32(len(arrived)) * bias)
    return np.concatenate(answers)


def _last_layer(neurons: Sequence[Neurons], x: NDArray[np.generic], links: Links, start: int) -> Cells:
    """What arrives at the readout, (T, B, N), of samples (B, T, channels)."""
    fed: NDArray[Any] = x.transpose(1, 0, 2)
    for i, layer in enumerate(neurons):
        shape = (fed.shape[0], fed.shape[1], layer.count)
        onward, back = (Link(links, (start, i, path), shape) for path in range(2))
        v: NDArray[Any] = np.zeros(shape[1:], np.int64)
        for t, x_t in enumerate(fed):
            s, v = layer.step(v, x_t, _heard(back.arrived, layer.taps, t))
            onward.send(t, s)
            back.send(t, s)
        fed = onward.arrived
    return fed


def _heard(arrived: Cells, taps: Sequence[tuple[int, float]], t: int) -> NDArray[np.float64]:
    """r[t] = sum_j m_j s[t - span_j] of the spikes as they arrived."""
    r = np.zeros(arrived.shape[1:])
    for span, weight in taps:
        if t >= span:
            r += weight * arrived[t - span]
    return r
