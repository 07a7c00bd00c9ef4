"""What the float network does on samples, layer by layer: the yardstick by which its integers are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.arithmetic import recalled
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.counts import agreeing, plural
from asrc_core.errors import InvalidData
from asrc_export import float_network
from asrc_export.quantization import taps
from asrc_train.trained.frozen import Floats, FrozenConnection, FrozenNetwork

SAMPLES = 64
LEAST_SAMPLES = 8
MAX_CELLS = 2**23
"""At most this many (step, sample, neuron or input) cells of a layer are kept: of long samples, fewer are run."""

Cells = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """One layer of the float network over all steps of a batch.

    arrived: of each connection what it weighs at every step, (T, B, I): integers from the input, spikes from layers, as
    many steps ago as its lags say, whole numbers where several taps weigh (`taps.whole`); of a connection with a delay
    for each synapse what its source sends now. spikes (T, B, N): what the layer sends.
    """

    arrived: tuple[Cells, ...]
    spikes: NDArray[np.uint8]

    @property
    def fed(self) -> Cells:
        """Of the first connection, which comes from before."""
        return self.arrived[0]

    @property
    def recalled(self) -> Cells:
        """Of the second connection: what comes back to a skip-recurrent layer, r[t]."""
        return self.arrived[1]


@dataclass(frozen=True, eq=False)
class Activity:
    """All layers, and the logits (B, C) that the readout comes to."""

    layers: tuple[LayerActivity, ...]
    logits: Floats

    @property
    def samples(self) -> int:
        """B."""
        return len(self.logits)


def observe(frozen: FrozenNetwork, x: NDArray[np.generic]) -> Activity:
    """Run the first SAMPLES of some samples (B, T, channels) through the float network.

    Raises InvalidData for a wrong type, shape, width or range, or fewer than LEAST_SAMPLES samples.
    """
    _require_fit(frozen, x)
    widest = max(frozen.channels, *(layer.neurons for layer in frozen.layers))
    count = min(SAMPLES, max(LEAST_SAMPLES, MAX_CELLS // (x.shape[1] * widest)))
    sent: dict[str, NDArray[Any]] = {INPUT: x[:count].transpose(1, 0, 2)}
    for layer, spikes in zip(frozen.layers, float_network.spikes(frozen, x[:count]), strict=True):
        sent[layer.name] = spikes
    layers = tuple(
        LayerActivity(tuple(_arrived(each, sent[each.source]) for each in layer.connections), sent[layer.name])
        for layer in taps.whole(frozen).layers
    )
    last = sent[frozen.layers[-1].name].astype(np.float32)
    logits = last.sum(axis=0, dtype=np.float64) @ frozen.readout_weight.T + len(last) * frozen.readout_bias
    return Activity(layers, logits)


def _arrived(connection: FrozenConnection, sent: NDArray[Any]) -> Cells:
    if connection.delays is not None:
        return sent.astype(np.float32)
    return recalled(sent, connection.taps, np.float32)


def _require_fit(frozen: FrozenNetwork, x: NDArray[np.generic]) -> None:
    what = "calibration data"
    if x.ndim != 3 or 0 in x.shape or x.dtype.kind not in "iub":
        why = f"they are {x.dtype} of shape {x.shape}"
        raise InvalidData(what, why, "give integers of shape (samples, steps, channels), each at least 1")
    if x.shape[2] != frozen.channels:
        why = f"they have {plural(x.shape[2], 'channel')} and the network takes {frozen.channels}"
        raise InvalidData(what, why, "choose the data set the network was trained on, or one like it")
    if len(x) < LEAST_SAMPLES:
        why = f"{plural(len(x), 'sample')} {agreeing(len(x), 'is', 'are')} too few to choose by"
        raise InvalidData(what, why, f"give at least {LEAST_SAMPLES}, or export without calibration data")
    low, high = int(x.min()), int(x.max())
    if low < 0 or high > frozen.maximum:
        why = f"their values span {low} to {high}, the network's range is 0 to {frozen.maximum}"
        raise InvalidData(what, why, "give values in the range that the network was trained on")
