"""Samples that a user brings, against the network that they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.network import IntegerNetwork
from asrc_core.counts import plural
from asrc_core.errors import InvalidData


def note_on(network: IntegerNetwork, x: NDArray[np.integer[Any]]) -> str | None:
    """What is to be said of samples (n, T, channels) whose T is not the network's number of steps; None if it is.

    Raises InvalidData for samples whose axes, in another order, would be the network's steps and channels.
    """
    samples, steps, channels = x.shape
    mine, theirs = (steps, channels), (network.steps, network.input.channels)
    if mine == theirs:
        return None
    for order, shape in (
        ("(steps, samples, channels)", (samples, channels)),
        ("(samples, channels, steps)", (channels, steps)),
        ("(channels, steps, samples)", (steps, samples)),
        ("(steps, channels, samples)", (samples, steps)),
        ("(channels, samples, steps)", (channels, samples)),
    ):
        if shape == theirs:
            here = (
                f"x {x.shape} is {plural(samples, 'sample')} of {plural(steps, 'step')} of {plural(channels, 'value')}"
            )
            why = f"{here}, the network's have {plural(theirs[0], 'step')} of {theirs[1]}; x looks like {order}"
            raise InvalidData("samples", why, "give it as (samples, steps, channels)")
    if steps == network.steps:
        return None  # so the channels are others, which every engine refuses
    return f"the samples have {plural(steps, 'step')}, the network was exported for {network.steps}"
