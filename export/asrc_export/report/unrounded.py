"""The integer network with some of its roundings taken away: what each of them costs can then be told apart.

Parameters (weights, bias, threshold, decay constant) are the exported integers in any case; the arithmetic is double
precision, in which every sum of products is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.chain import Readout, SkipLayer
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import DECAY_ONE, STATE_MAX
from asrc_export.report.behaviour.spike_differences import Spikes
from asrc_train.trained.freeze import Floats


def run(network: IntegerNetwork, x: NDArray[np.generic], *, integer_state: bool) -> tuple[Floats, list[Spikes]]:
    """Logits (B, C) and the spikes (T, B, N) of each layer, for samples (B, T, channels).

        u[t] = keep(v[t-1]) + (2^e_ff W x[t] + 2^e_rec U r[t]) 2^h + b
        keep(v) = v (4096 - d) / 4096,    with ``integer_state`` rounded toward zero, and u held within 24 bits

    Spikes, reset and readout are the contract's (docs/arithmetic.md), but no sum is ever floored. So with an integer
    state and no negative exponent, every value is the deployed network's.
    """
    fed: NDArray[np.generic] = x.transpose(1, 0, 2)
    spikes = []
    for layer in network.layers:
        fed = _layer(layer, fed, integer_state)
        spikes.append(fed)
    return _readout(network.readout, spikes[-1], integer_state), spikes


def _layer(layer: SkipLayer, x: NDArray[np.generic], integer_state: bool) -> Spikes:
    steps, batch, _ = x.shape
    unit = 2.0**layer.activation_shift
    u_t = layer.recurrent.T * (2.0**layer.recurrent_exponent * unit)
    w_t = layer.feedforward.T * (2.0**layer.feedforward_exponent * unit)
    kept_share = (DECAY_ONE - layer.decay) / DECAY_ONE
    v = np.zeros((batch, layer.neurons))
    spikes = np.zeros((steps, batch, layer.neurons), np.uint8)
    for t in range(steps):
        kept = v * kept_share
        u = (np.trunc(kept) if integer_state else kept) + x[t].astype(np.float64) @ w_t + layer.bias
        for tap in layer.heard:
            if t >= tap.span:
                u += (tap.weight * spikes[t - tap.span].astype(np.float64)) @ u_t
        if integer_state:
            np.clip(u, -STATE_MAX, STATE_MAX, out=u)
        fired = u >= layer.threshold
        v = u - layer.threshold * fired if layer.reset == "soft" else u * ~fired
        spikes[t] = fired
    return spikes


def _readout(readout: Readout, x: Spikes, integer_state: bool) -> Floats:
    w_t = readout.weight.T * 2.0**readout.exponent
    y = np.zeros((x.shape[1], readout.classes))
    for each in x:
        y += each.astype(np.float64) @ w_t + readout.bias
        if integer_state:
            np.clip(y, -STATE_MAX, STATE_MAX, out=y)
    return y
