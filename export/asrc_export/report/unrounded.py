"""The integer network with some of its roundings taken away: what each of them costs can then be told apart.

Parameters (weights, bias, threshold, decay constant) are the exported integers in any case; the arithmetic is double
precision, in which every sum of products is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asrc_core.contract.interpreter import Session, trace_arrays
from asrc_core.contract.network import IntegerNetwork
from asrc_core.contract.operations.real import RealArithmetic
from asrc_core.native.build import CannotBuild
from asrc_export.codegen.c import unrounded

Outcome = tuple[NDArray[np.float64], list[NDArray[Any]]]


def prepared(network: IntegerNetwork, *, integer_state: bool) -> Callable[[NDArray[np.generic]], Outcome]:
    """`run` for many batches: compiled, where this machine has a compiler and the network is one that compiles, and
    then to the same doubles.
    """
    if unrounded.why_not(network) is None:
        with suppress(CannotBuild):
            return unrounded.Unrounded(network, integer_state=integer_state).run
    return partial(run, network, integer_state=integer_state)


def run(network: IntegerNetwork, x: NDArray[np.generic], *, integer_state: bool) -> Outcome:
    """Logits (B, C) and what each hidden layer sends (T, B, N), for samples (B, T, channels), in NumPy.

    The network's own kinds and connections (docs/arithmetic.md), but no connection's sum is ever floored: a 2^e is
    exact for negative exponents, too. With ``integer_state``, what a neuron computes from it is rounded and saturated
    as in the contract, so that without negative exponents every value is the deployed network's. Without, nothing is:
    a LIF membrane is u[t] = v[t-1] (4096 - d) / 4096 + a[t] 2^h + b, as a real number.
    """
    batch, steps, _ = x.shape
    session = Session(network, batch, RealArithmetic(rounding=integer_state))
    sent = [np.zeros((steps, batch, layer.neurons), trace_arrays(layer, 0, 0).spikes.dtype) for layer in network.hidden]
    for t in range(steps):
        done = session.step(x[:, t])
        for kept, layer in zip(sent, done, strict=False):
            kept[t] = layer.sent
    return done[-1].shown, sent
