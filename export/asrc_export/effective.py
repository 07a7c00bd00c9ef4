"""The floats that an integer network stands for: what a format of float networks gets from the integer file alone.

    W = W_int 2^(e + h) / (scale S),  U = U_int 2^(e + h) / scale,  b = b_int / scale,  theta = theta_int / scale,
    alpha = (4096 - d) / 4096                             scale: the layer's, S: of the input

These are the integers' values, not those that were trained. A float network of them does not round its membranes toward
zero at each step, nor its sums down where an exponent is below 0: its spikes may differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asrc_core.contract.chain import SkipLayer, chain, why_no_chain
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.numbers import DECAY_ONE, Ints
from asrc_core.contract.synapses.connection import INPUT
from asrc_core.errors import InvalidSetting
from asrc_train.trained.frozen import Floats, FrozenLayer, FrozenNetwork, WeightedTap, skip_layer


def effective(network: IntegerNetwork) -> FrozenNetwork:
    """A chain of LIF layers as floats. Raises InvalidSetting for another network, naming what is in the way."""
    other = why_no_chain(network)
    if other is not None:
        raise InvalidSetting(
            "network", f"only chains of LIF layers have a float form here, and of {other[0]}: {other[1]}"
        )
    if network.input.minimum < 0:
        raise InvalidSetting("network", f"its input begins at {network.input.minimum}, and a float form has 0 there")
    made = chain(network)
    sources = [INPUT, *(layer.name for layer in made.layers)]
    fed = [network.input.scale, *(1.0 for _ in made.layers)]
    return FrozenNetwork(
        layers=tuple(map(_layer, made.layers, sources, fed)),
        readout_weight=_real(made.readout.weight, made.readout.exponent, made.readout.scale),
        readout_bias=made.readout.bias / made.readout.scale,
        channels=network.input.channels,
        steps=network.steps,
        scale=network.input.scale,
        maximum=max(network.input.maximum, 1),
        permutation=network.permutation,
        provenance={"data": None, **network.provenance},
    )


def roundings(network: IntegerNetwork) -> list[str]:
    """What of the integers' steps the floats do not do, a clause each."""
    made = chain(network)
    lost = ["integer membranes round toward zero at each step, floats do not"]
    floored = [layer.name for layer in made.layers if min(layer.feedforward_exponent, layer.recurrent_exponent) < 0]
    if floored or made.readout.exponent < 0:
        names = ", ".join([*floored, *([made.readout.name] if made.readout.exponent < 0 else [])])
        lost.append(f"sums of {names} are rounded down to their exponents")
    return lost


def _layer(layer: SkipLayer, source: str, fed: float) -> FrozenLayer:
    h, gain = layer.activation_shift, layer.largest_message
    taps = tuple(WeightedTap(tap.span, tap.weight / gain) for tap in layer.taps)
    constants: dict[str, Any] = {
        "threshold": layer.threshold / layer.scale,
        "decay_factor": (DECAY_ONE - layer.decay) / DECAY_ONE,
    }
    return skip_layer(
        name=layer.name,
        weight=_real(layer.feedforward, layer.feedforward_exponent + h, layer.scale * fed),
        recurrent=gain * _real(layer.recurrent, layer.recurrent_exponent + h, layer.scale),
        bias=layer.bias / layer.scale,
        source=source,
        span=layer.span,
        taps=taps,
        reset=layer.reset,
        **constants,
        **({} if layer.fires == "at" else {"fires": layer.fires}),
    )


def _real(weights: Ints, exponent: int, scale: float) -> Floats:
    floats: Floats = weights.astype(np.float64) * 2.0**exponent / scale
    return floats
