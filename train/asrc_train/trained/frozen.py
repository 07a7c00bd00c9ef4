"""A float network as plain arrays, its spans chosen: what freezing gives, and what an integer network stands for.

Nothing here needs PyTorch, so that formats of float networks can be written from an integer network's file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract import neurons
from asrc_core.contract.neurons.kind import Kind
from asrc_core.contract.numbers import Fires, Reset
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.contract.synapses.convolution import Convolution

Floats = NDArray[np.float64]


class WeightedTap(NamedTuple):
    """One of several spans that a layer taps at once, and how much it weighs."""

    span: int
    weight: float


AT_ONCE = (WeightedTap(0, 1.0),)
"""What the source sends in the same step."""


@dataclass(frozen=True, eq=False)
class FrozenConnection:
    """Synapses from one source: weights (N, I), and how many steps ago what they weigh was sent.

    a[t] = W sum_j weight_j x[t - span_j] over the taps, or with ``delays`` (N, I), one for each synapse,
    a_i[t] = sum_k W_ik x_k[t - delay_ik]. ``source`` is a layer's name, or the contract's `INPUT`. ``convolution``:
    where the weights lie, if they come from a kernel.
    """

    source: str
    weight: Floats
    taps: tuple[WeightedTap, ...] = AT_ONCE
    delays: NDArray[np.int64] | None = None
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", tuple(WeightedTap(*tap) for tap in self.taps))

    @property
    def span(self) -> int:
        """The longest lag."""
        return max(tap.span for tap in self.taps) if self.delays is None else int(self.delays.max())


@dataclass(frozen=True, eq=False)
class FrozenLayer:
    """Neurons of one of the contract's kinds, with their connections and their floats (`Kind.constants`).

    A layer that is trained here has connections from what stands before it, one but for skips, and one from itself
    unless it is not recurrent. What is asked of such a layer alone: W (N, I) is ``weight``, U (N, N) ``recurrent``;
    ``span`` is the longest lag of U, ``taps`` are its lags where it has several. ``decay``, ``threshold`` and ``reset``
    are those of LIF.
    """

    name: str
    connections: tuple[FrozenConnection, ...]
    kind: str
    constants: Mapping[str, Any]

    @property
    def of_kind(self) -> Kind:
        """The kind. Raises UnknownName."""
        return neurons.kind(self.kind)

    @property
    def neurons(self) -> int:
        """N."""
        return len(self.connections[0].weight)

    @property
    def forward(self) -> FrozenConnection:
        """The connection from what stands before, the first if there are several."""
        return self.connections[0]

    @property
    def before(self) -> tuple[FrozenConnection, ...]:
        """All connections from elsewhere."""
        return tuple(each for each in self.connections if each.source != self.name)

    @property
    def back(self) -> FrozenConnection:
        """The connection from the layer itself."""
        return next(each for each in self.connections if each.source == self.name)

    @property
    def weight(self) -> Floats:
        """W, of what stands before side by side."""
        before = self.before
        return before[0].weight if len(before) == 1 else np.concatenate([each.weight for each in before], axis=1)

    @property
    def recurrent(self) -> Floats:
        """U."""
        return self.back.weight

    @property
    def bias(self) -> Floats:
        """Of each neuron, (N,)."""
        bias: Floats = self.constants["bias"]
        return bias

    @property
    def span(self) -> int:
        """The longest lag of U, 0 without one."""
        return max((each.span for each in self.connections if each.source == self.name), default=0)

    @property
    def taps(self) -> tuple[WeightedTap, ...]:
        """The lags of U, if there are several."""
        found = next((each.taps for each in self.connections if each.source == self.name), ())
        return found if len(found) > 1 else ()

    @property
    def decay(self) -> Any:
        """The share alpha of the membrane that a step keeps: one for the layer, or (N,)."""
        return self.constants["decay_factor"]

    @property
    def threshold(self) -> Any:
        """Theta: one for the layer, or (N,)."""
        return self.constants["threshold"]

    @property
    def reset(self) -> Reset:
        """What a spike does to the membrane."""
        reset: Reset = self.constants["reset"]
        return reset

    @property
    def fires(self) -> Fires:
        """Whether a membrane that equals theta fires."""
        fires: Fires = self.constants.get("fires", "at")
        return fires

    def moved(
        self, *, weight: Floats | None = None, recurrent: Floats | None = None, bias: Floats | None = None
    ) -> FrozenLayer:
        """The layer with other W, U or b."""
        connections = list(self.connections)
        if weight is not None:
            before = self.before
            parts = np.split(weight, np.cumsum([each.weight.shape[1] for each in before])[:-1], axis=1)
            connections[: len(before)] = (replace(each, weight=w) for each, w in zip(before, parts, strict=True))
        if recurrent is not None:
            connections[connections.index(self.back)] = replace(self.back, weight=recurrent)
        constants = self.constants if bias is None else {**self.constants, "bias": bias}
        return replace(self, connections=tuple(connections), constants=constants)


def skip_layer(
    name: str,
    weight: Floats,
    recurrent: Floats,
    bias: Floats,
    *,
    source: str = INPUT,
    span: int,
    taps: tuple[WeightedTap, ...] = (),
    kind: str = "lif",
    **constants: Any,
) -> FrozenLayer:
    """A layer with one connection from what stands before and one from itself; ``taps``: U's lags if several."""
    lags = taps or (WeightedTap(span, 1.0),)
    connections = (FrozenConnection(source, weight), FrozenConnection(name, recurrent, lags))
    return FrozenLayer(name, connections, kind, {"bias": bias, **constants})


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """The float network that an integer network stands for. It is fed integers x in [0, maximum] times ``scale``."""

    layers: tuple[FrozenLayer, ...]
    readout_weight: Floats  # (C, N)
    readout_bias: Floats  # (C,)
    channels: int
    steps: int
    scale: float
    maximum: int
    permutation: NDArray[np.int64] | None
    provenance: dict[str, Any]
    decides: FrozenLayer | None = None
    """The readout, where it is more than the sum of W s + b: a layer of one of the readouts' kinds, whose weights
    (the first connection's, if it has several) and biases are ``readout_weight`` and ``readout_bias``."""
