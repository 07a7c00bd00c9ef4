"""Any network in PyTorch: layers of any kind on tensors, run by the contract's interpreter.

A `TorchNetwork` has what the interpreter asks of a network, its weights tensors and its neurons' parameters tensors
where they learn. On `TorchOperations` it computes integers, exactly; on `UnroundedOperations` what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asrc_core.contract.interpreter import Session
from asrc_core.contract.network import IntegerNetwork, Neuron
from asrc_core.contract.numbers import Ints
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import InvalidSetting
from asrc_export.quantization.training.torch_operations import TorchOperations, UnroundedOperations
from asrc_train.gradients.straight_through import straight_through

EXACT = 2**52
"""Double precision holds every whole number up to twice this one: the sum or difference of two that are within it."""


class Lag(NamedTuple):
    """So many steps back, and how many times what was sent then counts."""

    span: int
    weight: float


@dataclass(frozen=True, eq=False)
class TorchConnection:
    """As `Connection` in the contract, weights a tensor (N, I)."""

    source: str
    weights: Tensor
    exponent: int
    taps: tuple[Lag, ...]
    delays: Ints | None = None

    @property
    def neurons(self) -> int:
        """N."""
        return self.weights.shape[0]

    @property
    def inputs(self) -> int:
        """I."""
        return self.weights.shape[1]

    @property
    def longest_lag(self) -> int:
        """In steps."""
        return int(self.delays.max()) if self.delays is not None else self.taps[-1].span

    def by_lag(self) -> list[tuple[int, Tensor]]:
        """For every lag the weights (N, I) of what was sent so long ago."""
        if self.delays is None:
            return [(tap.span, self.weights * tap.weight) for tap in self.taps]
        return [(lag, self.weights * self._with(self.delays == lag)) for lag in np.unique(self.delays).tolist()]

    def _with(self, mask: NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(mask).to(self.weights)


@dataclass(frozen=True, eq=False)
class TorchLayer:
    """N neurons and their connections. ``width``: how far a comparison's gradient reaches (`TorchOperations`)."""

    name: str
    connections: tuple[TorchConnection, ...]
    neuron: Neuron
    width: float

    @property
    def neurons(self) -> int:
        """N."""
        return self.connections[0].neurons


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """Layers in the order in which they are computed, the readout last."""

    layers: tuple[TorchLayer, ...]

    def place(self, source: str) -> int:
        """-1 is the input, 0 the first layer."""
        return -1 if source == INPUT else [layer.name for layer in self.layers].index(source)


class TorchArithmetic:
    """What the interpreter needs beside operations. ``unrounded``: nothing is rounded, nor saturated."""

    def __init__(self, network: TorchNetwork, *, unrounded: bool = False, detach_reset: bool = False) -> None:
        self._unrounded, self._detach_reset = unrounded, detach_reset
        weights = network.layers[0].connections[0].weights
        self._dtype, self._device = weights.dtype, weights.device
        self._widths: Iterator[float] = iter([layer.width for layer in network.layers])

    def operations(self) -> TorchOperations:
        """The next layer's."""
        made = UnroundedOperations if self._unrounded else TorchOperations
        return made(next(self._widths), detach_reset=self._detach_reset, dtype=self._dtype, device=self._device)

    def zeros(self, batch: int, width: int) -> Tensor:
        """(B, N) zeros."""
        return torch.zeros(batch, width, dtype=self._dtype, device=self._device)

    def weights(self, layer: int, connection: int, lag: int, weights: Any) -> Any:
        """As they are."""
        return weights

    def product(self, x: Tensor, weights: Tensor) -> Tensor:
        """W x: (B, I) to (B, N)."""
        return torch.nn.functional.linear(x, weights)

    def shift(self, a: Tensor, exponent: int) -> Tensor:
        """A 2^e, rounded down."""
        exact = a * 2.0**exponent
        return exact if exponent >= 0 or self._unrounded else straight_through(exact, exact.detach().floor())


def run(network: TorchNetwork, x: Tensor, arithmetic: TorchArithmetic) -> tuple[Tensor, list[Tensor]]:
    """What the last layer shows after the last step, (B, C), and what all layers that send something do, (T, B, N).

    x: (T, B, channels), in the weights' type.
    """
    session = Session(network, x.shape[1], arithmetic)
    sent: list[list[Tensor]] = [[] for _ in network.layers]
    for now in x.unbind():
        done = session.step(now)
        for kept, each in zip(sent, done, strict=True):
            if each.sent is not None:
                kept.append(_like(now, each.sent))
    return _like(x, done[-1].shown), [torch.stack(each) for each in sent if each]


def _like(x: Tensor, value: Any) -> Tensor:
    """What a step computed; a kind may also give a constant."""
    return torch.as_tensor(value, dtype=x.dtype, device=x.device)


def require_exact(network: IntegerNetwork) -> None:
    """Raise InvalidSetting, naming the layer, if some register could leave what double precision holds exactly."""
    for ranges in network.ranges:
        if ranges.widest > EXACT:
            why = f"a register could reach {ranges.widest:,}, and PyTorch's floats hold whole numbers up to {EXACT:,}"
            raise InvalidSetting(f"layer '{ranges.name}'", f"{why}; train at a smaller scale")


def lags(taps: Sequence[tuple[int, float]]) -> tuple[Lag, ...]:
    """Taps of any connection."""
    return tuple(Lag(*tap) for tap in taps)
