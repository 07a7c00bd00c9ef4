"""The contract one step at a time: a sample fed as it comes, in NumPy.

What the native engine's stream is where that is not built, and the oracle it is tested against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import Ints, accumulate, fire, shift
from asrc_core.contract.network import IntegerNetwork, SkipLayer
from asrc_core.contract.result import LayerCounts, checked_input
from asrc_core.contract.stream import StreamStep


@dataclass
class _LayerState:
    v: Ints
    past: list[Ints]  # spikes of the last `span` steps, oldest first

    @classmethod
    def fresh(cls, layer: SkipLayer) -> _LayerState:
        return cls(np.zeros(layer.neurons, np.int64), [np.zeros(layer.neurons, np.int64)] * layer.span)


class NumpyStream:
    """One sample fed frame by frame, its state kept."""

    def __init__(self, network: IntegerNetwork) -> None:
        self._network = network
        self.reset()

    def reset(self) -> None:
        """Begin the next sample: all state and all counts return to zero."""
        self._states = [_LayerState.fresh(layer) for layer in self._network.layers]
        self._y: Ints = np.zeros(self._network.readout.classes, np.int64)
        self._counts = [LayerCounts()] * (len(self._states) + 1)

    @property
    def counts(self) -> tuple[LayerCounts, ...]:
        """Events since the sample's first step, for each layer and then the readout."""
        return tuple(self._counts)

    def step(self, frame: NDArray[np.generic]) -> StreamStep:
        """Feed one (channels,) integer frame. Raises InvalidData if it does not fit the network's input."""
        x: Ints = checked_input(self._network, np.asarray(frame)[np.newaxis, np.newaxis])[0, 0].astype(np.int64)
        spikes = []
        for i, (layer, state) in enumerate(zip(self._network.layers, self._states, strict=True)):
            recalled: Ints = sum((tap.weight * state.past[-tap.span] for tap in layer.heard), np.zeros_like(state.v))
            state.past.pop(0)
            fired = fire(
                state.v,
                shift(layer.feedforward @ x, layer.feedforward_exponent),
                shift(layer.recurrent @ recalled, layer.recurrent_exponent),
                bias=layer.bias,
                decay_constant=layer.decay,
                activation_shift=layer.activation_shift,
                threshold=layer.threshold,
                reset=layer.reset,
            )
            state.v = fired.v
            state.past.append(fired.s)
            self._counts[i] += LayerCounts(
                spikes=int(fired.s.sum()),
                feedforward_operations=int(np.count_nonzero(x)) * layer.neurons,
                recurrent_operations=int(np.count_nonzero(recalled)) * layer.neurons,
                neuron_updates=layer.neurons,
                saturations=fired.saturations,
            )
            spikes.append(fired.s.astype(np.uint8))
            x = fired.s
        readout = self._network.readout
        self._y, saturations = accumulate(self._y, shift(readout.weight @ x, readout.exponent), readout.bias)
        operations = int(np.count_nonzero(x)) * readout.classes
        self._counts[-1] += LayerCounts(0, operations, 0, readout.classes, saturations)
        return StreamStep(self._y.copy(), tuple(spikes))
